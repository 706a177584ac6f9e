/** A worker thread: runs calls that would block the event loop. `protocol.ts` describes its messages. */
import { MessageChannel, parentPort, workerData } from 'node:worker_threads';
import { move, transferableSymbol, valueSymbol } from 'piscina';
import type { Outcome } from '../../calls/call.js';
import { Calls } from '../../calls/calls.js';
import { drawInteger } from '../../calls/draw.js';
import { layers } from '../../layers/registry.js';
import { Refusal } from '../../refusal.js';
import { kernels } from '../kernels.js';
import { refusalData, type Greeting, type Result, type Task, type ThreadData } from './protocol.js';
import { RemoteSessions } from './session-port.js';

const { ttlMs, ...data } = workerData as ThreadData;
const { port1, port2 } = new MessageChannel();
parentPort?.postMessage({ sessions: port2 } satisfies Greeting, [port2]);
const calls = new Calls(layers, { ...data, kernels, sessions: new RemoteSessions(ttlMs, port1), draw: drawInteger });

/** Transfers the memory of the pieces to the event loop instead of copying it. Shared memory needs no transfer. */
class Moved {
  constructor(private readonly outcome: Outcome) {}

  get [transferableSymbol](): ArrayBuffer[] {
    return [...new Set(this.outcome.pieces.map(({ buffer }) => buffer))].filter(
      (buffer) => buffer instanceof ArrayBuffer,
    );
  }

  get [valueSymbol](): Result {
    return this.outcome;
  }
}

export default async function run(task: Task): Promise<Result> {
  try {
    const outcome = 'work' in task ? calls.compute(task.work) : await calls.run(callOf(task));
    return move(new Moved(outcome)) as unknown as Result;
  } catch (error) {
    if (error instanceof Refusal) return { refusal: refusalData(error) };
    throw error;
  }
}

function callOf({ call, body }: Extract<Task, { call: unknown }>) {
  return { ...call, body: Buffer.from(body.buffer, body.byteOffset, body.byteLength) };
}
