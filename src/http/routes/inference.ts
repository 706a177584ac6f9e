/** The Open Inference Protocol: the layers for clients of KServe and Triton. */
import type { IncomingMessage } from 'node:http';
import type { FastifyPluginCallbackTypebox } from '@fastify/type-provider-typebox';
import { Type, type TSchema } from '@sinclair/typebox';
import type { FastifyRequest } from 'fastify';
import {
  IndexRequest,
  InferenceAnswer,
  InferenceError,
  InferenceRequest,
  ModelConfig,
  ModelList,
  ModelMetadata,
  ModelReady,
  ModelStatistics,
  RepositoryIndex,
  ServerLive,
  ServerMetadata,
  ServerReady,
} from '../../../schemas/inference.js';
import { inferenceTypes } from '../../codec/inference/request.js';
import { parseJson } from '../../codec/json/read.js';
import type { Format } from '../../calls/call.js';
import { compileValidation } from '../../validation/validate.js';
import type { Layer } from '../../layers/definition.js';
import type { Pool } from '../../platform/buffer-pool.js';
import { Refusal } from '../../refusal.js';
import type { SessionStore } from '../../sessions/store.js';
import { PROBLEM_JSON, ProblemError } from '../problems.js';
import type { Metrics } from '../metrics.js';
import { statisticsOf } from '../model-statistics.js';
import { exampleOf, modelsOf, type Model } from '../models.js';
import {
  BINARY_TYPE,
  bodyBytes,
  excludes,
  expectAccepted,
  JSON_LENGTH_HEADER,
  JSON_TYPE,
  unsupportedMediaType,
} from '../negotiation.js';
import { expectReady } from '../probes.js';
import * as schemas from '../response-schemas.js';
import { recycle, type Send } from '../send.js';
import { version } from '../version.js';

const EXTENSIONS = [
  'binary_tensor_data',
  'parameters',
  'sequence',
  'sequence(string_id)',
  'model_configuration',
  'statistics',
];

interface Get {
  readonly summary: string;
  readonly params?: TSchema;
  readonly answer: TSchema;
  /** Statuses of the possible problems; if 406 is one of them, the client must accept JSON. */
  readonly statuses?: readonly number[];
  readonly handler: (request: FastifyRequest) => unknown;
}

