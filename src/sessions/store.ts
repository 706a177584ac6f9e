/** What forward leaves for backward, and the interface of the places where it may be kept. */
import { Refusal } from '../refusal.js';
import type { FloatDtype, Tensor } from '../tensor/tensor.js';

export interface Session {
  readonly layer: string;
  readonly dtype: FloatDtype;
  /** The layer's plan: plain data that JSON holds. */
  readonly plan: object;
  /** In memory that any thread can read, and no request owns: `packed.ts`. */
  readonly tensors: Readonly<Record<string, Tensor>>;
}

/** A session, and the id of the key that makes it, which alone will find it. Where there are no keys all find it. */
export type NewSession = Session & { readonly owner?: string | undefined };

export interface HeldSession extends Session {
  /** Milliseconds since 1970. */
  readonly created: number;
  readonly expires: number;
  readonly bytes: number;
}

/**
 * Every operation on a session is one step: what is another owner's is as what never was, and neither prolonged nor
 * deleted.
 */
export interface SessionStore {
  /** How long a session lives after its last use. */
  readonly ttlMs: number;
  /**
   * Keeps a session under a new token.
   * @throws {Refusal} session-store-full, or session-too-large for one that no store of this size could hold; as every
   * operation, session-store-unavailable where the store is elsewhere and does not answer
   */
  create(session: NewSession): Promise<string>;
  /** The session, whose life begins anew; undefined if there is none, or no longer. */
  use(token: string, owner?: string): Promise<HeldSession | undefined>;
  /** As `use`, without prolonging its life. */
  inspect(token: string, owner?: string): Promise<HeldSession | undefined>;
  /** Whether there was one to forget. */
  delete(token: string, owner?: string): Promise<boolean>;
  /** Of what this process holds; undefined where the sessions are elsewhere, for all processes together. */
  usage(): Promise<Usage | undefined>;
  /**
   * Whether sessions can be had now.
   * @throws {Refusal} session-store-unavailable, which says why they cannot
   */
  check(): Promise<void>;
  /** Sessions that nobody used until their life ended, since the start; for stores that see them end. */
  expired?(): Promise<number>;
  close(): Promise<void>;
}

/** Sessions held now, and their bytes. */
export interface Usage {
  readonly sessions: number;
  readonly bytes: number;
}

/** Of a session beside its tensors: token, plan, dates and the map's own. An estimate, not a measurement. */
const OVERHEAD_BYTES = 1024;

export function bytesOf({ tensors }: Session): number {
  return Object.values(tensors).reduce((sum, { data }) => sum + data.byteLength, OVERHEAD_BYTES);
}

export function tooLarge(bytes: number, largestBytes: number): Refusal {
  return new Refusal(
    'session-too-large',
    `the session would take ${bytes} bytes; at most ${largestBytes} can be kept here. Send "session": false, and backward the forward request in the place of the token`,
  );
}

/** @param filled what is filled, and by how much of it */
export function full(bytes: number, filled: string, retryAfterSeconds: number): Refusal {
  return new Refusal(
    'session-store-full',
    `the session would take ${bytes} bytes, and ${filled} by live sessions. Release sessions ("release": true, or DELETE /sessions/{token}), or send "session": false, or wait`,
    [],
    retryAfterSeconds,
  );
}
