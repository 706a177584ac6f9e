/** The worker threads of a process, as its event loop uses them. */
import type { Piscina } from 'piscina';
import type { Call, Environment, Outcome } from '../../calls/call.js';
import type { Work } from '../../calls/calls.js';
import { isTensor, type Field } from '../../codec/fields.js';
import { sharedCopies } from '../../tensor/shared.js';
import { refusalOf, type Greeting, type Result, type Task, type ThreadData } from './protocol.js';
import { serveSessions } from './session-port.js';

/**
 * The niceness of a thread, so that it yields to the event loops on systems with thread priorities (Linux).
 * bench/RESULTS.md shows its effect on the latency of small requests while large ones are computed.
 */
const NICENESS = 10;

/** In the bundle, this file is in the same place. */
const THREAD = new URL('./thread.js', import.meta.url).href;

/** Number of threads, of calls that wait for a thread, and of threads that run a call. */
export interface Usage {
  readonly threads: number;
  readonly queued: number;
  readonly busy: number;
}

export class Threads {
  private opened: Promise<Piscina<Task, Result>> | undefined;
  private pool: Piscina<Task, Result> | undefined;
  private busy = 0;
  /** Starts the waiting calls, in order. Piscina's own queue is not used: it cannot tell whether a call has begun. */
  private readonly queue = new Set<() => void>();

  constructor(
    private readonly count: number,
    private readonly environment: Environment,
    /** Called when a thread dies without a call. */
    private readonly died: (error: Error) => void,
    /** For tests. */
    private readonly file = THREAD,
  ) {}

  /**
   * @param gone aborts the call while it waits; a thread that has begun finishes it, but its outcome is dropped
   * @throws {Refusal} as the call itself; and the reason of `gone`
   */
  run({ body, ...call }: Call, gone?: AbortSignal): Promise<Outcome> {
    return this.do(() => ({ call, body: inSharedMemory(body) }), gone);
  }

  compute(work: Work, gone?: AbortSignal): Promise<Outcome> {
    return this.do(() => ({ work: withSharedTensors(work) as Work }), gone);
  }

  usage(): Usage {
    return { threads: this.count, queued: this.queue.size, busy: this.busy };
  }

  async close(): Promise<void> {
    await (await this.opened)?.close();
  }

  private async do(task: () => Task, gone: AbortSignal | undefined): Promise<Outcome> {
    await this.turn(gone);
    try {
      const result = await (await this.started()).run(task());
      // If the client has disconnected, no session is kept: it would only fill the store until it expires.
      gone?.throwIfAborted();
      if ('refusal' in result) throw refusalOf(result.refusal);
      return result;
    } finally {
      const next = this.queue.values().next().value;
      if (next) next();
      else this.busy--;
    }
  }

  /** Waits for a thread, which then counts as busy. */
  private async turn(gone: AbortSignal | undefined): Promise<void> {
    gone?.throwIfAborted();
    if (this.busy < this.count) {
      this.busy++;
      return;
    }
    await new Promise<void>((resolve, reject) => {
      const start = () => {
        this.queue.delete(start);
        gone?.removeEventListener('abort', leave);
        resolve();
      };
      const leave = () => {
        this.queue.delete(start);
        reject(gone?.reason as Error);
      };
      this.queue.add(start);
      gone?.addEventListener('abort', leave, { once: true });
    });
  }

  /** If starting fails, the next call tries again. */
  private started(): Promise<Piscina<Task, Result>> {
    this.opened ??= this.open().catch((error: unknown) => {
      this.opened = undefined;
      throw error;
    });
    return this.opened;
  }

  // Starts no thread before there is work: Node.js 20 aborts if a thread is ended while it loads its modules, as an
  // early SIGTERM would do to threads started at boot. Then starts all: Piscina keeps `minThreads` threads running.
  private async open(): Promise<Piscina<Task, Result>> {
    const { Piscina } = await import('piscina');
    const { limits, tokens, sessions } = this.environment;
    const pool = new Piscina<Task, Result>({
      filename: this.file,
      minThreads: this.count,
      maxThreads: this.count,
      niceIncrement: NICENESS,
      workerData: { limits, tokens, ttlMs: sessions.ttlMs } satisfies ThreadData,
    });
    pool.on('message', (greeting: Greeting) => {
      serveSessions(greeting.sessions, sessions);
    });
    pool.on('error', (error: Error) => {
      this.died(error);
      // Piscina does not replace a thread that dies while starting. With none left, calls would wait forever.
      if (pool.threads.length > 0 || this.pool !== pool) return;
      this.pool = undefined;
      this.opened = undefined;
      void pool.destroy();
    });
    this.pool = pool;
    return pool;
  }
}

/**
 * Large bodies are read into shared memory in the first place, which V8 does not count as its own: transferring them
 * would make it collect the whole heap on every other request of 8 MB.
 */
function inSharedMemory(body: Buffer): Uint8Array {
  if (body.buffer instanceof SharedArrayBuffer) return body;
  const copy = new Uint8Array(new SharedArrayBuffer(body.byteLength));
  copy.set(body);
  return copy;
}

/** The same plain data, with its tensors in shared memory. Those already there, such as a session's, are not copied. */
function withSharedTensors(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (isTensor(value as Field)) {
    const tensor = value as Parameters<typeof sharedCopies>[0][string];
    return tensor.data.buffer instanceof SharedArrayBuffer ? tensor : sharedCopies({ tensor }).tensor;
  }
  if (Array.isArray(value)) return value.map(withSharedTensors);
  return Object.fromEntries(Object.entries(value).map(([name, entry]) => [name, withSharedTensors(entry)]));
}
