import { Validator } from '@seriousme/openapi-schema-validator';
import { describe, expect, it } from 'vitest';
import { layerNames, schemasOf, type Body } from '../support/requests.js';
import { call, serve, serveAll, type Service } from '../support/service.js';

/** By name, where the document has it. */
type Named<Value> = Readonly<Partial<Record<string, Value>>>;

interface ObjectSchema {
  readonly properties: Readonly<Record<string, Body>>;
  readonly required?: readonly string[];
}

interface Content {
  readonly schema: ObjectSchema;
  readonly example?: Body;
}

interface Operation {
  readonly operationId: string;
  readonly summary: string;
  readonly tags: readonly string[];
  readonly requestBody?: { readonly content: Named<Content> };
  readonly responses: Named<{ readonly content?: Named<Content> }>;
}

interface OpenApi {
  readonly openapi: string;
  readonly info: { readonly title: string; readonly version: string };
  readonly tags: readonly { readonly name: string }[];
  readonly paths: Named<Named<Operation>>;
}

async function documentOf({ client }: Service): Promise<OpenApi> {
  const { body, headers } = (await client.get('/openapi.json').expect(200)) as { body: OpenApi; headers: object };
  expect(headers).toMatchObject({ 'content-type': expect.stringMatching(/^application\/json/) as string });
  return body;
}

/** Every operation with its method and path. */
function operationsOf({ paths }: OpenApi) {
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods ?? {}).flatMap(([method, operation]) => (operation ? [{ method, path, operation }] : [])),
  );
}

