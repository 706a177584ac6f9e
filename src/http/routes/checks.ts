/** Checks of a client's implementation: `POST /{layer}/check`, test cases, and the known mistakes. */
import { Type } from '@sinclair/typebox';
import type { FastifyPluginCallback } from 'fastify';
import {
  CaseAnswer,
  CaseQuery,
  CaseRequest,
  CheckAnswer,
  CheckRequest,
  MistakesAnswer,
} from '../../../schemas/check.js';
import type { Checks } from '../../check/definition.js';
import { mistakesOf } from '../../check/generic/registry.js';
import { parseJson } from '../../codec/json/read.js';
import { refuse, Refusal } from '../../refusal.js';
import { ProblemError } from '../problems.js';
import { acceptedType, expectJsonAccepted, expectTensorsAccepted, JSON_TYPE } from '../negotiation.js';
import { responses, tensorContent } from '../response-schemas.js';
import type { Send } from '../send.js';
import { createPost } from './call-route.js';

/** @throws {Refusal} invalid-request or duplicate-name */
function expectJson(options: string): void {
  try {
    parseJson(Buffer.from(options));
  } catch (error) {
    if (error instanceof Refusal && error.kind === 'duplicate-name') throw error.within(['options']);
    throw refuse('invalid-request', ['options'], `/options is ${JSON.stringify(options)}; expected a JSON object`);
  }
}

/** The query of a case as the equivalent request body. */
function bodyOf(query: Record<string, string>): Buffer {
  const fields = Object.entries(query).map(([name, text]) => `${JSON.stringify(name)}:${jsonOf(name, text)}`);
  return Buffer.from(`{${fields.join()}}`);
}

/** Options remain the text that they are: parsed and written again, a number would be rounded. */
function jsonOf(name: string, text: string): string {
  if (name === 'options') expectJson(text);
  if (name === 'options' || name === 'answers') return text;
  return JSON.stringify(name === 'seed' || name === 'axes' ? Number(text) : text);
}

export const checkRoutes: FastifyPluginCallback<{ allChecks: readonly Checks[]; send: Send }> = (
  app,
  { allChecks, send },
  done,
) => {
  const post = createPost(app, send);
  for (const checks of allChecks) {
    const { layer, spatial = false } = checks;
    const { name, schemas } = layer;
    post(
      `/${name}/check`,
      { layer: name, direction: 'check' },
      {
        operationId: `${name}_check`,
        summary: `${name}: check the results of your implementation, and diagnose mistakes`,
        // The document adds an example, which must be computed.
        body: CheckRequest(schemas),
        response: CheckAnswer,
      },
    );
    const ofCase = { summary: `${name}: make a test case that reveals known mistakes`, response: CaseAnswer(schemas) };
    post(
      `/${name}/check/case`,
      { layer: name, direction: 'case' },
      {
        ...ofCase,
        operationId: `${name}_check_case`,
        body: { ...CaseRequest(schemas.options, spatial), examples: [{ seed: 1, answers: true }] },
      },
    );
    app.get(`/${name}/check/case`, {
      schema: {
        tags: [name],
        operationId: `${name}_check_fixture`,
        summary: `${ofCase.summary}, to save as a fixture`,
        querystring: CaseQuery(spatial),
        response: responses({ 200: tensorContent(ofCase.response) }, 400, 406, 413, 422, 503),
      },
      onRequest: expectTensorsAccepted,
      handler: (request, reply) => {
        const { seed = '0' } = request.query as { seed?: string };
        const accept = acceptedType(request, JSON_TYPE);
        const extension = accept === JSON_TYPE ? 'json' : 'safetensors';
        void reply.header('content-disposition', `attachment; filename="${name}-case-${seed}.${extension}"`);
        const body = bodyOf(request.query as Record<string, string>);
        const call = { layer: name, direction: 'case', contentType: JSON_TYPE, accept, body } as const;
        return send(request, reply, call);
      },
    });
  }

  app.get('/layers/:layer/mistakes', {
    config: { constant: true },
    schema: {
      tags: ['catalogue'],
      operationId: 'mistakes',
      summary: 'List the known mistakes of a layer',
      params: Type.Object({
        layer: Type.String({ description: 'Name of the layer.', examples: [allChecks[0].layer.name] }),
      }),
      response: responses({ 200: MistakesAnswer }, 404, 406),
    },
    onRequest: expectJsonAccepted,
    handler: (request) => {
      const { layer } = request.params as { layer: string };
      const checks = allChecks.find((candidate) => candidate.layer.name === layer);
      if (checks) return { layer, mistakes: mistakesOf(checks) };
      const names = allChecks.map((candidate) => candidate.layer.name).join(', ');
      throw new ProblemError('unknown-layer', `there is no layer ${JSON.stringify(layer)}; expected one of ${names}`);
    },
  });
  done();
};
