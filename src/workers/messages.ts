/** What goes between the event loop and a worker thread. Everything here is cloned, shared or transferred: plain data. */
import type { MessagePort } from 'node:worker_threads';
import type { Answered, Operation } from '../compute/call.js';
import type { WorkLimits } from '../compute/computation.js';
import type { Place, RefusalKind } from '../refusal.js';
import type { HeldSession, NewSession } from '../sessions/store.js';

/** What a thread is started with. */
export interface ThreadData {
  readonly limits: WorkLimits;
  readonly ttlMs: number;
}

export interface Task {
  readonly call: Operation;
  /** In shared memory. */
  readonly body: Uint8Array;
  /** The call's session, where the event loop has it already. */
  readonly session: HeldSession | undefined;
}

/** What a thread says when it starts: where it asks for sessions, which live with the event loop. */
export interface Greeting {
  readonly sessions: MessagePort;
}

/** A refusal is an answer like any other: an error would lose its fields on the way. */
export type Outcome = Answered | { readonly refusal: RefusalData };

export interface RefusalData {
  readonly kind: RefusalKind;
  readonly detail: string;
  readonly places: readonly Place[];
  readonly retryAfterSeconds: number | undefined;
}

export type SessionRequest = { readonly id: number } & (
  | { readonly operation: 'create'; readonly session: NewSession }
  | { readonly operation: 'use' | 'delete'; readonly token: string; readonly owner: string | undefined }
);

export interface SessionReply {
  readonly id: number;
  readonly result?: string | boolean | HeldSession | undefined;
  readonly refusal?: RefusalData;
  readonly failed?: true;
}