describe('/openapi.json', () => {
  const service = serveAll();

  it('is a valid OpenAPI 3.1 document', async () => {
    const document = await documentOf(service());
    expect(document.openapi).toMatch(/^3\.1\./);
    const validator = new Validator();
    expect(await validator.validate({ ...document })).toEqual({ valid: true });
    expect(validator.version).toBe('3.1');
  });

  it('has every route of the contract, and none that the service has not', async () => {
    const document = await documentOf(service());
    const wanted = [
      ...layerNames.flatMap((name) => [`POST /${name}`, `POST /${name}/forward`, `POST /${name}/backward`]),
      ...layerNames.flatMap((name) => [`POST /${name}/check`, `POST /${name}/check/case`, `GET /${name}/check/case`]),
      'GET /layers/{layer}/mistakes',
      'GET /layers',
      'GET /layers/{layer}',
      'GET /sessions/{token}',
      'DELETE /sessions/{token}',
      'GET /health/live',
      'GET /health/ready',
      'GET /metrics',
      'GET /v2',
      'GET /v2/health/live',
      'GET /v2/health/ready',
      ...['/v2/models/{model}', '/v2/models/{model}/versions/{version}'].flatMap((model) => [
        `GET ${model}`,
        `GET ${model}/ready`,
        `POST ${model}/infer`,
      ]),
    ];
    const operations = operationsOf(document);
    expect(operations.map(({ method, path }) => `${method.toUpperCase()} ${path}`).sort()).toEqual(wanted.sort());
    for (const { method, path } of operations) {
      const url = path.replaceAll(/\{(\w+)\}/g, ':$1');
      expect(service().app.hasRoute({ method: method.toUpperCase(), url }), url).toBe(true);
    }
  });

  it('has for every operation an id of its own, a summary, a tag that is explained, and problems', async () => {
    const document = await documentOf(service());
    const operations = operationsOf(document).map(({ operation }) => operation);
    expect(new Set(operations.map(({ operationId }) => operationId)).size).toBe(operations.length);
    const tags = document.tags.map(({ name }) => name);
    for (const { operationId, summary, tags: own, responses } of operations) {
      expect(summary, operationId).toMatch(/\w/);
      for (const tag of own) expect(tags).toContain(tag);
      const [success, ...others] = Object.keys(responses);
      expect(success).toMatch(/^20[04]$/);
      for (const status of others)
        expect(Object.keys(responses[status]?.content ?? {}), `${operationId} ${status}`).toEqual([
          'application/problem+json',
        ]);
    }
  });

  it('says of every route but the probes that it may want a key, or be asked too often or too much', async () => {
    const operations = operationsOf(await documentOf(service()));
    for (const { path, operation } of operations) {
      const statuses = Object.keys(operation.responses);
      const wanted = ['401', '429', '503'].filter((status) => statuses.includes(status));
      if (/^(\/v2)?\/health\/live$/.test(path)) expect(wanted).toEqual([]);
      else if (/^(\/v2)?\/health\/ready$/.test(path)) expect(wanted).toEqual(['503']);
      else expect(wanted, path).toEqual(['401', '429', '503']);
    }
  });

  it('says of every tensor which shape it has and what it is', async () => {
    const document = await documentOf(service());
    let tensors = 0;
    for (const { operation } of operationsOf(document))
      for (const content of [operation.requestBody?.content, operation.responses[200]?.content])
        for (const [name, schema] of Object.entries(content?.['application/json']?.schema.properties ?? {}))
          if ('allOf' in schema || '$ref' in schema) {
            tensors++;
            expect(schema, `${operation.operationId} ${name}`).toMatchObject({
              allOf: [{ $ref: '#/components/schemas/Tensor' }],
              'x-shape': expect.stringMatching(/\[|as /) as string,
              description: expect.stringMatching(/\w/) as string,
            });
          }
    expect(tensors).toBeGreaterThan(100);
  });

  it('has the version of the package', async () => {
    const { info } = await documentOf(service());
    expect(info).toMatchObject({ title: 'layerd', version: expect.stringMatching(/^\d+\.\d+\.\d+$/) as string });
  });
});

describe.each(layerNames)('the examples of %s', (name) => {
  const service = serveAll();

  it.each([`/${name}`, `/${name}/forward`, `/${name}/backward`])(
    'work: POST %s answers as its schema says',
    async (path) => {
      const { paths } = await documentOf(service());
      const { requestBody, responses } = paths[path]?.post ?? {};
      const { example, schema } = requestBody?.content['application/json'] ?? {};
      const response = await service().client.post(path).send(example).expect(200);
      const answer = response.body as Body;
      const declared = responses?.[200]?.content?.['application/json']?.schema;
      expect(Object.keys(declared?.properties ?? {})).toEqual(expect.arrayContaining(Object.keys(answer)));
      expect(Object.keys(answer)).toEqual(expect.arrayContaining([...(declared?.required ?? [])]));
      expect(Object.keys(schema?.properties ?? {})).toEqual(expect.arrayContaining(Object.keys(example ?? {})));
    },
  );

  it('give the same with every default that the schema states as without it', async () => {
    const { paths } = await documentOf(service());
    const { example, schema } = paths[`/${name}/forward`]?.post?.requestBody?.content['application/json'] ?? {};
    const defaults = Object.entries(schema?.properties ?? {}).filter(([, property]) => 'default' in property);
    expect(defaults.map(([option]) => option)).toEqual(expect.arrayContaining(['dtype', 'session']));
    const gradientsOf = Object.keys(schemasOf(name).upstream.properties);
    const answers = async (forward: Body) => {
      const { session, ...outputs } = (await service().client.post(`/${name}`).send(forward).expect(200)).body as Body;
      // Any upstream gradient will do that has the shape of its output.
      const upstream = Object.fromEntries(gradientsOf.map((gradient) => [gradient, outputs[gradient.slice(1)]]));
      const backward = { ...upstream, forward: { ...forward, session: false } };
      const gradients = await call(service(), `${name}/backward`, backward);
      return { hasSession: typeof session, outputs, gradients };
    };
    for (const [option, { default: value }] of defaults) {
      const { [option]: _, ...without } = example ?? {};
      expect(await answers({ ...without, [option]: value }), option).toEqual(await answers(without));
    }
  });
});

describe('/docs', () => {
  const service = serveAll();

  it('is a page whose files all come from the service', async () => {
    const { text: html, headers } = await service().client.get('/docs').expect(200);
    expect(headers['content-type']).toMatch(/^text\/html/);
    expect(html).not.toMatch(/https?:|["'(]\/\//i);
    const files = [...html.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, file = '']) => file);
    expect(files.length).toBeGreaterThan(4);
    for (const file of files) {
      expect(file).toMatch(/^\/docs\/static\/[\w.-]+$/);
      const { text, headers } = await service().client.get(file).buffer(true).expect(200);
      if (headers['content-type'].startsWith('text/css'))
        for (const [, url = ''] of text.matchAll(/url\(([^)]*)\)/g)) expect(url).toMatch(/^["']?data:/);
    }
  });

  it('reads the document of the service', async () => {
    const { text } = await service().client.get('/docs/static/swagger-initializer.js').buffer(true).expect(200);
    expect(text).toContain("resolveUrl('./json')");
    const { body } = (await service().client.get('/docs/json').expect(200)) as { body: unknown };
    expect(body).toEqual(await documentOf(service()));
  });

  it('forbids the browser every other host, and to leave http for https', async () => {
    const { headers } = await service().client.get('/docs').expect(200);
    const policy = headers['content-security-policy'] ?? '';
    expect(policy).toContain("default-src 'self'");
    const sources = policy.split(';').flatMap((directive) => directive.trim().split(' ').slice(1));
    expect(
      sources.filter((source) => !/^('self'|'none'|'unsafe-inline'|data:)$/.test(source) && source !== ''),
    ).toEqual([]);
    expect(policy).not.toContain('upgrade-insecure-requests');
    expect(policy).toMatch(/default-src 'self'(;|$)/);
  });

  it('is there while the API refuses work', async () => {
    const small = await serve({ WORK_LIMIT_OPERATIONS: '1', SESSION_BUDGET_BYTES: '0', BODY_LIMIT_BYTES: '1' });
    await small.client.get('/docs').expect(200);
    await small.client.get('/openapi.json').expect(200);
  });
});
