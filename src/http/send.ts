/** The one place where calls are made and their results are sent. */
import { Socket } from 'node:net';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Answer, AnswerCall, Call } from '../calls/call.js';
import type { Pool } from '../platform/buffer-pool.js';
import { BINARY_TYPE, JSON_LENGTH_HEADER, JSON_TYPE } from './negotiation.js';
import { observeCall } from './plugins/request-log.js';
import { ProblemError } from './problems.js';

/** Computes a call, and sends its result in the format that the call names. */
export type Send = (request: FastifyRequest, reply: FastifyReply, call: Call) => Promise<FastifyReply>;

export function createSend(answer: AnswerCall, pool: Pool): Send {
  return async (request, reply, call) => {
    const release = request.hold();
    let pieces: Answer['pieces'] = [];
    try {
      ({ pieces } = await observeCall(request, call, () =>
        answer({ ...call, owner: request.key?.owner }, () => disconnected(reply)),
      ));
    } finally {
      release();
      recycle(pool, request, reply, [call.body, ...pieces]);
    }
    if (reply.raw.closed) return reply.hijack();
    if ('accept' in call) return sendPieces(reply, call.accept, pieces);
    if (pieces.length === 1) return sendPieces(reply, JSON_TYPE, pieces);
    void reply.header(JSON_LENGTH_HEADER, pieces[0].byteLength);
    return sendPieces(reply, BINARY_TYPE, pieces);
  };
}

/** Aborted when the client disconnects before its response is complete. */
function disconnected({ raw }: FastifyReply): AbortSignal {
  const gone = new AbortController();
  const abort = () => {
    if (raw.writableFinished) return;
    gone.abort(new ProblemError('malformed-request', 'the connection was closed before the response was complete'));
  };
  if (raw.closed) abort();
  else raw.once('close', abort);
  return gone.signal;
}

/**
 * Returns the memory of a request's body and of its response to the pool once the response is closed: until then, the
 * response is sent from it without copying. Sessions keep nothing in it.
 */
export function recycle(
  pool: Pool,
  request: FastifyRequest,
  reply: FastifyReply,
  [body, ...pieces]: readonly [Buffer, ...Uint8Array[]],
): void {
  // The body of an injected request belongs to its test.
  if (!(request.socket instanceof Socket)) return;
  const give = () => {
    const buffers = pieces.map(({ buffer }) => buffer).filter((buffer) => buffer instanceof ArrayBuffer);
    for (const buffer of new Set([body.buffer, ...buffers])) pool.give(buffer);
  };
  if (reply.raw.closed) give();
  else reply.raw.once('close', give);
}

/** Sends the pieces as one body, without copying them. */
function sendPieces(reply: FastifyReply, type: string, pieces: readonly Uint8Array[]): FastifyReply {
  const length = pieces.reduce((sum, { byteLength }) => sum + byteLength, 0);
  void reply.header('content-type', type).header('content-length', length);
  if (pieces.length === 1) return reply.send(asBuffer(pieces[0]));
  void reply.hijack();
  const { raw } = reply;
  for (const [name, value] of Object.entries(reply.getHeaders())) if (value !== undefined) raw.setHeader(name, value);
  // `onSend` hooks do not see a hijacked reply: this is what graceful-shutdown.ts adds there.
  if (reply.server.isStopping()) raw.setHeader('connection', 'close');
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
