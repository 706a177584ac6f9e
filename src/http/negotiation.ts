/** Which media types go in and out. */
import { Socket } from 'node:net';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { codecs, mediaTypes, type MediaType } from '../codec/codecs.js';
import type { Pool } from '../memory/pool.js';
import { Refusal } from '../refusal.js';
import { ProblemError } from './errors.js';
import { problem } from './problems.js';

export const JSON_TYPE = 'application/json';

/** As clients may ask for a type: some name the charset that JSON always has. */
const asAsked = (type: string): string[] => (type === JSON_TYPE ? [type, `${type}; charset=utf-8`] : [type]);

export type Hook = (request: FastifyRequest, reply: FastifyReply, done: (error?: Error) => void) => void;

/** onRequest hook: 406 unless the client takes one of the types. */
export function expectAccepted(types: readonly string[]): Hook {
  const answers = types.flatMap(asAsked);
  return (request, _reply, done) => {
    if (request.accepts().type(answers)) done();
    else {
      const accept = request.headers.accept ?? 'absent';
      const detail = `Accept is ${accept}; expected ${types.join(' or ')} among it`;
      done(new ProblemError(problem('not-acceptable', detail)));
    }
  };
}

export const expectJsonAccepted = expectAccepted([JSON_TYPE]);

/** Of the formats that carry tensors. */
export const expectTensorsAccepted = expectAccepted(mediaTypes);

/** Of the body; Fastify has refused all others by now. */
export function contentTypeOf({ headers }: FastifyRequest): MediaType {
  const [essence] = (headers['content-type'] ?? JSON_TYPE).split(';', 1);
  const type = essence.trim().toLowerCase();
  return type in codecs ? (type as MediaType) : JSON_TYPE;
}

/** What the answer is written in: what Accept likes best, and the request's own type where it likes both alike. */
export function acceptedType(request: FastifyRequest, own: MediaType): MediaType {
  const answers = [own, ...mediaTypes.filter((type) => type !== own)].flatMap(asAsked);
  const best = request.accepts().type(answers);
  return mediaTypes.find((type) => best !== false && asAsked(type).includes(best as string)) ?? own;
}

/**
 * Gives back the memory of a request's body and of its answer's pieces. Until it is closed the answer is still being
 * sent, from where it lies; sessions keep nothing there.
 */
export function giveBack(
  pool: Pool,
  request: FastifyRequest,
  reply: FastifyReply,
  [body, ...pieces]: readonly [Buffer, ...Uint8Array[]],
): void {
  // What a test injects is the test's.
  if (!(request.socket instanceof Socket)) return;
  reply.raw.once('close', () => {
    const buffers = pieces.map(({ buffer }) => buffer).filter((buffer) => buffer instanceof ArrayBuffer);
    for (const buffer of new Set([body.buffer, ...buffers])) pool.give(buffer);
  });
}

/** The pieces as one body: written together, and none of them copied. */
export function sendPieces(reply: FastifyReply, type: string, pieces: readonly Uint8Array[]): FastifyReply {
  const length = pieces.reduce((sum, { byteLength }) => sum + byteLength, 0);
  void reply.header('content-type', type).header('content-length', length);
  if (pieces.length === 1) return reply.send(asBuffer(pieces[0]));
  void reply.hijack();
  const { raw } = reply;
  for (const [name, value] of Object.entries(reply.getHeaders())) if (value !== undefined) raw.setHeader(name, value);
  raw.statusCode = reply.statusCode;
  raw.cork();
  for (const piece of pieces) raw.write(asBuffer(piece));
  raw.end();
  raw.uncork();
  return reply;
}

function asBuffer({ buffer, byteOffset, byteLength }: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength);
}

/**
 * The body as its bytes. Fastify parses none where the request has no Content-Type and no body.
 * @throws {Refusal} invalid-json
 */
export function bodyBytes(request: FastifyRequest): Buffer {
  if (Buffer.isBuffer(request.body)) return request.body;
  throw new Refusal('invalid-json', 'the body is empty; expected a JSON object');
}
