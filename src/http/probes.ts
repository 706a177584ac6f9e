/** Routes that are always served, because load balancers and schedulers rely on them. */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { SessionStore } from '../sessions/store.js';
import { ProblemError } from './problems.js';

export function isProbe({ routeOptions }: FastifyRequest): boolean {
  return routeOptions.config.probe === true;
}

/**
 * @throws {ProblemError} 503 if the service is stopping
 * @throws {Refusal} session-store-unavailable
 */
export async function expectReady(app: FastifyInstance, sessions: SessionStore): Promise<void> {
  if (app.isStopping()) throw shuttingDown();
  await sessions.check();
}

/** By then, the load balancer has noticed, or the next process has started. */
const RETRY_SECONDS = 1;

export function shuttingDown(): ProblemError {
  const detail = 'this replica is shutting down; send the request to another replica';
  return new ProblemError('shutting-down', detail, { 'retry-after': RETRY_SECONDS });
}

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Exempt from keys and from all load limits. */
    probe?: boolean;
  }
}
