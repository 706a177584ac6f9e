/** Builds the whole service; `server.ts` makes it listen. */
import { randomUUID } from 'node:crypto';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import fastify, { LogController, type FastifyBaseLogger, type FastifyInstance } from 'fastify';
import { allChecks } from '../check/registry.js';
import { drawInteger } from '../calls/draw.js';
import { listed, type Config, type TracingConfig } from '../config.js';
import { layers } from '../layers/registry.js';
import { Pool } from '../platform/buffer-pool.js';
import { openStore } from '../sessions/open.js';
import { SequencedSessions } from '../sessions/sequences.js';
import type { SessionStore } from '../sessions/store.js';
import { createDispatch } from '../runtime/dispatch.js';
import { kernels } from '../runtime/kernels.js';
import { checkExamples } from './check-examples.js';
import { limitsInForce } from './limits.js';
import { createMetrics, type Gather, type Metrics } from './metrics.js';
import authentication from './plugins/authentication.js';
import bodyParser from './plugins/body-parser.js';
import constantResponses from './plugins/constant-responses.js';
import cors from './plugins/cors.js';
import errorHandler, { handleClientError } from './plugins/error-handler.js';
import expectContinue from './plugins/expect-continue.js';
import gracefulShutdown from './plugins/graceful-shutdown.js';
import hostHeader from './plugins/host-header.js';
import methodNotAllowed from './plugins/method-not-allowed.js';
import notFound from './plugins/not-found.js';
import openapi from './plugins/openapi.js';
import overloadProtection from './plugins/overload-protection.js';
import rateLimit from './plugins/rate-limit.js';
import requestLog, { logRequest } from './plugins/request-log.js';
import timeouts, { serverLimits } from './plugins/timeouts.js';
import { sendProblem } from './problem-response.js';
import { problem } from './problems.js';
import { catalogueRoutes } from './routes/catalogue.js';
import { checkRoutes } from './routes/checks.js';
import { inferenceRoutes } from './routes/inference.js';
import { layerRoutes } from './routes/layers.js';
import { monitoringRoutes } from './routes/monitoring.js';
import { pageRoutes } from './routes/page.js';
import { sessionRoutes } from './routes/sessions.js';
import { compilersFactory } from './schema-compilers.js';
import { createSend } from './send.js';

export interface AppOptions {
  readonly config: Config;
  readonly logger?: FastifyBaseLogger;
  /** Returns milliseconds since 1970; for tests of expiry. */
  readonly clock?: () => number;
  /** Gives this process access to the sessions of the others, and the others access to its sessions. */
  readonly share?: (local: SessionStore) => SessionStore;
  /** Collects the metrics of all processes, and makes those of this one available to the others. */
  readonly gather?: Gather;
  /** How traces are exported; undefined if tracing is off. */
  readonly tracing?: TracingConfig | undefined;
}

export async function buildApp({
  config,
  logger,
  clock,
  share,
  gather,
  tracing,
}: AppOptions): Promise<FastifyInstance> {
  const layerNames = layers.map(({ name }) => name);
  const metrics = createMetrics(layerNames, gather);
  const pool = new Pool();
  const app = createServer(config, metrics, logger);

  const held = await openStore(config.SESSION_STORE, {
    ttlMs: config.SESSION_TTL_SECONDS * 1000,
    budgetBytes: config.SESSION_BUDGET_BYTES,
    log: app.log,
    clock,
  });
  const sessions = share ? share(held) : held;
  app.addHook('onClose', () => sessions.close());
  const environment = {
    kernels,
    limits: {
      operations: config.WORK_LIMIT_OPERATIONS,
      resultBytes: config.WORK_LIMIT_RESULT_BYTES,
      nesting: config.NESTING_LIMIT,
    },
    sessions: metrics.countingSessions(new SequencedSessions(sessions)),
    draw: drawInteger,
  };

  // Hooks run in this order; each plugin that depends on another declares it.
  await app.register(errorHandler);
  await app.register(requestLog, { metrics });
  await app.register(expectContinue);
  await app.register(hostHeader);
  if (tracing) await app.register(import('./plugins/tracing.js'), tracing);
  await app.register(timeouts, config);
  await app.register(gracefulShutdown);
  await app.register(cors, { origins: listed(config.CORS_ORIGINS) });
  await app.register(overloadProtection, config);
  await app.register(authentication, { file: config.API_KEYS_FILE });
  await app.register(rateLimit, config);
  await app.register(methodNotAllowed);
  await app.register(notFound, { layerNames });
  await app.register(constantResponses);
  await app.register(bodyParser, { limitBytes: config.BODY_LIMIT_BYTES, pool });
  await app.register(openapi, {
    layers,
    requiresKey: config.API_KEYS_FILE !== '',
    examples: () => checkExamples(layers, { ...environment, tokens: environment.sessions.tokens }),
  });

  const dispatch = createDispatch(layers, environment, config.WORKERS, (error) => {
    app.log.error(error, 'a worker thread died without a call; it is replaced');
  });
  app.addHook('onClose', () => dispatch.close());
  metrics.watchSessions(sessions, config.SESSION_BUDGET_BYTES);
  metrics.watchWorkers(dispatch.usage);
  const send = createSend(dispatch.answer, pool);

  await app.register(layerRoutes, { layers, send });
  await app.register(checkRoutes, { allChecks, send });
  await app.register(inferenceRoutes, { layers, send, pool, sessions, metrics });
  await app.register(catalogueRoutes, { layers, limits: limitsInForce(config) });
  await app.register(sessionRoutes, { sessions });
  await app.register(monitoringRoutes, { metrics, sessions });
  await app.register(pageRoutes, { layers });
  return app;
}

/** A client's request id is used only if it cannot garble a log. */
const REQUEST_ID = /^[\w.-]{1,128}$/;

function createServer(config: Config, metrics: Metrics, logger: FastifyBaseLogger | undefined) {
  return fastify({
    ...(logger ? { loggerInstance: logger } : {}),
    // Logged in `request-log.ts`: Fastify's own lines contain the path, which may contain a session token.
    logController: new LogController({ disableRequestLogging: true }),
    genReqId: ({ headers }) => {
      const id = headers['x-request-id'];
      return typeof id === 'string' && REQUEST_ID.test(id) ? id : randomUUID();
    },
    forceCloseConnections: 'idle',
    // Refused in `graceful-shutdown.ts`, as problem details.
    return503OnClosing: false,
    clientErrorHandler: (error, socket) => {
      handleClientError(config.HEADER_LIMIT_BYTES, error, socket);
    },
    // The schema limits the length of a token. The router's default limit, 100, is lower.
    routerOptions: { maxParamLength: config.HEADER_LIMIT_BYTES },
    trustProxy: config.TRUST_PROXY === '' ? false : [...listed(config.TRUST_PROXY)],
    ...serverLimits(config),
    schemaController: { compilersFactory },
    frameworkErrors: (_error, request, reply) => {
      const answer = problem('malformed-request', `${request.url} is not a well-formed URL path`);
      request.problemType = answer.type;
      // No hook sees these requests.
      logRequest(request, reply, metrics);
      void sendProblem(reply, answer);
    },
  }).withTypeProvider<TypeBoxTypeProvider>();
}
