/** The request log and the HTTP metrics, written when a request ends. They contain nothing of its content. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import fp from 'fastify-plugin';
import { now } from '../../calls/account.js';
import type { Answer } from '../../calls/call.js';
import type { Ended, LayerCall, Metrics } from '../metrics.js';

function logRequests(app: FastifyInstance, { metrics }: { metrics: Metrics }, done: () => void): void {
  app.addHook('onRequest', (request, reply, next) => {
    logRequest(request, reply, metrics);
    next();
  });
  done();
}

export default fp(logRequests, { name: 'request-log' });

/** Adds the request's id to the response, and records the request when it ends or its client disconnects. */
export function logRequest(request: FastifyRequest, reply: FastifyReply, metrics: Metrics): void {
  void reply.header('x-request-id', request.id);
  metrics.began(request.method);
  let answered = false;
  // A response also finishes on a closed connection.
  reply.raw.once('finish', () => {
    answered = !request.raw.socket.destroyed;
  });
  reply.raw.once('close', () => {
    const ended: Ended = {
      method: request.method,
      // The template of the route, never the path, which may contain a session token.
      route: request.routeOptions.url,
      status: answered ? reply.statusCode : undefined,
      durationMs: Math.round(reply.elapsedTime * 1000) / 1000,
      problem: request.problemType,
      bytesIn: bytesIn(request),
      bytesOut: bytesOut(request, reply),
      call: request.layerCall,
    };
    metrics.ended(ended);
    const { traceId, key } = request;
    const of = { ...(key ? { key: key.name } : {}), ...(traceId === undefined ? {} : { traceId }) };
    request.log.info({ ...lineOf(ended), ...of }, 'request');
  });
}

/** Records the call that a request makes, whether it succeeds or fails. */
export async function observeCall(
  request: FastifyRequest,
  { layer, direction }: Pick<LayerCall, 'layer' | 'direction'>,
  run: () => Promise<Answer>,
): Promise<Answer> {
  const call: LayerCall = { layer, direction, queued: now() };
  request.layerCall = call;
  try {
    const answered = await run();
    if (answered.account) call.account = answered.account;
    return answered;
  } catch (error) {
    call.failed = now();
    throw error;
  }
}

function lineOf({ method, route, status, durationMs, problem, bytesIn, bytesOut, call }: Ended): object {
  return {
    method,
    route,
    ...(status === undefined ? { aborted: true } : { status }),
    durationMs,
    bytesIn,
    ...(status === undefined ? {} : { bytesOut }),
    ...(problem === undefined ? {} : { problem }),
    ...(call ? { layer: call.layer, direction: call.direction } : {}),
    ...(call?.account
      ? { dtype: call.account.dtype, shapes: call.account.shapes, operations: call.account.operations }
      : {}),
  };
}

/** The declared length, if all of it arrived; otherwise the length of the body that was read. */
function bytesIn({ headers, body, raw }: FastifyRequest): number {
  const declared = headers['content-length'];
  if (declared !== undefined && raw.complete) return Number(declared);
  return Buffer.isBuffer(body) ? body.byteLength : 0;
}

function bytesOut({ method }: FastifyRequest, reply: FastifyReply): number {
  return method === 'HEAD' ? 0 : Number(reply.getHeader('content-length') ?? 0);
}

declare module 'fastify' {
  interface FastifyRequest {
    /** The layer that was called and, once the call is answered, what it did. */
    layerCall?: LayerCall;
  }
}
