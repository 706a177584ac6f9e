/** Refuses what would be over the load that a process bears, and says when to come back. Probes are always served. */
import underPressure from '@fastify/under-pressure';
import type { FastifyInstance } from 'fastify';
import type { Config } from '../config.js';
import { ProblemError } from './errors.js';
import { problem } from './problems.js';
import { isProbe } from './probes.js';

/** Load comes and goes within a second: that is how often it is measured. */
const RETRY_SECONDS = 1;

function overloaded(detail: string): ProblemError {
  return new ProblemError(problem('overloaded', detail), { 'retry-after': RETRY_SECONDS });
}

type Limits = Pick<
  Config,
  'REQUESTS_IN_FLIGHT_LIMIT' | 'BODIES_BUDGET_BYTES' | 'EVENT_LOOP_DELAY_LIMIT_MS' | 'HEAP_LIMIT_BYTES'
>;

export async function boundLoad(app: FastifyInstance, limits: Limits): Promise<void> {
  const most = limits.REQUESTS_IN_FLIGHT_LIMIT;
  const mostBytes = limits.BODIES_BUDGET_BYTES;
  let inFlight = 0;
  let heldBytes = 0;
  // Of bodies as they come, and not as they are announced: whoever only announces one holds no memory.
  app.decorateRequest('bodyBytes', 0);
  app.decorateRequest('roomFor', function (bytes: number) {
    if (heldBytes + bytes > mostBytes)
      return overloaded(`the bodies in flight hold ${heldBytes} bytes; expected at most ${mostBytes} with this one`);
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
      done(overloaded(`${inFlight} requests are in flight here; expected fewer than ${most}`));
      return;
    }
    inFlight++;
    // Until its answer is sent: it holds memory until then.
    reply.raw.once('close', () => {
      inFlight--;
      heldBytes -= request.bodyBytes;
      // A decoder may still give what came before the client went.
      request.roomFor = () => overloaded('the client is gone');
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
          ? `the event loop is ${lateness(value)} late; expected at most ${limits.EVENT_LOOP_DELAY_LIMIT_MS} ms`
          : `the heap holds ${value ?? 0} bytes; expected at most ${limits.HEAP_LIMIT_BYTES}`;
      return Promise.reject(overloaded(detail));
    },
  });
}

/** Infinity stands for a loop that has not come round since it was last looked at. */
function lateness(ms = 0): string {
  return Number.isFinite(ms) ? `${Math.round(ms)} ms` : 'over a second';
}

declare module 'fastify' {
  interface FastifyRequest {
    /** Room that its body has taken, until its answer is sent. */
    bodyBytes: number;
    /** Takes room for so many bytes more of its body, or says why there is none. */
    roomFor(bytes: number): Error | undefined;
  }
}
