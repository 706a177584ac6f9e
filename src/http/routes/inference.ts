/** The Open Inference Protocol: the layers for clients of KServe and Triton. */
import type { IncomingMessage } from 'node:http';
import type { FastifyPluginCallbackTypebox } from '@fastify/type-provider-typebox';
import { Type } from '@sinclair/typebox';
import type { FastifyRequest } from 'fastify';
import {
  InferenceAnswer,
  InferenceRequest,
  ModelMetadata,
  ModelReady,
  ServerLive,
  ServerMetadata,
  ServerReady,
} from '../../../schemas/inference.js';
import type { Answer, Format } from '../../compute/call.js';
import type { Layer } from '../../layers/definition.js';
import type { Pool } from '../../memory/pool.js';
import { Refusal } from '../../refusal.js';
import type { SessionStore } from '../../sessions/store.js';
import { inlineBytes } from '../../workers/executor.js';
import { readBody } from '../body.js';
import { probeResponses, responses, version } from '../documentation.js';
import { ProblemError } from '../errors.js';
import type { LayerCall } from '../metrics.js';
import { exampleOf, modelsOf, type Model } from '../models.js';
import { bodyBytes, expectAccepted, expectJsonAccepted, giveBack, JSON_TYPE, sendPieces } from '../negotiation.js';
import { problem } from '../problems.js';
import { expectReady } from '../readiness.js';

/** Of a body with bytes of tensors behind its JSON part, and of an answer with some. */
const BINARY_TYPE = 'application/octet-stream';

/** Bytes of the JSON part of a request or an answer, where others follow. */
const JSON_LENGTH_HEADER = 'inference-header-content-length';

const EXTENSIONS = ['binary_tensor_data', 'parameters'];

