/** The OpenAPI document as other programs read it. */
import { validate } from '@hyperjump/json-schema/openapi-3-1';
import { createConfig, lintFromString } from '@redocly/openapi-core';
import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { describe, expect, it } from 'vitest';
import { jsonPointer } from '../../../src/refusal.js';
import { documentOf, operationsOf, type Content, type Named } from '../../support/openapi.js';
import { layerNames } from '../../support/requests.js';
import { serveAll } from '../../support/service.js';

type Json = string | number | boolean | null | Json[] | { [name: string]: Json };

describe('/openapi.json', () => {
  const service = serveAll();

  it('is a valid OpenAPI 3.1 document, and so are the schemas in it', async () => {
    const document = await documentOf(service());
    expect(document.openapi).toMatch(/^3\.1\./);
    // The official schema with its dialect for Schema Objects, JSON Schema 2020-12.
    const dialect = 'https://spec.openapis.org/oas/3.1/schema-base';
    expect(await validate(dialect, document as unknown as Json, 'BASIC')).toEqual({
      valid: true,
    });
  });

  it('has no errors according to a linter', async () => {
    const config = await createConfig({ extends: ['recommended'] });
    const source = JSON.stringify(await documentOf(service()));
    const problems = await lintFromString({ source, absoluteRef: '/openapi.json', config });
    // Exceptions: the package has no licence, and the probes have no 4xx response.
    const others = problems.filter(({ ruleId }) => !['info-license', 'operation-4xx-response'].includes(ruleId));
    expect(others.map(({ ruleId, message }) => ({ ruleId, message }))).toEqual([]);
  });

  it('has bodies that compile strictly as JSON Schema 2020-12, and valid examples', async () => {
    const document = await documentOf(service());
    const ajv = new Ajv2020({ strict: true });
    addFormats.default(ajv);
    ajv.addVocabulary([
      'x-tensor',
      'x-shape',
      'x-expects',
      'x-drawn',
      'x-defaults',
      'example',
      ...Object.keys(document),
    ]);
    // A binary body has no JSON.
    ajv.addFormat('binary', true);
    ajv.addSchema({ $id: 'document', ...document });
    let examples = 0;
    const compile = (path: readonly string[], content: Named<Content> = {}) => {
      for (const [type, { example }] of Object.entries(content) as [string, Content][]) {
        const pointer = jsonPointer([...path, 'content', type, 'schema']);
        const check = ajv.compile({ $ref: `document#${encodeURI(pointer)}` });
        if (example === undefined) continue;
        examples++;
        expect(check(example), `${pointer} ${ajv.errorsText(check.errors)}`).toBe(true);
      }
    };
    for (const { method, path, operation } of operationsOf(document)) {
      compile(['paths', path, method, 'requestBody'], operation.requestBody?.content);
      // The others are all the same problem.
      for (const status of ['200', '404'])
        compile(['paths', path, method, 'responses', status], operation.responses[status]?.content);
    }
    expect(examples).toBeGreaterThan(5 * layerNames.length);
  });
});
