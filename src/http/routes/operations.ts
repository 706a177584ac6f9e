import type { FastifyPluginCallbackTypebox } from '@fastify/type-provider-typebox';
import { Type } from '@sinclair/typebox';
import type { SessionStore } from '../../sessions/store.js';
import { probeResponses, responses } from '../documentation.js';
import { ProblemError } from '../errors.js';
import type { Metrics } from '../metrics.js';
import { problem } from '../problems.js';
import { expectReady } from '../readiness.js';

/** Processes that are only busy have caught up by then. */
const RETRY_SECONDS = 1;

const Probe = Type.Object({ status: Type.String() });

/** Probes and metrics, for whoever runs the service. */
export const operationRoutes: FastifyPluginCallbackTypebox<{ metrics: Metrics; sessions: SessionStore }> = (
  app,
  { metrics, sessions },
  done,
) => {
  const tags = ['operation'];
  app.get('/health/live', {
    config: { probe: true },
    schema: {
      tags,
      operationId: 'live',
      summary: 'The process runs',
      security: [],
      response: probeResponses({ 200: Probe }),
    },
    handler: () => ({ status: 'live' }),
  });
  app.get('/health/ready', {
    config: { probe: true },
    schema: {
      tags,
      operationId: 'ready',
      summary: 'Requests are served',
      security: [],
      response: probeResponses({ 200: Probe }, 503),
    },
    handler: async () => {
      await expectReady(app, sessions);
      return { status: 'ready' };
    },
  });
  app.get('/metrics', {
    schema: {
      tags,
      operationId: 'metrics',
      summary: 'Metrics of all processes in the text format of Prometheus',
      response: responses({ 200: { content: { 'text/plain': { schema: Type.String() } } } }, 503),
    },
    handler: async (_request, reply) => {
      const text = await metrics.text();
      if (text !== undefined) return reply.type(metrics.contentType).send(text);
      void reply.header('retry-after', RETRY_SECONDS);
      throw new ProblemError(
        problem('metrics-unavailable', 'the other processes did not tell theirs in time; expected an answer from all'),
      );
    },
  });
  done();
};
