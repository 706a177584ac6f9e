import type { FastifyInstance } from 'fastify';
import type { SessionStore } from '../sessions/store.js';
import { shuttingDown } from './stopping.js';

/**
 * @throws {ProblemError} 503 where the service is stopping
 * @throws {Refusal} session-store-unavailable
 */
export async function expectReady(app: FastifyInstance, sessions: SessionStore): Promise<void> {
  if (app.isStopping()) throw shuttingDown();
  await sessions.check();
}
