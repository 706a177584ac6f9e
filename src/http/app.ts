/** The whole service but for its port: built here, listened on in `server.ts`. */
import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
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
import { allChecks } from '../check/registry.js';
import { mediaTypes } from '../codec/codecs.js';
import { answering } from '../compute/call.js';
import { drawInteger } from '../compute/draw.js';
import { compileValidation } from '../compute/validate.js';
import { listed, type Config, type TracingConfig } from '../config.js';
import { layers } from '../layers/registry.js';
import { Pool } from '../memory/pool.js';
import { openStore } from '../sessions/open.js';
import type { SessionStore } from '../sessions/store.js';
import { executing, inlineBytes } from '../workers/executor.js';
import { kernels } from '../workers/kernels.js';
import { readBody } from './body.js';
import { allowOrigins } from './browsers.js';
import { document } from './documentation.js';
import { handleClientError, handleErrors, sendProblem } from './errors.js';
import { wantKeys } from './keys.js';
import { limitsInForce } from './limits.js';
import { boundLoad } from './load.js';
import { refuseOtherMethods } from './methods.js';
import { metricsOf, type Gather } from './metrics.js';
import { observe } from './observation.js';
import { problem } from './problems.js';
import { limitRate } from './rate.js';
import { catalogueRoutes } from './routes/catalogue.js';
import { checkRoutes } from './routes/checks.js';
import { inferenceRoutes } from './routes/inference.js';
import { layerRoutes } from './routes/layers.js';
import { operationRoutes } from './routes/operations.js';
import { page } from './routes/page.js';
import { posting, sending } from './routes/posting.js';
import { sessionRoutes } from './routes/sessions.js';
import { stopGracefully } from './stopping.js';
import { endStalledAnswers, serverLimits } from './timeouts.js';

export interface AppOptions {
  readonly config: Config;
  readonly logger?: FastifyBaseLogger;
  /** Milliseconds since 1970; for tests of expiry. */
  readonly clock?: () => number;
  /** Makes the sessions of this process known to others, and theirs to it. */
  readonly share?: (local: SessionStore) => SessionStore;
  /** Asks the other processes for their metrics, and tells them those of this one. */
  readonly gather?: Gather;
  /** Where traces go, if there are to be any. */
  readonly tracing?: TracingConfig | undefined;
}

/** A request id of the client's is taken over where it cannot confuse a log. */
const REQUEST_ID = /^[\w.-]{1,128}$/;

export async function buildApp({
  config,
  logger,
  clock,
  share,
  gather,
  tracing,
}: AppOptions): Promise<FastifyInstance> {
  const metrics = metricsOf(
    layers.map(({ name }) => name),
    gather,
  );
  /** Gives the answer its request's id, and the request its line in the log and its part in the metrics. */
  const identify = (request: FastifyRequest, reply: FastifyReply): void => {
    void reply.header('x-request-id', request.id);
    observe(request, reply, metrics);
  };
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
    clientErrorHandler: (error, socket) => {
      handleClientError(config.HEADER_LIMIT_BYTES, error, socket);
    },
    // A token's length is its schema's affair; the default, 100, would be a second opinion.
    routerOptions: { maxParamLength: config.HEADER_LIMIT_BYTES },
    trustProxy: config.TRUST_PROXY === '' ? false : [...listed(config.TRUST_PROXY)],
    ...serverLimits(config),
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
    app.addContentTypeParser(type, (request: FastifyRequest, payload: IncomingMessage) =>
      readBody(payload, {
        limitBytes: config.BODY_LIMIT_BYTES,
        sharedOverBytes: inlineBytes({ contentType: type, accept: type }),
        pool,
        room: (bytes) => request.roomFor(bytes),
      }),
    );

  const held = await openStore(config.SESSION_STORE, {
    ttlMs: config.SESSION_TTL_SECONDS * 1000,
    budgetBytes: config.SESSION_BUDGET_BYTES,
    log: app.log,
    clock,
  });
  const sessions = share ? share(held) : held;
  app.addHook('onClose', () => sessions.close());

  app.addHook('onRequest', (request, reply, done) => {
    identify(request, reply);
    done();
  });
  if (tracing) await (await import('./traces.js')).trace(app, tracing, app.log);
  endStalledAnswers(app, config);
  stopGracefully(app);
  if (config.CORS_ORIGINS !== '') await allowOrigins(app, listed(config.CORS_ORIGINS));
  await boundLoad(app, config);
  if (config.API_KEYS_FILE !== '') wantKeys(app, config.API_KEYS_FILE);
  if (config.RATE_LIMIT_PER_MINUTE > 0) await limitRate(app, config);
  refuseOtherMethods(app);
  handleErrors(
    app,
    config.BODY_LIMIT_BYTES,
    layers.map(({ name }) => name),
  );
  await app.register(accepts);
  await document(app, layers, config.API_KEYS_FILE !== '');

  const environment = {
    kernels,
    limits: {
      operations: config.WORK_LIMIT_OPERATIONS,
      resultBytes: config.WORK_LIMIT_RESULT_BYTES,
      nesting: config.NESTING_LIMIT,
    },
    sessions: metrics.countingSessions(sessions),
    draw: drawInteger,
  };
  const executor = executing(layers, environment, config.WORKERS);
  app.addHook('onClose', () => executor.close());
  metrics.watchSessions(sessions, config.SESSION_BUDGET_BYTES);
  metrics.watchWorkers(executor.usage);
  const send = sending(executor.answer, pool);
  const post = posting(app, send);
  layerRoutes(post, layers);
  // The document's examples are right whatever is served here.
  const unlimited = { operations: Infinity, resultBytes: Infinity };
  const answer = answering(layers, { ...environment, limits: unlimited, inlineOperations: Infinity });
  await checkRoutes(app, post, send, answer, allChecks);
  await app.register(inferenceRoutes, {
    layers,
    answer: executor.answer,
    bodyLimitBytes: config.BODY_LIMIT_BYTES,
    pool,
    sessions,
  });
  await app.register(catalogueRoutes, {
    layers,
    limits: limitsInForce(config),
  });
  await app.register(sessionRoutes, { sessions });
  await app.register(operationRoutes, { metrics, sessions });
  await page(app, layers);
  return app;
}
