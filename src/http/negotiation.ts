/** Which media types go in and out. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Refusal } from '../refusal.js';
import { ProblemError } from './errors.js';
import { problem } from './problems.js';

export const JSON_TYPE = 'application/json';

/** The type of the answers, and the same with the charset that JSON always has, which some clients ask for. */
const ANSWERS = [JSON_TYPE, `${JSON_TYPE}; charset=utf-8`];

/** onRequest hook: 406 unless the client takes JSON. */
export function expectJsonAccepted(request: FastifyRequest, _reply: FastifyReply, done: (error?: Error) => void): void {
  if (request.accepts().type(ANSWERS)) done();
  else {
    const accept = request.headers.accept ?? 'absent';
    done(new ProblemError(problem('not-acceptable', `Accept is ${accept}; expected ${JSON_TYPE} among it`)));
  }
}

/**
 * The body as its bytes. Fastify parses none where the request has no Content-Type and no body.
 * @throws {Refusal} invalid-json
 * @throws {ProblemError} 415 for a body that is compressed
 */
export function bodyBytes(request: FastifyRequest): Buffer {
  const encoding = request.headers['content-encoding'] ?? 'identity';
  if (encoding !== 'identity')
    throw new ProblemError(
      problem('unsupported-media-type', `the body's Content-Encoding is ${encoding}; expected none`),
    );
  if (Buffer.isBuffer(request.body)) return request.body;
  throw new Refusal('invalid-json', 'the body is empty; expected a JSON object');
}
