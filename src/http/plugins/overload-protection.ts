/** Refuses requests beyond the load limits of a process, and says when to retry. Probes are always served. */
import underPressure from '@fastify/under-pressure';
import type { FastifyInstance } from 'fastify';
import fp from 'fastify-plugin';
import type { Config } from '../../config.js';
import { isProbe } from '../probes.js';
import { ProblemError } from '../problems.js';

/** Load rises and falls within a second, and is sampled once a second. */
const RETRY_SECONDS = 1;

function overloaded(detail: string): ProblemError {
  return new ProblemError('overloaded', detail, { 'retry-after': RETRY_SECONDS });
}

type Limits = Pick<
  Config,
  'REQUESTS_IN_FLIGHT_LIMIT' | 'BODIES_BUDGET_BYTES' | 'EVENT_LOOP_DELAY_LIMIT_MS' | 'HEAP_LIMIT_BYTES'
>;

async function boundLoad(app: FastifyInstance, limits: Limits): Promise<void> {
  const most = limits.REQUESTS_IN_FLIGHT_LIMIT;
  const mostBytes = limits.BODIES_BUDGET_BYTES;
  let inFlight = 0;
  let heldBytes = 0;
  // Bytes of bodies count when they arrive, not when they are declared: a declared length takes no memory.
  app.decorateRequest('bodyBytes', 0);
  app.decorateRequest('hold', () => () => undefined);
  app.decorateRequest('roomFor', function (bytes: number) {
    if (heldBytes + bytes > mostBytes)
      return overloaded(
        `request bodies in flight hold ${heldBytes} bytes; expected at most ${mostBytes} including this one`,
      );
    heldBytes += bytes;
    this.bodyBytes += bytes;
    return undefined;
  });
  app.addHook('onRequest', (request, reply, done) => {
    if (isProbe(request)) {
      done();
      return;
    }
    if (inFlight >= most) {
      done(overloaded(`${inFlight} requests are in flight; expected fewer than ${most}`));
      return;
    }
    inFlight++;
    let holds = 0;
    request.hold = () => {
      holds++;
      return () => {
        holds--;
        if (holds > 0) return;
        inFlight--;
        heldBytes -= request.bodyBytes;
      };
    };
    const release = request.hold();
    reply.raw.once('close', () => {
      // A decoder may still emit bytes that arrived before the client disconnected.
      request.roomFor = () => overloaded('the client is gone');
      release();
    });
    done();
  });

  await app.register(underPressure, {
    maxEventLoopDelay: limits.EVENT_LOOP_DELAY_LIMIT_MS,
    maxHeapUsedBytes: limits.HEAP_LIMIT_BYTES,
    pressureHandler: (request, _reply, type, value) => {
      if (isProbe(request)) return undefined;
      const detail =
        type === underPressure.TYPE_EVENT_LOOP_DELAY
          ? `the event loop is delayed by ${lateness(value)}; expected at most ${limits.EVENT_LOOP_DELAY_LIMIT_MS} ms`
          : `the heap holds ${value ?? 0} bytes; expected at most ${limits.HEAP_LIMIT_BYTES}`;
      return Promise.reject(overloaded(detail));
    },
  });
}

export default fp(boundLoad, { name: 'overload-protection', dependencies: ['cors'] });

/** Infinity means that the event loop has not run since it was last sampled. */
function lateness(ms = 0): string {
  return Number.isFinite(ms) ? `${Math.round(ms)} ms` : 'more than a second';
}

declare module 'fastify' {
  interface FastifyRequest {
    /** Bytes of its body that are held until its response is closed and its call has ended. */
    bodyBytes: number;
    /** Keeps the request in flight, even if its client disconnects, until the returned function is called, once. */
    hold(): () => void;
    /** Reserves room for more bytes of its body, or returns why there is none. */
    roomFor(bytes: number): Error | undefined;
  }
}
