/** Sessions, in which forward keeps what backward needs, and the interface of their stores. */
import { Refusal } from '../refusal.js';
import type { FloatDtype, Tensor } from '../tensor/tensor.js';
import type { TokenFormat } from './tokens.js';

export interface Session {
  readonly layer: string;
  readonly dtype: FloatDtype;
  /** The layer's plan: plain data that JSON can represent. */
  readonly plan: object;
  /** In memory that every thread can read and no request owns: see `tensor/shared.ts`. */
  readonly tensors: Readonly<Record<string, Tensor>>;
}

/** A session, and the id of the key that created it. Only this key can use it; without keys, every client can. */
export type NewSession = Session & { readonly owner?: string | undefined };

export interface HeldSession extends Session {
  /** Milliseconds since 1970. */
  readonly created: number;
  readonly expires: number;
  readonly bytes: number;
}

/**
 * Every operation on a session is atomic. A session of another owner is treated as nonexistent: it is neither prolonged
 * nor deleted.
 */
export interface SessionStore {
  /** How long a session lives after its last use. */
  readonly ttlMs: number;
  readonly tokens: TokenFormat;
  /**
   * Keeps a session under a token that was created for it in the store's format.
   * @throws {Refusal} session-store-full, or session-too-large if even an empty store could not hold it; like every
   * operation, session-store-unavailable if the store is remote and does not answer
   */
  keep(token: string, session: NewSession): Promise<void>;
  /** Returns the session and restarts its lifetime; undefined if it does not exist or has expired. */
  use(token: string, owner?: string): Promise<HeldSession | undefined>;
  /** Like `use`, without restarting the session's lifetime. */
  inspect(token: string, owner?: string): Promise<HeldSession | undefined>;
  /** Deletes the session; returns whether it existed. */
  delete(token: string, owner?: string): Promise<boolean>;
  /**
   * Binds a name to a token, for as long as a session lives after its last use: see `sequences.ts`.
   * @returns the token that the name was bound to before
   */
  bind(name: string, token: string): Promise<string | undefined>;
  /** Returns the token of a name, and restarts the lifetime of the name. */
  tokenOf(name: string): Promise<string | undefined>;
  /** Removes a name, unless it is bound to another token. */
  unbind(name: string, token: string): Promise<void>;
  /** The sessions of this process; undefined if the sessions of all processes are in a remote store. */
  usage(): Promise<Usage | undefined>;
  /**
   * Checks that the store is available.
   * @throws {Refusal} session-store-unavailable, with the reason
   */
  check(): Promise<void>;
  /** Number of sessions that expired since the start, if the store knows it. */
  expired?(): Promise<number>;
  close(): Promise<void>;
}

/** Sessions held now, and their bytes. */
export interface Usage {
  readonly sessions: number;
  readonly bytes: number;
}

/** Overhead of a session besides its tensors: token, plan, dates and map entry. An estimate, not a measurement. */
const OVERHEAD_BYTES = 1024;

export function bytesOf({ tensors }: Session): number {
  return Object.values(tensors).reduce((sum, { data }) => sum + data.byteLength, OVERHEAD_BYTES);
}

export function tooLarge(bytes: number, largestBytes: number): Refusal {
  return new Refusal('session-too-large', `the session needs ${bytes} bytes; at most ${largestBytes} can be kept here`);
}

/** @param filled what is in use, as the start of "… by live sessions" */
export function full(bytes: number, filled: string, retryAfterSeconds: number): Refusal {
  return new Refusal(
    'session-store-full',
    `the session needs ${bytes} bytes, but ${filled} by live sessions`,
    [],
    retryAfterSeconds,
  );
}
