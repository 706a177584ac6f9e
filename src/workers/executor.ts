/**
 * Decides where a call runs: small ones on the event loop, since going to a thread and back costs more than they do,
 * all others on a pool of worker threads, so that the event loop goes on moving bytes.
 */
import { Piscina } from 'piscina';
import type { MediaType } from '../codec/codecs.js';
import { answering, type Answer, type Answered, type Call, type Format } from '../compute/call.js';
import { TooHeavy, type Environment } from '../compute/computation.js';
import type { Layer } from '../layers/definition.js';
import type { HeldSession } from '../sessions/store.js';
import type { Greeting, Outcome, Task, ThreadData } from './messages.js';
import { refusalOf, serveSessions } from './sessions.js';

/** Bodies up to this size are read on the event loop: by the codec's figures in bench/RESULTS.md, about a millisecond. */
const INLINE_BYTES: Readonly<Record<MediaType, number>> = {
  'application/json': 256 * 1024,
  'application/vnd.safetensors': 4 * 1024 * 1024,
};

/** The size of the largest body of a format that is read on the event loop. */
export function inlineBytes(format: Format): number {
  if ('contentType' in format) return INLINE_BYTES[format.contentType];
  const { jsonBytes = Infinity } = format;
  const mostJson = INLINE_BYTES['application/json'];
  // What follows a JSON part lies there as it does in safetensors.
  return jsonBytes <= mostJson ? INLINE_BYTES['application/vnd.safetensors'] : mostJson;
}

/** Calls up to this much arithmetic run on the event loop. An estimate, not yet measured. */
const INLINE_OPERATIONS = 8_000_000;

/**
 * By how much a thread yields to the event loops, where the system has priorities for threads (Linux). The 99th
 * percentile of a 64 × 64 batchnorm beside four clients of 1024 × 1024 ones: see bench/RESULTS.md.
 */
const NICENESS = 10;

/** The threads that there may be, the calls that wait for one, and the threads that run one. */
export interface Usage {
  readonly threads: number;
  readonly queued: number;
  readonly busy: number;
}

export interface Executor {
  readonly answer: Answer;
  readonly usage: () => Usage;
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
      usage: () => ({ threads: 0, queued: 0, busy: 0 }),
      close: () => Promise.resolve(),
    };
  const { limits, sessions } = environment;
  let pool: Piscina<Task, Outcome> | undefined;
  // None before there is work: Node.js 20 aborts where a thread is ended while it still loads its modules, as one
  // started at boot would be by an early SIGTERM. From then on all: a thread that dies is replaced by that alone.
  function threads(): Piscina<Task, Outcome> {
    if (pool) return pool;
    pool = new Piscina<Task, Outcome>({
      filename: new URL('./thread.js', import.meta.url).href,
      minThreads: workers,
      maxThreads: workers,
      niceIncrement: NICENESS,
      workerData: { limits, ttlMs: sessions.ttlMs } satisfies ThreadData,
    });
    pool.on('message', (greeting: Greeting) => {
      serveSessions(greeting.sessions, sessions);
    });
    return pool;
  }
  const inline = answering(layers, { ...environment, inlineOperations: INLINE_OPERATIONS });

  let onThreads = 0;
  async function onThread({ body, ...call }: Call, session?: HeldSession): Promise<Answered> {
    onThreads++;
    try {
      const outcome = await threads().run({ call, body: inSharedMemory(body), session });
      if ('refusal' in outcome) throw refusalOf(outcome.refusal);
      return outcome;
    } finally {
      onThreads--;
    }
  }

  return {
    async answer(call) {
      if (call.body.byteLength > inlineBytes(call)) return onThread(call);
      try {
        return await inline(call);
      } catch (error) {
        if (error instanceof TooHeavy) return onThread(call, error.session);
        throw error;
      }
    },
    usage: () => {
      const queued = pool?.queueSize ?? 0;
      return { threads: workers, queued, busy: onThreads - queued };
    },
    close: async () => pool?.close(),
  };
}

/**
 * Large bodies are read into shared memory to begin with, which V8 does not count: moving them as transferable memory
 * would have it collect the whole heap with every other request of 8 MB. A small body that asks for much work is
 * copied there.
 */
function inSharedMemory(body: Buffer): Uint8Array {
  if (body.buffer instanceof SharedArrayBuffer) return body;
  const copy = new Uint8Array(new SharedArrayBuffer(body.byteLength));
  copy.set(body);
  return copy;
}
