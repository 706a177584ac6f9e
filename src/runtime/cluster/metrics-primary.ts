/**
 * The primary's part in `/metrics`: asks every server process for its metrics, and keeps the latest snapshot of each.
 * Sums over processes must never decrease: Prometheus would take that for a restart and count everything again. So a
 * server that is too busy to answer is counted by its latest snapshot, and the counts of a server that died are kept.
 */
import type { Snapshot, SnapshotRequest } from './protocol.js';

/** What the primary uses of a server process, a `Worker` of `node:cluster`. */
export interface Server {
  readonly id: number;
  isConnected(): boolean;
  send(message: SnapshotRequest): void;
}

/** A server that does not answer within this time is counted by its latest snapshot. */
const PATIENCE_MS = 2000;

/** The metric that `src/http/metrics.ts` declares, and that only the primary can count. */
const RESTARTS = 'layerd_process_restarts_total';

interface Round {
  readonly id: number;
  readonly missing: Set<number>;
  readonly end: () => void;
}

export class ClusterMetrics {
  private readonly servers = new Map<number, Server>();
  private readonly latest = new Map<number, Snapshot>();
  /** The counts of servers that have died; each round adds them up. */
  private readonly past: Snapshot[] = [];
  private deaths = 0;
  private round: Round | undefined;
  private gathering: Promise<readonly Snapshot[]> | undefined;
  private rounds = 0;

  /** @param patienceMs for tests */
  constructor(private readonly patienceMs = PATIENCE_MS) {}

  add(server: Server): void {
    this.servers.set(server.id, server);
  }

  /** Removes a server that has died. What it counted after its latest snapshot is lost. */
  remove({ id }: Server): void {
    const last = this.latest.get(id);
    if (last) this.past.push(growing(last));
    this.servers.delete(id);
    this.latest.delete(id);
    this.deaths++;
    if (this.round) this.receive(id, this.round.id, undefined);
  }

  /** A snapshot of every server, and the counts of those that have died. Concurrent requests share one round. */
  gather(): Promise<readonly Snapshot[]> {
    this.gathering ??= this.collect().finally(() => {
      this.gathering = undefined;
    });
    return this.gathering;
  }

  /** @param snapshot undefined if there will be none */
  receive(server: number, round: number, snapshot: Snapshot | undefined): void {
    if (snapshot && this.servers.has(server)) this.latest.set(server, snapshot);
    if (round !== this.round?.id) return;
    this.round.missing.delete(server);
    if (this.round.missing.size === 0) this.round.end();
  }

  private async collect(): Promise<readonly Snapshot[]> {
    const asked = [...this.servers.values()].filter((server) => server.isConnected());
    const id = ++this.rounds;
    await new Promise<void>((resolve) => {
      const giveUp = setTimeout(resolve, this.patienceMs);
      const end = () => {
        clearTimeout(giveUp);
        resolve();
      };
      this.round = { id, missing: new Set(asked.map((server) => server.id)), end };
      if (asked.length === 0) end();
      for (const server of asked) server.send({ kind: 'snapshot-request', id });
    });
    this.round = undefined;
    if (this.past.length > 1) {
      const died = this.past.length;
      const sum = await total(this.past.slice(0, died));
      this.past.splice(0, died, sum);
    }
    return [...this.latest.values(), ...this.past, [this.restarts()]];
  }

  /** Named like the servers' own metric, which is always 0, so that the sum over all is this count. */
  private restarts(): Snapshot[number] {
    const values = [{ value: this.deaths, labels: {} }];
    return { name: RESTARTS, help: '', type: 'counter', aggregator: 'sum', values } as unknown as Snapshot[number];
  }
}

/** The metrics that never decrease: a dead process has no sessions and no memory, but what it did still counts. */
function growing(snapshot: Snapshot): Snapshot {
  return snapshot.filter(
    ({ name, type, aggregator }) =>
      (['counter', 'histogram'].includes(String(type)) && aggregator === 'sum') || name.endsWith('_timestamp_seconds'),
  );
}

async function total(snapshots: readonly Snapshot[]): Promise<Snapshot> {
  // Not imported at the top: it is needed only after servers have died.
  const { AggregatorRegistry } = await import('prom-client');
  return AggregatorRegistry.aggregate([...snapshots]).getMetricsAsJSON();
}
