import type { FastifyPluginCallbackTypebox } from '@fastify/type-provider-typebox';
import { Type } from '@sinclair/typebox';
import type { SessionStore } from '../../sessions/store.js';
import type { Metrics } from '../metrics.js';
import { expectReady } from '../probes.js';
import { probeResponses, responses } from '../response-schemas.js';

const Probe = Type.Object({ status: Type.String() });

/** Probes and metrics, for operators. */
export const monitoringRoutes: FastifyPluginCallbackTypebox<{ metrics: Metrics; sessions: SessionStore }> = (
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
      summary: 'Liveness: the process is running',
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
      summary: 'Readiness: requests are served',
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
      summary: 'Metrics of all processes in the Prometheus text format',
      response: responses({ 200: { content: { 'text/plain': { schema: Type.String() } } } }, 503),
    },
    handler: async (_request, reply) => reply.type(metrics.contentType).send(await metrics.text()),
  });
  done();
};
