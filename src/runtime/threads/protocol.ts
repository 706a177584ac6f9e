/**
 * The protocol between the event loop of a process and its worker threads. All messages are plain data; large data is
 * in memory that is shared or transferred, not cloned.
 *
 *     event loop                          thread
 *         │ ◀──────── Greeting ────────────── │   once, when the thread starts: the port for its questions
 *         │ ───────── Task ─────────────────▶ │   one at a time
 *         │ ◀──────── SessionQuestion ─────── │   only for a backward call whose body the thread reads itself
 *         │ ───────── SessionReply ─────────▶ │
 *         │ ◀──────── Outcome or refusal ──── │
 *
 * - Calls wait for a thread on the event loop, in order. One whose client has gone leaves the queue; one that a thread has
 *   begun is finished, and counts among the requests in flight until then.
 * - If the event loop would take too long to read a body, the task consists of its bytes. Any other call is prepared on
 *   the event loop; if its plan is too heavy, the task is the prepared work, with tensors in shared memory, and the
 *   thread has no body to read.
 * - The thread creates the token of a session itself, and returns what to keep and what to release with the answer. The
 *   event loop does both before it sends the answer, so that a store that refuses refuses the call.
 * - A question has one reply: the session, none, a refusal of the store, or that the store failed. They are told apart
 *   by their number.
 * - If a thread dies, Piscina fails its task, which is answered with an internal error (500), and starts another
 *   thread. The port of the dead thread closes, and no session is kept or released for the task. A thread that dies
 *   without a task is logged. It is replaced at once or, if it died while starting, when the next call arrives.
 * - If the process dies, its threads die with it.
 */
import type { MessagePort } from 'node:worker_threads';
import type { CallHead, Environment, Outcome } from '../../calls/call.js';
import type { Work } from '../../calls/calls.js';
import { Refusal, type Place, type RefusalKind } from '../../refusal.js';
import type { FoundSession, SessionName } from '../../sessions/sequences.js';

/** The data that a thread starts with. */
export interface ThreadData extends Pick<Environment, 'limits' | 'tokens'> {
  readonly ttlMs: number;
}

export interface Greeting {
  readonly sessions: MessagePort;
}

/** The bytes of a body are in shared memory, as are the tensors of work. */
export type Task = { readonly call: CallHead; readonly body: Uint8Array } | { readonly work: Work };

/** A refusal is returned as plain data, because an error would lose its fields between threads. */
export type Result = Outcome | { readonly refusal: RefusalData };

export interface RefusalData {
  readonly kind: RefusalKind;
  readonly detail: string;
  readonly places: readonly Place[];
  readonly retryAfterSeconds: number | undefined;
}

export interface SessionQuestion {
  readonly id: number;
  readonly name: SessionName;
  readonly owner: string | undefined;
}

export interface SessionReply {
  readonly id: number;
  readonly session?: FoundSession | undefined;
  readonly refusal?: RefusalData;
  readonly failed?: true;
}

export function refusalData({ kind, message, places, retryAfterSeconds }: Refusal): RefusalData {
  return { kind, detail: message, places, retryAfterSeconds };
}

export function refusalOf({ kind, detail, places, retryAfterSeconds }: RefusalData): Refusal {
  return new Refusal(kind, detail, places, retryAfterSeconds);
}
