/**
 * The primary's part in `/metrics`: asks every server process for its metrics, and remembers the last that each gave.
 * Sums over processes must never fall, or Prometheus takes them for those of a new process and counts all of them
 * again: a server that is too busy to answer is counted as it last was, and what one had counted before it died stays.
 */
import type { Snapshot, SnapshotRequest } from './messages.js';

/** What is asked of a server process: a `Worker` of `node:cluster`. */
export interface Server {
  readonly id: number;
  isConnected(): boolean;
  send(message: SnapshotRequest): void;
}

/** A server whose event loop is kept from answering for longer is counted as it last was. */
const PATIENCE_MS = 2000;

/** A metric of `src/http/metrics.ts`, where it is explained. */
const RESTARTS = 'layerd_process_restarts_total';

interface Round {
  readonly id: number;
  readonly missing: Set<number>;
  readonly end: () => void;
}

export class Gatherer {
  private readonly servers = new Map<number, Server>();
  private readonly latest = new Map<number, Snapshot>();
  /** What those that have died had counted; added up with the next round. */
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

  /** What the server counted after its last snapshot is lost. */
  remove({ id }: Server): void {
    const last = this.latest.get(id);
    if (last) this.past.push(growing(last));
    this.servers.delete(id);
    this.latest.delete(id);
    this.deaths++;
    if (this.round) this.receive(id, this.round.id, undefined);
  }

  /** One snapshot of every server, and what those that have died had counted. One round serves all who ask meanwhile. */
  gather(): Promise<readonly Snapshot[]> {
    this.gathering ??= this.collect().finally(() => {
      this.gathering = undefined;
    });
    return this.gathering;
  }

  /** @param snapshot undefined where none will come */
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

  /** As the servers, which know of none, name it: a sum over all. */
  private restarts(): Snapshot[number] {
    const values = [{ value: this.deaths, labels: {} }];
    return { name: RESTARTS, help: '', type: 'counter', aggregator: 'sum', values } as unknown as Snapshot[number];
  }
}

/** Of what only grows: a dead process holds no sessions and has no memory. */
function growing(snapshot: Snapshot): Snapshot {
  return snapshot.filter(
    ({ type, aggregator }) => ['counter', 'histogram'].includes(String(type)) && aggregator === 'sum',
  );
}

async function total(snapshots: readonly Snapshot[]): Promise<Snapshot> {
  // Not at the top: a primary whose servers live has no use for it.
  const { AggregatorRegistry } = await import('prom-client');
  return AggregatorRegistry.aggregate([...snapshots]).getMetricsAsJSON();
}
