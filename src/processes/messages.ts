/** What server processes ask each other, by way of the primary, which only passes it on. */
import type { HeldSession } from '../sessions/store.js';

export interface PeerRequest {
  readonly kind: 'peer-request';
  readonly id: number;
  readonly from: number;
  readonly to: number;
  readonly operation: 'use' | 'inspect' | 'delete';
  readonly token: string;
  readonly owner: string | undefined;
}

export interface PeerReply {
  readonly kind: 'peer-reply';
  readonly id: number;
  /** Who asked. */
  readonly to: number;
  readonly result: PeerResult;
}

export type PeerResult = HeldSession | boolean | undefined;

export function isPeerMessage(message: unknown): message is PeerRequest | PeerReply {
  const kind = (message as { kind?: unknown } | null)?.kind;
  return kind === 'peer-request' || kind === 'peer-reply';
}
