/** A worker thread: runs calls that would keep the event loop from moving bytes. */
import { MessageChannel, parentPort, workerData } from 'node:worker_threads';
import { move, transferableSymbol, valueSymbol } from 'piscina';
import { answering, type Answered } from '../compute/call.js';
import { drawInteger } from '../compute/draw.js';
import { layers } from '../layers/registry.js';
import { Refusal } from '../refusal.js';
import type { Greeting, Outcome, Task, ThreadData } from './messages.js';
import { kernels } from './kernels.js';
import { refusalData, RemoteSessions } from './sessions.js';

const { limits, ttlMs } = workerData as ThreadData;
const { port1, port2 } = new MessageChannel();
parentPort?.postMessage({ sessions: port2 } satisfies Greeting, [port2]);
const sessions = new RemoteSessions(ttlMs, port1);
const answer = answering(layers, { kernels, limits, sessions, draw: drawInteger, inlineOperations: Infinity });

/** Moves the pieces' memory to the event loop, where cloning would copy it. Pieces in shared memory just go. */
class Moved {
  constructor(private readonly answered: Answered) {}

  get [transferableSymbol](): ArrayBuffer[] {
    return [...new Set(this.answered.pieces.map(({ buffer }) => buffer))].filter(
      (buffer) => buffer instanceof ArrayBuffer,
    );
  }

  get [valueSymbol](): Outcome {
    return this.answered;
  }
}

export default async function run({ call, body, session }: Task): Promise<Outcome> {
  sessions.found = session;
  try {
    const answered = await answer({ ...call, body: Buffer.from(body.buffer, body.byteOffset, body.byteLength) });
    return move(new Moved(answered)) as unknown as Outcome;
  } catch (error) {
    if (error instanceof Refusal) return { refusal: refusalData(error) };
    throw error;
  }
}
