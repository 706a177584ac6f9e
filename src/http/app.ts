/** The whole service but for its port: built here, listened on in `server.ts`. */
import { randomUUID } from 'node:crypto';
import { maxHeaderSize, type IncomingMessage } from 'node:http';
import accepts from '@fastify/accepts';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type { TObject } from '@sinclair/typebox';
import fastify, {
  LogController,
  type FastifyBaseLogger,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
} from 'fastify';
import { mediaTypes } from '../codec/codecs.js';
import { drawInteger } from '../compute/draw.js';
import { compileValidation } from '../compute/validate.js';
import type { Config } from '../config.js';
import { layers } from '../layers/registry.js';
import { Pool } from '../memory/pool.js';
import { MemoryStore } from '../sessions/memory.js';
import type { SessionStore } from '../sessions/store.js';
import { executing, INLINE_BYTES } from '../workers/executor.js';
import { kernels } from '../workers/kernels.js';
import { readBody } from './body.js';
import { document } from './documentation.js';
import { handleClientError, handleErrors, sendProblem } from './errors.js';
import { refuseOtherMethods } from './methods.js';
import { measure } from './metrics.js';
import { problem } from './problems.js';
import { catalogueRoutes } from './routes/catalogue.js';
import { layerRoutes } from './routes/layers.js';
import { operationRoutes } from './routes/operations.js';
import { page } from './routes/page.js';
import { sessionRoutes } from './routes/sessions.js';
import { stopGracefully } from './stopping.js';

export interface AppOptions {
  readonly config: Config;
  readonly logger?: FastifyBaseLogger;
  /** Milliseconds since 1970; for tests of expiry. */
  readonly clock?: () => number;
  /** Makes the sessions of this process known to others, and theirs to it. */
  readonly share?: (local: SessionStore) => SessionStore;
}

/** A request id of the client's is taken over where it cannot confuse a log. */
const REQUEST_ID = /^[\w.-]{1,128}$/;

export async function buildApp({ config, logger, clock, share }: AppOptions): Promise<FastifyInstance> {
  const app = fastify({
    ...(logger ? { loggerInstance: logger } : {}),
    bodyLimit: config.BODY_LIMIT_BYTES,
    // One line a request, written below: Fastify's own would have the path, which may hold a session's token.
    logController: new LogController({ disableRequestLogging: true }),
    genReqId: ({ headers }) => {
      const id = headers['x-request-id'];
      return typeof id === 'string' && REQUEST_ID.test(id) ? id : randomUUID();
    },
    forceCloseConnections: 'idle',
    // Answered below, as problem details.
    return503OnClosing: false,
    clientErrorHandler: handleClientError,
    // A token's length is its schema's affair; the default, 100, would be a second opinion.
    routerOptions: { maxParamLength: maxHeaderSize },
    // Node's own default, which Fastify turns off: a body that never ends must not hold its connection for ever.
    requestTimeout: 300_000,
    frameworkErrors: (_error, request, reply) => {
      const answer = problem('malformed-request', `${request.url} is not a well-formed URL path`);
      request.problemType = answer.type;
      // No hook sees these requests.
      identify(request, reply);
      void sendProblem(reply, answer);
    },
  }).withTypeProvider<TypeBoxTypeProvider>();

  app.setValidatorCompiler<TObject>(({ schema }) => {
    const check = compileValidation(schema);
    return (value) => {
      try {
        return { value: check(value) };
      } catch (error) {
        return { error: error as Error };
      }
    };
  });
  // Answers are made from the definitions that their schemas are made from, and fast-json-stringify would drop or
  // round what it does not know.
  app.setSerializerCompiler(() => JSON.stringify);
  const pool = new Pool();
  app.removeAllContentTypeParsers();
  for (const type of mediaTypes)
    app.addContentTypeParser(type, (_request: FastifyRequest, payload: IncomingMessage) =>
      readBody(payload, { limitBytes: config.BODY_LIMIT_BYTES, sharedOverBytes: INLINE_BYTES[type], pool }),
    );

  const held = new MemoryStore({
    ttlMs: config.SESSION_TTL_SECONDS * 1000,
    budgetBytes: config.SESSION_BUDGET_BYTES,
    ...(clock ? { clock } : {}),
  });
  const sessions = share ? share(held) : held;
  app.addHook('onClose', () => sessions.close());

  app.addHook('onRequest', (request, reply, done) => {
    identify(request, reply);
    done();
  });
  stopGracefully(app);
  refuseOtherMethods(app);
  handleErrors(
    app,
    config.BODY_LIMIT_BYTES,
    layers.map(({ name }) => name),
  );
  await app.register(accepts);
  await document(app, layers);

  const environment = {
    kernels,
    limits: { operations: config.WORK_LIMIT_OPERATIONS, resultBytes: config.WORK_LIMIT_RESULT_BYTES },
    sessions,
    draw: drawInteger,
  };
  const executor = executing(layers, environment, config.WORKERS);
  app.addHook('onClose', () => executor.close());
  const metrics = measure(app, sessions, executor.usage);
  layerRoutes(app, layers, executor.answer, pool);
  await app.register(catalogueRoutes, {
    layers,
    limits: {
      body_bytes: config.BODY_LIMIT_BYTES,
      operations: config.WORK_LIMIT_OPERATIONS,
      result_bytes: config.WORK_LIMIT_RESULT_BYTES,
      session_ttl_seconds: config.SESSION_TTL_SECONDS,
      session_budget_bytes: config.SESSION_BUDGET_BYTES,
    },
  });
  await app.register(sessionRoutes, { sessions });
  await app.register(operationRoutes, { metrics });
  await page(app);
  return app;
}

/** Gives the answer its request's id, and the log its line: at the end, or when the client hangs up before it. */
function identify(request: FastifyRequest, reply: FastifyReply): void {
  void reply.header('x-request-id', request.id);
  let answered = false;
  // An answer finishes on a connection that is gone, too.
  reply.raw.once('finish', () => {
    answered = !request.raw.socket.destroyed;
  });
  reply.raw.once('close', () => {
    request.log.info(
      {
        method: request.method,
        // The template of the route, never the path: a path may hold a session's token.
        route: request.routeOptions.url,
        ...(answered ? { status: reply.statusCode } : { aborted: true }),
        durationMs: Math.round(reply.elapsedTime * 1000) / 1000,
        ...(request.problemType === undefined ? {} : { problem: request.problemType }),
      },
      'request',
    );
  });
}
