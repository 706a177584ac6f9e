/**
 * Decides where a call runs: small ones on the event loop, since going to a thread and back costs more than they do,
 * all others on a pool of worker threads, so that the event loop goes on moving bytes.
 */
import { MessageChannel } from 'node:worker_threads';
import { Piscina } from 'piscina';
import type { MediaType } from '../codec/codecs.js';
import { answering, type Answer, type Call } from '../compute/call.js';
import { TooHeavy, type Environment } from '../compute/computation.js';
import type { Layer } from '../layers/definition.js';
import type { Outcome, Task, ThreadData } from './messages.js';
import { refusalOf, serveSessions } from './sessions.js';

/** Bodies up to this size are read on the event loop: by the codec's figures in bench/RESULTS.md, about a millisecond. */
export const INLINE_BYTES: Readonly<Record<MediaType, number>> = {
  'application/json': 256 * 1024,
  'application/vnd.safetensors': 4 * 1024 * 1024,
};

/** Calls up to this much arithmetic run on the event loop. An estimate, not yet measured. */
const INLINE_OPERATIONS = 8_000_000;

/**
 * By how much a thread yields to the event loops, where the system has priorities for threads (Linux). The 99th
 * percentile of a 64 × 64 batchnorm beside four clients of 1024 × 1024 ones: see bench/RESULTS.md.
 */
const NICENESS = 10;

/** An idle thread is kept this long, since starting one loads and compiles everything anew. */
const IDLE_MS = 60_000;

export interface Executor {
  readonly answer: Answer;
  /** Calls that wait for a thread, and threads. */
  readonly usage: () => { readonly queued: number; readonly threads: number };
  readonly close: () => Promise<void>;
}

export function executing(
  layers: readonly Layer[],
  environment: Omit<Environment, 'inlineOperations'>,
  workers: number,
): Executor {
  if (workers === 0)
    return {
      answer: answering(layers, { ...environment, inlineOperations: Infinity }),
      usage: () => ({ queued: 0, threads: 0 }),
      close: () => Promise.resolve(),
    };
  const { limits, sessions } = environment;
  const pool = new Piscina<Task, Outcome>({
    filename: new URL('./thread.js', import.meta.url).href,
    // None before there is work: Node.js 20 aborts where a thread is ended while it still loads its modules, as one
    // started at boot would be by an early SIGTERM.
    minThreads: 0,
    maxThreads: workers,
    idleTimeout: IDLE_MS,
    niceIncrement: NICENESS,
    workerData: { limits, ttlMs: sessions.ttlMs } satisfies ThreadData,
  });
  const inline = answering(layers, { ...environment, inlineOperations: INLINE_OPERATIONS });

  async function onThread({ body, ...call }: Call): Promise<readonly Uint8Array[]> {
    const { port1, port2 } = new MessageChannel();
    serveSessions(port1, sessions);
    try {
      const outcome = await pool.run({ call, body: inSharedMemory(body), sessions: port2 }, { transferList: [port2] });
      if ('refusal' in outcome) throw refusalOf(outcome.refusal);
      return outcome.pieces;
    } finally {
      port1.close();
    }
  }

  return {
    async answer(call) {
      if (call.body.byteLength > INLINE_BYTES[call.contentType]) return onThread(call);
      try {
        return await inline(call);
      } catch (error) {
        if (error instanceof TooHeavy) return onThread(call);
        throw error;
      }
    },
    usage: () => ({ queued: pool.queueSize, threads: pool.threads.length }),
    close: () => pool.close(),
  };
}

/** Large bodies are read into shared memory to begin with; a small one that asks for much work is copied there. */
function inSharedMemory(body: Buffer): Uint8Array {
  if (body.buffer instanceof SharedArrayBuffer) return body;
  const copy = new Uint8Array(new SharedArrayBuffer(body.byteLength));
  copy.set(body);
  return copy;
}
