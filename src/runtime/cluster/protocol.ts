/**
 * The protocol between the server processes and their primary, over the channels of `node:cluster`. Servers do not
 * communicate directly: the primary forwards their requests. Messages are plain data, copied between processes.
 *
 *     asking server          primary               server that keeps it
 *         │ ── peer-request ──▶ │ ── peer-request ──▶ │     a session, or a name that leads to one
 *         │ ◀── peer-reply ──── │ ◀── peer-reply ──── │
 *
 *     server that serves /metrics    primary          every server
 *         │ ── gather-request ──▶ │ ── snapshot-request ─▶ │
 *         │ ◀── gather-reply ──── │ ◀─ snapshot-reply ──── │
 *
 * The primary gives each `peer-request` that it forwards a new number, and restores the asker's number in the reply. It
 * never reuses a number, so a late reply to a server that has died cannot reach its successor. The keeper is the server
 * that keeps the session.
 *
 * - The keeper answers with the session, or with none, which means that the session has ended (404).
 * - The keeper has died, or dies before it answers: its sessions died with it, so the primary answers "none" at once.
 *   The same holds until its successor listens, because it cannot have created a session before.
 * - The keeper or the primary does not answer in time: whether the session exists is unknown. The request is refused as
 *   session-store-unavailable (503) and may be repeated. A reply that arrives later is dropped. A late `delete` still
 *   takes effect; a repeated one then finds no session.
 * - The asker dies: its clients are disconnected. The primary forgets its requests.
 * - A server does not send its metrics in time, or has died: its latest snapshot counts (`metrics-primary.ts`).
 * - The primary does not send the metrics in time: `/metrics` is refused (503).
 * - The primary dies: `node:cluster` ends the servers.
 */
import type { MetricObjectWithValues, MetricValueWithName } from 'prom-client';
import type { HeldSession } from '../../sessions/store.js';

/** A server asks another for a session that it keeps. */
export interface PeerRequest {
  readonly kind: 'peer-request';
  readonly id: number;
  /** Index of the server that is asked. */
  readonly to: number;
  readonly operation: 'use' | 'inspect' | 'delete' | 'bind' | 'tokenOf' | 'unbind';
  /** The operation's arguments: a token and its owner, or a name and its token. */
  readonly about: string;
  readonly argument: string | undefined;
}

export interface PeerReply {
  readonly kind: 'peer-reply';
  readonly id: number;
  /** Undefined if there is no such session, or no longer. */
  readonly result: PeerResult;
}

export type PeerResult = HeldSession | boolean | string | undefined;

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

/** The primary asks a server for its metrics. */
export interface SnapshotRequest {
  readonly kind: 'snapshot-request';
  readonly id: number;
}

export interface SnapshotReply {
  readonly kind: 'snapshot-reply';
  readonly id: number;
  readonly snapshot: Snapshot;
}

/** Whether a message is of this kind. Only the service's own processes send messages, so no other check is needed. */
export function isOfKind<Message extends { readonly kind: string }>(
  message: unknown,
  kind: Message['kind'],
): message is Message {
  return (message as { kind?: unknown } | null)?.kind === kind;
}
