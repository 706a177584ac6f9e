import type { FastifyPluginCallbackTypebox } from '@fastify/type-provider-typebox';
import { Type } from '@sinclair/typebox';
import type { SessionStore } from '../../sessions/store.js';
import { probeResponses, responses } from '../documentation.js';
import type { Metrics } from '../metrics.js';
import { shuttingDown } from '../stopping.js';

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
      if (app.isStopping()) throw shuttingDown();
      await sessions.check();
      return { status: 'ready' };
    },
  });
  app.get('/metrics', {
    schema: {
      tags,
      operationId: 'metrics',
      summary: 'Metrics in the text format of Prometheus',
      response: responses({ 200: { content: { 'text/plain': { schema: Type.String() } } } }),
    },
    handler: async (_request, reply) => reply.type(metrics.contentType).send(await metrics.text()),
  });
  done();
};
