/** What is told of each request when it has ended: a line of the log, and the metrics. Nothing of what it carried. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Ended, LayerCall, Metrics } from './metrics.js';

/** At the end of the answer, or when the client hangs up before it. */
export function observe(request: FastifyRequest, reply: FastifyReply, metrics: Metrics): void {
  metrics.began(request.method);
  let answered = false;
  // An answer finishes on a connection that is gone, too.
  reply.raw.once('finish', () => {
    answered = !request.raw.socket.destroyed;
  });
  reply.raw.once('close', () => {
    const ended: Ended = {
      method: request.method,
      // The template of the route, never the path: a path may hold a session's token.
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

/** As they came; where the client has declared more than it sent, what was read of them. */
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
    /** The layer that was called, and what the call did once it is answered. */
    layerCall?: LayerCall;
  }
}
