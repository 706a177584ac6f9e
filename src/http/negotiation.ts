/** Which media types go in and out. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Refusal } from '../refusal.js';
import { ProblemError } from './errors.js';
import { problem } from './problems.js';

export const JSON_TYPE = 'application/json';

/** onRequest hook: 406 unless the client takes JSON. */
export function expectJsonAccepted(request: FastifyRequest, _reply: FastifyReply, done: (error?: Error) => void): void {
  if (request.accepts().type([JSON_TYPE])) done();
  else {
    const accept = request.headers.accept ?? 'absent';
    done(new ProblemError(problem('not-acceptable', `Accept is ${accept}; expected ${JSON_TYPE} among it`)));
  }
}

/**
 * The body as its bytes. Fastify parses none where the request has no Content-Type and no body.
 * @throws {Refusal} invalid-json
 */
export function bodyBytes(request: FastifyRequest): Buffer {
  if (Buffer.isBuffer(request.body)) return request.body;
  throw new Refusal('invalid-json', 'the body is empty; expected a JSON object');
}