export const inferenceRoutes: FastifyPluginCallbackTypebox<{
  layers: readonly Layer[];
  answer: Answer;
  pool: Pool;
  bodyLimitBytes: number;
  sessions: SessionStore;
}> = (app, { layers, answer, pool, bodyLimitBytes, sessions }, done) => {
  const models = modelsOf(layers);
  const tags = ['inference'];

  /** @throws {ProblemError} 404 */
  function modelOf(request: FastifyRequest): Model {
    const { model: name, version: asked } = request.params as { model: string; version?: string };
    const model = models.get(name);
    if (!model)
      throw new ProblemError(
        problem(
          'unknown-model',
          `there is no model ${JSON.stringify(name)}; expected one of ${[...models.keys()].join(', ')}`,
        ),
      );
    if (asked !== undefined && asked !== model.version)
      throw new ProblemError(
        problem('unknown-model', `${name} has no version ${JSON.stringify(asked)}; expected "${model.version}"`),
      );
    return model;
  }

  // Both clients send no Content-Type at all with a request that has no bytes of tensors, and Triton's with any other.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser([JSON_TYPE, BINARY_TYPE], read);
  app.addContentTypeParser('*', async (request: FastifyRequest, payload: IncomingMessage) => {
    const type = request.headers['content-type'];
    if (type === undefined) return read(request, payload);
    throw new ProblemError(
      problem(
        'unsupported-media-type',
        `the body's Content-Type is ${type}; expected ${JSON_TYPE} or ${BINARY_TYPE}, or none`,
      ),
    );
  });
  function read(request: FastifyRequest, payload: IncomingMessage): Promise<Buffer> {
    const format = formatOf(request);
    return readBody(payload, {
      limitBytes: bodyLimitBytes,
      sharedOverBytes: inlineBytes(format),
      alignedAt: format.jsonBytes ?? 0,
      pool,
      room: (bytes) => request.roomFor(bytes),
    });
  }

  app.get('/v2', {
    schema: {
      tags,
      operationId: 'inference_server',
      summary: 'Open Inference Protocol: what server this is, and which extensions it has',
      response: responses({ 200: ServerMetadata }, 406),
    },
    onRequest: expectJsonAccepted,
    handler: () => ({ name: 'layerd', version: version(), extensions: EXTENSIONS }),
  });
  app.get('/v2/health/live', {
    config: { probe: true },
    schema: {
      tags,
      security: [],
      operationId: 'inference_live',
      summary: 'The process runs',
      response: probeResponses({ 200: ServerLive }),
    },
    handler: () => ({ live: true }),
  });
  app.get('/v2/health/ready', {
    config: { probe: true },
    schema: {
      tags,
      security: [],
      operationId: 'inference_ready',
      summary: 'Requests are served',
      response: probeResponses({ 200: ServerReady }, 503),
    },
    handler: async () => {
      await expectReady(app, sessions);
      return { ready: true };
    },
  });

  const answered = {
    description: 'What the model gives; with bytes of tensors behind the JSON part where they are asked for.',
    content: {
      [JSON_TYPE]: { schema: InferenceAnswer },
      [BINARY_TYPE]: { schema: Type.String({ format: 'binary' }) },
    },
  };
  const name = { model: Type.String({ description: 'Its name.', examples: [[...models.keys()][0]] }) };
  const numbered = { ...name, version: Type.String({ description: 'Its version; there is one.', examples: ['1'] }) };
  for (const [path, params, suffix] of [
    ['/v2/models/:model', Type.Object(name), ''],
    ['/v2/models/:model/versions/:version', Type.Object(numbered), '_version'],
  ] as const) {
    app.get(path, {
      schema: {
        tags,
        operationId: `inference_model${suffix}`,
        summary: 'The tensors of a model: {layer}_forward or {layer}_backward',
        params,
        response: responses({ 200: ModelMetadata }, 404, 406),
      },
      onRequest: expectJsonAccepted,
      handler: (request) => modelOf(request).metadata,
    });
    app.get(`${path}/ready`, {
      schema: {
        tags,
        operationId: `inference_model${suffix}_ready`,
        summary: 'Requests to the model are served',
        params,
        response: responses({ 200: ModelReady }, 404, 503),
      },
      handler: async (request) => {
        const { name } = modelOf(request).metadata;
        await expectReady(app, sessions);
        return { name, ready: true };
      },
    });
    app.post(`${path}/infer`, {
      schema: {
        tags,
        operationId: `infer${suffix}`,
        summary: 'Call a model',
        description: `Bytes of tensors may follow the JSON part of the body, whose length is then in the header ${JSON_LENGTH_HEADER}; likewise in the answer, whose type is then ${BINARY_TYPE}.`,
        params,
        body: { ...InferenceRequest, examples: [exampleOf(layers[0])] },
        consumes: [JSON_TYPE, BINARY_TYPE],
        response: responses({ 200: answered }, 400, 404, 406, 409, 413, 415, 422, 503),
      },
      // The codec checks the body itself, which to Fastify is bytes.
      validatorCompiler: () => () => true,
      onRequest: [
        (request, _reply, next) => {
          modelOf(request);
          next();
        },
        expectAccepted([JSON_TYPE, BINARY_TYPE]),
      ],
      handler: async (request, reply) => {
        const { layer, direction } = modelOf(request);
        const body = bodyBytes(request);
        const call: LayerCall = { layer, direction };
        request.layerCall = call;
        const { pieces, account } = await answer({ ...call, ...formatOf(request), body, owner: request.key?.owner });
        if (account) call.account = account;
        giveBack(pool, request, reply, [body, ...pieces]);
        if (pieces.length === 1) return sendPieces(reply, JSON_TYPE, pieces);
        void reply.header(JSON_LENGTH_HEADER, pieces[0].byteLength);
        return sendPieces(reply, BINARY_TYPE, pieces);
      },
    });
  }
  done();
};

/** @throws {Refusal} invalid-inference-request where the length is none */
function formatOf({ headers }: FastifyRequest): Extract<Format, { protocol: unknown }> {
  const length = headers[JSON_LENGTH_HEADER];
  if (length === undefined) return { protocol: 'open-inference', jsonBytes: undefined };
  const jsonBytes = Number(length);
  if (typeof length === 'string' && /^\d+$/.test(length) && Number.isSafeInteger(jsonBytes))
    return { protocol: 'open-inference', jsonBytes };
  throw new Refusal(
    'invalid-inference-request',
    `Inference-Header-Content-Length is ${JSON.stringify(length)}; expected the bytes of the JSON part, an integer`,
  );
}
