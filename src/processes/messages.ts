/** What server processes ask each other, by way of the primary, which only passes it on. */
import type { MetricObjectWithValues, MetricValueWithName } from 'prom-client';
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

/** The metrics of one process, as plain data. */
export type Snapshot = readonly MetricObjectWithValues<MetricValueWithName<string>>[];

/** A server asks the primary for the metrics of all servers. */
export interface GatherRequest {
  readonly kind: 'gather-request';
  readonly id: number;
}

export interface GatherReply {
  readonly kind: 'gather-reply';
  readonly id: number;
  readonly snapshots: readonly Snapshot[];
}

/** The primary asks a server for its own. */
export interface SnapshotRequest {
  readonly kind: 'snapshot-request';
  readonly id: number;
}

export interface SnapshotReply {
  readonly kind: 'snapshot-reply';
  readonly id: number;
  readonly snapshot: Snapshot;
}

/** A message of one of these kinds; whoever sent it is a process of ours. */
export function isOfKind<Message extends { readonly kind: string }>(
  message: unknown,
  kind: Message['kind'],
): message is Message {
  return (message as { kind?: unknown } | null)?.kind === kind;
}
