import { AggregatorRegistry, Counter, Gauge, Histogram, Registry } from 'prom-client';
import { describe, expect, it } from 'vitest';
import { Gatherer, type Server } from '../../src/processes/gatherer.js';
import { gathering } from '../../src/processes/gathering.js';
import type {
  GatherReply,
  GatherRequest,
  Snapshot,
  SnapshotReply,
  SnapshotRequest,
} from '../../src/processes/messages.js';
import { samplesOf, valueOf } from '../support/prometheus.js';

/** A server process with a counter, a histogram and a gauge, which answers at once until it is told to be busy. */
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
    private readonly gatherer: Gatherer,
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

/** As the server that was asked puts them together. */
async function together(gatherer: Gatherer) {
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
  it('gives the metrics of all processes', async () => {
    const gatherer = new Gatherer();
    for (const id of [1, 2, 3]) new Process(id, gatherer).work(id);
    expect(await together(gatherer)).toEqual({
      count_total: 6,
      time_count: 6,
      held: 6,
      layerd_process_restarts_total: 0,
    });
  });

  it('counts a process that is too busy to answer as it last was', async () => {
    const gatherer = new Gatherer(20);
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

  it('waits no longer for a process that dies while it is asked, and never was heard', async () => {
    const gatherer = new Gatherer(60_000);
    const [first, second] = [new Process(1, gatherer), new Process(2, gatherer)];
    first.work(1);
    second.busy = true;
    const asked = together(gatherer);
    gatherer.remove(second);
    expect(await asked).toMatchObject({ count_total: 1, layerd_process_restarts_total: 1 });
  });

  it('keeps what a dead process had counted, and not what it held', async () => {
    const gatherer = new Gatherer();
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
    // Its last words, come late, do not bring it back.
    await firstToDie.answer(1);
    expect(await together(gatherer)).toMatchObject({ count_total: 51 });
  });

  it('never lets a sum fall, whatever dies between two that die', async () => {
    const gatherer = new Gatherer();
    const processes = [1, 2, 3].map((id) => new Process(id, gatherer));
    for (const process of processes) process.work(1);
    await together(gatherer);
    for (const process of processes) gatherer.remove(process);
    expect(await together(gatherer)).toMatchObject({ count_total: 3, time_count: 3 });
    expect(await together(gatherer)).toMatchObject({ count_total: 3, time_count: 3 });
  });

  it('asks once for all who want to know at a time, and not at all where nobody can be asked', async () => {
    const gatherer = new Gatherer();
    const process = new Process(1, gatherer);
    await Promise.all([together(gatherer), together(gatherer), together(gatherer)]);
    expect(process.asked).toBe(1);
    process.connected = false;
    await together(gatherer);
    expect(process.asked).toBe(1);
  });
});

describe('a server process', () => {
  it('gives its own metrics to the primary, and gets those of all', async () => {
    const sent: (GatherRequest | SnapshotReply)[] = [];
    const listeners: ((message: unknown) => void)[] = [];
    const own: Snapshot = [];
    const gather = gathering(
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

  it('says that there are none where the primary does not answer in time', async () => {
    const gather = gathering({ send: () => undefined, receive: () => undefined }, () => Promise.resolve([]), 10);
    expect(await gather()).toBeUndefined();
  });
});