export const inferenceRoutes: FastifyPluginCallbackTypebox<{
  layers: readonly Layer[];
  send: Send;
  pool: Pool;
  sessions: SessionStore;
  metrics: Metrics;
}> = (app, { layers, send, pool, sessions, metrics }, done) => {
  const models = modelsOf(layers);
  const tags = ['inference'];

  /** @throws {ProblemError} 404 */
  function modelOf(request: FastifyRequest): Model {
    const { model: name, version: asked } = request.params as { model: string; version?: string };
    const model = models.get(name);
    if (!model)
      throw new ProblemError(
        'unknown-model',
        `there is no model ${JSON.stringify(name)}; expected one of ${[...models.keys()].join(', ')}`,
      );
    if (asked !== undefined && asked !== model.version)
      throw new ProblemError(
        'unknown-model',
        `${name} has no version ${JSON.stringify(asked)}; expected "${model.version}"`,
      );
    return model;
  }

  // KServe's and Triton's clients send no Content-Type without binary tensors; Triton's sends none with them either.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser([...inferenceTypes], read);
  app.addContentTypeParser('*', async (request: FastifyRequest, payload: IncomingMessage) => {
    if (request.headers['content-type'] === undefined) return read(request, payload);
    throw unsupportedMediaType(request);
  });
  function read(request: FastifyRequest, payload: IncomingMessage): Promise<Buffer> {
    return app.readBody(request, payload, formatOf(request));
  }

  const get = (path: string, id: string, { answer, statuses = [406], handler, ...schema }: Get): void => {
    app.get(path, {
      schema: { tags, operationId: `inference_${id}`, ...schema, response: responses({ 200: answer }, ...statuses) },
      ...(statuses.includes(406) ? { onRequest: expectJsonAccepted } : {}),
      handler,
    });
  };
  get('/v2', 'server', {
    summary: 'Open Inference Protocol: server metadata and extensions',
    answer: ServerMetadata,
    handler: () => ({ name: 'layerd', version, extensions: EXTENSIONS }),
  });
  app.get('/v2/health/live', {
    config: { probe: true },
    schema: {
      tags,
      security: [],
      operationId: 'inference_live',
      summary: 'Liveness: the process is running',
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
      summary: 'Readiness: requests are served',
      response: probeResponses({ 200: ServerReady }, 503),
    },
    handler: async () => {
      await expectReady(app, sessions);
      return { ready: true };
    },
  });
  get('/v2/models', 'models', {
    summary: 'List the models',
    answer: ModelList,
    handler: () => ({ models: [...models.keys()] }),
  });
  get('/v2/models/stats', 'statistics', {
    summary: 'Call statistics of all models',
    answer: ModelStatistics,
    statuses: [406, 503],
    handler: async () => statisticsOf([...models.values()], await metrics.snapshot()),
  });
  const validateIndex = compileValidation(IndexRequest);
  app.post('/v2/repository/index', {
    schema: {
      tags,
      operationId: 'inference_index',
      summary: 'List the models and their state',
      description: 'The body may be empty.',
      body: IndexRequest,
      response: responses({ 200: RepositoryIndex }, 400, 406, 413, 415),
    },
    // Fastify handles the body as bytes.
    validatorCompiler: () => () => true,
    onRequest: expectJsonAccepted,
    handler: async (request, reply) => {
      const body = request.body as Buffer | undefined;
      const isEmpty = body === undefined || body.byteLength === 0;
      const { ready } = validateIndex(isEmpty ? {} : parseJson(body));
      if (body) recycle(pool, request, reply, [body]);
      const reason = await expectReady(app, sessions).then(
        () => '',
        (error: unknown) => {
          if (error instanceof Refusal || error instanceof ProblemError) return error.message;
          throw error;
        },
      );
      if (ready === true && reason !== '') return [];
      const state = reason === '' ? 'READY' : 'UNAVAILABLE';
      return [...models.values()].map(({ name, version }) => ({ name, version, state, reason }));
    },
  });

  const answered = {
    description: 'The outputs of the model. Where binary outputs are requested, their bytes follow the JSON part.',
    content: {
      [JSON_TYPE]: { schema: InferenceAnswer },
      [BINARY_TYPE]: { schema: Type.String({ format: 'binary' }) },
    },
  };
  const name = { model: Type.String({ description: 'Name of the model.', examples: [[...models.keys()][0]] }) };
  const numbered = {
    ...name,
    version: Type.String({ description: 'Version of the model; there is only one.', examples: ['1'] }),
  };
  for (const [path, params, suffix] of [
    ['/v2/models/:model', Type.Object(name), ''],
    ['/v2/models/:model/versions/:version', Type.Object(numbered), '_version'],
  ] as const) {
    get(path, `model${suffix}`, {
      summary: 'Metadata of a model, {layer}_forward or {layer}_backward',
      params,
      answer: ModelMetadata,
      statuses: [404, 406],
      handler: (request) => modelOf(request).metadata,
    });
    get(`${path}/config`, `model${suffix}_config`, {
      summary: "Configuration of a model, in Triton's format",
      params,
      answer: ModelConfig,
      statuses: [404, 406],
      handler: (request) => modelOf(request).config,
    });
    get(`${path}/stats`, `model${suffix}_statistics`, {
      summary: 'Call statistics of a model',
      params,
      answer: ModelStatistics,
      statuses: [404, 406, 503],
      handler: async (request) => statisticsOf([modelOf(request)], await metrics.snapshot()),
    });
    get(`${path}/ready`, `model${suffix}_ready`, {
      summary: 'Readiness of a model',
      params,
      answer: ModelReady,
      statuses: [404, 503],
      handler: async (request) => {
        const { name } = modelOf(request);
        await expectReady(app, sessions);
        return { name, ready: true };
      },
    });
    app.post(`${path}/infer`, {
      schema: {
        tags,
        operationId: `infer${suffix}`,
        summary: 'Call a model',
        description: `Binary tensor data may follow the JSON part of the body, whose length is then in the header ${JSON_LENGTH_HEADER}. The same holds for the response, whose media type is then ${BINARY_TYPE}.`,
        params,
        body: { ...InferenceRequest, examples: [exampleOf(layers[0])] },
        consumes: [...inferenceTypes],
        response: responses({ 200: answered }, 400, 404, 406, 409, 413, 415, 422, 503),
      },
      // The codec validates the body, which Fastify handles as bytes.
      validatorCompiler: () => () => true,
      onRequest: [
        (request, _reply, next) => {
          modelOf(request);
          next();
        },
        expectAccepted(inferenceTypes, [PROBLEM_JSON]),
      ],
      handler: (request, reply) => {
        const { layer, direction } = modelOf(request);
        return send(request, reply, { layer, direction, ...formatOf(request), body: bodyBytes(request) });
      },
    });
  }
  done();
};

/** A client that accepts only problem details receives errors in that type, and successful responses as JSON. */
const expectJsonAccepted = expectAccepted([JSON_TYPE], [PROBLEM_JSON]);

/** The responses of any route, with the protocol's own error before the problem details. */
function responses(...of: Parameters<typeof schemas.responses>): Record<number, object> {
  return withErrors(schemas.responses(...of));
}

function probeResponses(...of: Parameters<typeof schemas.probeResponses>): Record<number, object> {
  return withErrors(schemas.probeResponses(...of));
}

function withErrors(answers: Record<number, object>): Record<number, object> {
  return Object.fromEntries(
    Object.entries(answers).map(([status, answer]: [string, { content?: object }]) => [
      status,
      Number(status) < 400
        ? answer
        : { ...answer, content: { [JSON_TYPE]: { schema: InferenceError }, ...answer.content } },
    ]),
  );
}

/** @throws {Refusal} invalid-inference-request if the header is not a length */
function formatOf({ headers }: FastifyRequest): Extract<Format, { protocol: unknown }> {
  const length = headers[JSON_LENGTH_HEADER];
  const excluded = inferenceTypes.filter((type) => excludes(headers.accept ?? '', type));
  if (length === undefined) return { protocol: 'open-inference', jsonBytes: undefined, excluded };
  const jsonBytes = Number(length);
  if (typeof length === 'string' && /^\d+$/.test(length) && Number.isSafeInteger(jsonBytes))
    return { protocol: 'open-inference', jsonBytes, excluded };
  throw new Refusal(
    'invalid-inference-request',
    `Inference-Header-Content-Length is ${JSON.stringify(length)}; expected the length of the JSON part in bytes, an integer`,
  );
}
