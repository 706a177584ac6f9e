import { AggregatorRegistry, Counter, Gauge, Histogram, Registry } from 'prom-client';
import { describe, expect, it } from 'vitest';
import { ClusterMetrics, type Server } from '../../../src/runtime/cluster/metrics-primary.js';
import { createGather } from '../../../src/runtime/cluster/metrics-server.js';
import type {
  GatherReply,
  GatherRequest,
  Snapshot,
  SnapshotReply,
  SnapshotRequest,
} from '../../../src/runtime/cluster/protocol.js';
import { samplesOf, valueOf } from '../../support/prometheus.js';

/** A server process with a counter, a histogram and a gauge, which answers immediately unless it is busy. */
class Process implements Server {
  busy = false;
  connected = true;
  asked = 0;
  private readonly registry = new Registry();
  private readonly settings = { help: 'For the test.', registers: [this.registry] };
  private readonly count = new Counter({ name: 'count_total', ...this.settings });
  private readonly time = new Histogram({ name: 'time', buckets: [1], ...this.settings });
  private readonly held = new Gauge({ name: 'held', ...this.settings });

  constructor(
    readonly id: number,
    private readonly gatherer: ClusterMetrics,
  ) {
    gatherer.add(this);
  }

  work(times: number): void {
    for (let i = 0; i < times; i++) {
      this.count.inc();
      this.time.observe(0.5);
      this.held.inc();
    }
  }

  isConnected(): boolean {
    return this.connected;
  }

  send({ id }: SnapshotRequest): void {
    this.asked++;
    if (!this.busy) void this.answer(id);
  }

  async answer(round: number): Promise<void> {
    const snapshot = structuredClone(await this.registry.getMetricsAsJSON()) as unknown as Snapshot;
    this.gatherer.receive(this.id, round, snapshot);
  }
}

/** The metrics as the server that was asked aggregates them. */
async function together(gatherer: ClusterMetrics) {
  const snapshots = structuredClone(await gatherer.gather());
  const samples = samplesOf(await AggregatorRegistry.aggregate([...snapshots]).metrics());
  return Object.fromEntries(
    ['count_total', 'time_count', 'held', 'layerd_process_restarts_total'].map((name) => [
      name,
      valueOf(samples, name),
    ]),
  );
}

describe('the primary', () => {
  it('returns the metrics of all processes', async () => {
    const gatherer = new ClusterMetrics();
    for (const id of [1, 2, 3]) new Process(id, gatherer).work(id);
    expect(await together(gatherer)).toEqual({
      count_total: 6,
      time_count: 6,
      held: 6,
      layerd_process_restarts_total: 0,
    });
  });

  it('uses the last reply of a process that is too busy to answer', async () => {
    const gatherer = new ClusterMetrics(20);
    const [first, second] = [new Process(1, gatherer), new Process(2, gatherer)];
    first.work(1);
    second.work(10);
    await together(gatherer);
    first.work(1);
    second.work(10);
    second.busy = true;
    expect(await together(gatherer)).toMatchObject({ count_total: 12, time_count: 12, held: 12 });
    second.busy = false;
    expect(await together(gatherer)).toMatchObject({ count_total: 22, time_count: 22, held: 22 });
  });

  it('does not wait for a process that dies before it ever answers', async () => {
    const gatherer = new ClusterMetrics(60_000);
    const [first, second] = [new Process(1, gatherer), new Process(2, gatherer)];
    first.work(1);
    second.busy = true;
    const asked = together(gatherer);
    gatherer.remove(second);
    expect(await asked).toMatchObject({ count_total: 1, layerd_process_restarts_total: 1 });
  });

  it('keeps the counters of a dead process, but not its gauges', async () => {
    const gatherer = new ClusterMetrics();
    const processes = [1, 2].map((id) => new Process(id, gatherer));
    const [, firstToDie] = processes;
    processes[0].work(1);
    for (let id = 3; id < 8; id++) {
      const dying = processes[1];
      dying.work(10);
      await together(gatherer);
      gatherer.remove(dying);
      processes[1] = new Process(id, gatherer);
    }
    expect(await together(gatherer)).toEqual({
      count_total: 51,
      time_count: 51,
      held: 1,
      layerd_process_restarts_total: 5,
    });
    // A late reply does not bring the process back.
    await firstToDie.answer(1);
    expect(await together(gatherer)).toMatchObject({ count_total: 51 });
  });

  it('never decreases a sum, even if processes die one after another', async () => {
    const gatherer = new ClusterMetrics();
    const processes = [1, 2, 3].map((id) => new Process(id, gatherer));
    for (const process of processes) process.work(1);
    await together(gatherer);
    for (const process of processes) gatherer.remove(process);
    expect(await together(gatherer)).toMatchObject({ count_total: 3, time_count: 3 });
    expect(await together(gatherer)).toMatchObject({ count_total: 3, time_count: 3 });
  });

  it('asks once for all concurrent requests, and not at all if no process can be asked', async () => {
    const gatherer = new ClusterMetrics();
    const process = new Process(1, gatherer);
    await Promise.all([together(gatherer), together(gatherer), together(gatherer)]);
    expect(process.asked).toBe(1);
    process.connected = false;
    await together(gatherer);
    expect(process.asked).toBe(1);
  });
});

describe('a server process', () => {
  it('sends its metrics to the primary, and receives those of all processes', async () => {
    const sent: (GatherRequest | SnapshotReply)[] = [];
    const listeners: ((message: unknown) => void)[] = [];
    const own: Snapshot = [];
    const gather = createGather(
      { send: (message) => sent.push(message), receive: (listener) => listeners.push(listener) },
      () => Promise.resolve(own),
    );
    const tell = (message: SnapshotRequest | GatherReply | null | string) => {
      for (const listener of listeners) listener(message);
    };
    const [first, second] = [gather(), gather()];
    expect(sent).toEqual([
      { kind: 'gather-request', id: 1 },
      { kind: 'gather-request', id: 2 },
    ]);
    tell({ kind: 'gather-reply', id: 2, snapshots: [[], []] });
    tell(null);
    tell('something else');
    tell({ kind: 'gather-reply', id: 1, snapshots: [[]] });
    expect(await first).toEqual([[]]);
    expect(await second).toEqual([[], []]);
    tell({ kind: 'snapshot-request', id: 7 });
    await Promise.resolve();
    expect(sent[2]).toEqual({ kind: 'snapshot-reply', id: 7, snapshot: own });
  });

  it('fails if the primary does not answer in time', async () => {
    const gather = createGather({ send: () => undefined, receive: () => undefined }, () => Promise.resolve([]), 10);
    expect(await gather()).toBeUndefined();
  });
});
