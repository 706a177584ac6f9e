/** The check of somebody else's implementation: `POST /{layer}/check`, its cases, and the mistakes that are known. */
import { Type } from '@sinclair/typebox';
import type { FastifyInstance } from 'fastify';
import {
  CaseAnswer,
  CaseQuery,
  CaseRequest,
  CheckAnswer,
  CheckRequest,
  MistakesAnswer,
} from '../../../schemas/check.js';
import type { Checks } from '../../check/definition.js';
import { anyLayer, ofGradients } from '../../check/variants.js';
import type { Answer } from '../../compute/call.js';
import { responses } from '../documentation.js';
import { refuse } from '../../refusal.js';
import { ProblemError } from '../errors.js';
import { expectJsonAccepted, expectTensorsAccepted, JSON_TYPE } from '../negotiation.js';
import { problem } from '../problems.js';
import type { Post, Send } from './posting.js';

function parsed(options: string): unknown {
  try {
    return JSON.parse(options);
  } catch {
    throw refuse('invalid-request', ['options'], `/options is ${JSON.stringify(options)}; expected a JSON object`);
  }
}

/** The query of a case, as the body that asks for the same. */
function bodyOf({ seed, answers, axes, options, ...rest }: Record<string, string | undefined>): Buffer {
  return Buffer.from(
    JSON.stringify({
      ...rest,
      ...(seed === undefined ? {} : { seed: Number(seed) }),
      ...(axes === undefined ? {} : { axes: Number(axes) }),
      ...(options === undefined ? {} : { options: parsed(options) }),
      ...(answers === undefined ? {} : { answers: answers === 'true' }),
    }),
  );
}

/** Those of the layer, and those that every layer has. */
function mistakesOf({ layer, mistakes }: Checks) {
  const { outputs, gradients } = layer.schemas;
  const gradientNames = Object.keys(gradients.properties);
  const all = [...Object.keys(outputs.properties), ...gradientNames].filter((name) => name !== 'seed');
  return [
    ...mistakes,
    ...anyLayer.map((mistake) => ({ ...mistake, tensors: ofGradients.includes(mistake.id) ? gradientNames : all })),
  ];
}

/** A request that works: the layer's example, and a claim of what is right. */
async function exampleOf({ layer: { name, reference } }: Checks, answer: Answer): Promise<object> {
  const { forward, backward } = reference.example;
  const { pieces } = await answer({
    layer: name,
    direction: 'backward',
    contentType: JSON_TYPE,
    accept: JSON_TYPE,
    body: Buffer.from(JSON.stringify({ forward, ...backward })),
  });
  const gradients = JSON.parse(Buffer.concat(pieces).toString()) as Record<string, unknown>;
  return { forward, backward, claims: Object.fromEntries(Object.entries(gradients).slice(0, 1)) };
}

export async function checkRoutes(
  app: FastifyInstance,
  post: Post,
  send: Send,
  answer: Answer,
  allChecks: readonly Checks[],
): Promise<void> {
  for (const checks of allChecks) {
    const { layer, spatial = false } = checks;
    const { name, schemas } = layer;
    post(
      `/${name}/check`,
      { layer: name, direction: 'check' },
      {
        operationId: `${name}_check`,
        summary: `${name}: is what your implementation computed right, and if not, what went wrong?`,
        body: { ...CheckRequest(schemas), examples: [await exampleOf(checks, answer)] },
        response: CheckAnswer,
      },
    );
    const ofCase = { summary: `${name}: an input on which known mistakes show`, response: CaseAnswer(schemas) };
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
        summary: `${ofCase.summary}; to save as a fixture`,
        querystring: CaseQuery(spatial),
        response: responses({ 200: ofCase.response }, 400, 406, 503),
      },
      onRequest: expectTensorsAccepted,
      handler: (request, reply) =>
        send(request, reply, {
          layer: name,
          direction: 'case',
          contentType: JSON_TYPE,
          body: bodyOf(request.query as Record<string, string>),
        }),
    });
  }

  app.get('/layers/:layer/mistakes', {
    schema: {
      tags: ['catalogue'],
      operationId: 'mistakes',
      summary: "A layer's known mistakes",
      params: Type.Object({ layer: Type.String({ description: 'Its name.', examples: [allChecks[0].layer.name] }) }),
      response: responses({ 200: MistakesAnswer }, 404, 406),
    },
    onRequest: expectJsonAccepted,
    handler: (request) => {
      const { layer } = request.params as { layer: string };
      const checks = allChecks.find((candidate) => candidate.layer.name === layer);
      if (checks) return { layer, mistakes: mistakesOf(checks) };
      const names = allChecks.map((candidate) => candidate.layer.name).join(', ');
      throw new ProblemError(
        problem('unknown-layer', `there is no layer ${JSON.stringify(layer)}; expected one of ${names}`),
      );
    },
  });
}
