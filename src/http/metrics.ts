/** Prometheus metrics: those of the process, of HTTP, of the session store and of the worker threads. */
import type { FastifyInstance } from 'fastify';
import { collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { SessionStore } from '../sessions/store.js';
import type { Usage } from '../workers/executor.js';

export interface Metrics {
  readonly contentType: string;
  text(): Promise<string>;
}

/** HTTP metrics bear the names of OpenTelemetry's semantic conventions; its advised buckets, in seconds. */
const BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10];

export function measure(app: FastifyInstance, sessions: SessionStore, workers: () => Usage): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const duration = new Histogram({
    name: 'http_server_request_duration_seconds',
    help: 'Time from the request to the end of its answer.',
    labelNames: ['http_request_method', 'http_route', 'http_response_status_code'],
    buckets: BUCKETS,
    registers: [registry],
  });
  // The template of the route, never the path: a path may hold a session's token.
  app.addHook('onResponse', (request, reply, done) => {
    const { method, url = 'unknown' } = { method: request.method, url: request.routeOptions.url };
    duration.labels(method, url, String(reply.statusCode)).observe(reply.elapsedTime / 1000);
    done();
  });
  const gauge = (name: string, help: string, value: () => number | Promise<number | undefined>) =>
    new Gauge({
      name,
      help,
      registers: [registry],
      async collect() {
        const measured = await value();
        // No sample, where there is nothing that this process could tell.
        if (measured === undefined) this.remove();
        else this.set(measured);
      },
    });
  gauge('layerd_sessions', 'Sessions held.', async () => (await sessions.usage())?.sessions);
  gauge('layerd_sessions_bytes', 'Memory of the sessions held, in bytes.', async () => (await sessions.usage())?.bytes);
  gauge('layerd_worker_calls_queued', 'Calls that wait for a worker thread.', () => workers().queued);
  gauge('layerd_worker_threads_busy', 'Worker threads that run a call.', () => workers().busy);
  return { contentType: registry.contentType, text: () => registry.metrics() };
}
