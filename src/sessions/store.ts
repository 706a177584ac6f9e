/** What forward leaves for backward, and the interface of the places where it may be kept. */
import type { FloatDtype, Tensor } from '../tensor/tensor.js';

export interface Session {
  readonly layer: string;
  readonly dtype: FloatDtype;
  /** The layer's plan: plain data. */
  readonly plan: object;
  /** In memory that any thread can read, and no request owns: `packed.ts`. */
  readonly tensors: Readonly<Record<string, Tensor>>;
}

export interface HeldSession extends Session {
  /** Milliseconds since 1970. */
  readonly created: number;
  readonly expires: number;
  readonly bytes: number;
}

export interface SessionStore {
  /** How long a session lives after its last use. */
  readonly ttlMs: number;
  /** Whether every process sees the same sessions here, so that what they count of them must not be added up. */
  readonly isShared?: boolean;
  /**
   * Keeps a session under a new token.
   * @throws {Refusal} session-store-full, or session-too-large for one that no store of this size could hold
   */
  create(session: Session): Promise<string>;
  /** The session, whose life begins anew; undefined if there is none, or no longer. */
  use(token: string): Promise<HeldSession | undefined>;
  /** As `use`, without prolonging its life. */
  inspect(token: string): Promise<HeldSession | undefined>;
  /** Whether there was one to forget. */
  delete(token: string): Promise<boolean>;
  /** Sessions held now, and their bytes. */
  usage(): Promise<{ readonly sessions: number; readonly bytes: number }>;
  /** Sessions that nobody used until their life ended, since the start; for stores that see them end. */
  expired?(): Promise<number>;
  close(): Promise<void>;
}

/** Of a session beside its tensors: token, plan, dates and the map's own. An estimate, not a measurement. */
const OVERHEAD_BYTES = 1024;

export function bytesOf({ tensors }: Session): number {
  return Object.values(tensors).reduce((sum, { data }) => sum + data.byteLength, OVERHEAD_BYTES);
}
