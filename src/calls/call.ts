/** A call and its answer, as bytes. A call is plain data that can be sent to another thread, except for its body. */
import type { MediaType } from '../codec/codecs.js';
import type { InferenceType } from '../codec/inference/request.js';
import type { Kernels } from '../kernels/kernels.js';
import type { RefusalKind } from '../refusal.js';
import type { SessionFinder } from '../sessions/sequences.js';
import type { Session } from '../sessions/store.js';
import type { TokenFormat } from '../sessions/tokens.js';
import type { Account } from './account.js';

/** The format of a body, and of its answer. */
export type Format =
  | { readonly contentType: MediaType; readonly accept: MediaType }
  | {
      readonly protocol: 'open-inference';
      /** Length of the JSON part, if the client states it. */
      readonly jsonBytes: number | undefined;
      /** Media types that the client excludes. The request itself determines which one its answer has. */
      readonly excluded: readonly InferenceType[];
    };

export type CallHead = Format & {
  readonly layer: string;
  readonly direction: 'forward' | 'backward' | 'check' | 'case';
  /** Owner of the sessions that the call creates and finds, if clients have keys. */
  readonly owner?: string | undefined;
};

export type Call = CallHead & { readonly body: Buffer };

export interface Answer {
  /** The pieces of the answer's body, in order; some may be views of the request's memory. */
  readonly pieces: readonly Uint8Array[];
  /** Only for forward and backward. */
  readonly account?: Account;
}

/** @param gone is called only if the call goes to a thread; its signal aborts the call while it waits for one */
export type AnswerCall = (call: Call, gone: () => AbortSignal) => Promise<Answer>;

/** An answer, and the session to keep or release before it is sent. */
export interface Outcome extends Answer {
  readonly keep?: Kept | undefined;
  /** Released after `keep`. */
  readonly release?: Released | undefined;
}

export interface Kept {
  readonly token: string;
  readonly session: Session;
  /** The sequence that names the session, if there is one. */
  readonly sequence?: string | undefined;
}

export type Released = Omit<Kept, 'session'>;

/** The limits of one request. */
export interface WorkLimits {
  readonly operations: number;
  readonly resultBytes: number;
  /** Maximum nesting depth of a JSON body. */
  readonly nesting?: number;
}

/** What a thread needs to run calls. */
export interface Environment {
  readonly kernels: Kernels;
  readonly limits: WorkLimits;
  readonly sessions: SessionFinder;
  readonly tokens: TokenFormat;
  /** Draws an integer from 0 to `largest`, for options that are drawn if a request omits them. */
  readonly draw: (largest: number) => number;
}

/** Refusals of the session store, which are not errors in the body; frequent under load. */
export const STORE_REFUSALS: ReadonlySet<RefusalKind> = new Set([
  'session-store-full',
  'session-store-unavailable',
  'session-too-large',
]);
