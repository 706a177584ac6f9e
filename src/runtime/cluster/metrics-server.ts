/** A server process's part in `/metrics`: gets the metrics of all processes from the primary. */
import type { Channel } from './channel.js';
import {
  isOfKind,
  type GatherReply,
  type GatherRequest,
  type Snapshot,
  type SnapshotReply,
  type SnapshotRequest,
} from './protocol.js';

/** Longer than the primary waits for its servers, and shorter than Prometheus waits (10 s by default). */
const PATIENCE_MS = 5000;

/**
 * @param own this process's metrics, for when the primary asks for them
 * @param patienceMs for tests
 * @returns a function that gets the metrics of all processes, or undefined if the primary does not answer in time
 */
export function createGather(
  channel: Channel<GatherRequest | SnapshotReply>,
  own: () => Promise<Snapshot>,
  patienceMs = PATIENCE_MS,
): () => Promise<readonly Snapshot[] | undefined> {
  const waiting = new Map<number, (snapshots: readonly Snapshot[]) => void>();
  let last = 0;
  channel.receive((message) => {
    if (isOfKind<GatherReply>(message, 'gather-reply')) waiting.get(message.id)?.(message.snapshots);
    else if (isOfKind<SnapshotRequest>(message, 'snapshot-request'))
      void own().then((snapshot) => {
        channel.send({ kind: 'snapshot-reply', id: message.id, snapshot });
      });
  });
  return async () => {
    const id = ++last;
    let giveUp: NodeJS.Timeout | undefined;
    try {
      return await new Promise((resolve) => {
        giveUp = setTimeout(resolve, patienceMs, undefined);
        waiting.set(id, resolve);
        channel.send({ kind: 'gather-request', id });
      });
    } finally {
      clearTimeout(giveUp);
      waiting.delete(id);
    }
  };
}
