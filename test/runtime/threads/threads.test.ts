import { expect, it, onTestFinished } from 'vitest';
import type { Call, Environment } from '../../../src/calls/call.js';
import { Threads } from '../../../src/runtime/threads/threads.js';
import { kernels } from '../../../src/runtime/kernels.js';
import { MemoryStore } from '../../../src/sessions/memory-store.js';
import { SequencedSessions } from '../../../src/sessions/sequences.js';
import { until } from '../../support/until.js';

const gateThread = new URL('../../support/gate-thread.mjs', import.meta.url).href;

function createThreads(count: number, file = gateThread, died: (error: Error) => void = () => undefined): Threads {
  const store = new MemoryStore({ ttlMs: 1000, budgetBytes: 1000 });
  const environment: Environment = {
    kernels,
    limits: { operations: 1, resultBytes: 1 },
    sessions: new SequencedSessions(store),
    tokens: store.tokens,
    draw: () => 0,
  };
  const threads = new Threads(count, environment, died, file);
  onTestFinished(async () => {
    await threads.close();
    await store.close();
  });
  return threads;
}

/** A call that ends when it is told to. */
function gated() {
  const words = new Int32Array(new SharedArrayBuffer(8));
  const call: Call = {
    layer: 'linear',
    direction: 'forward',
    contentType: 'application/json',
    accept: 'application/json',
    body: Buffer.from(words.buffer),
  };
  return {
    call,
    hasBegun: () => Atomics.load(words, 0) === 1,
    begun: () =>
      until(() => {
        expect(Atomics.load(words, 0)).toBe(1);
      }),
    end: () => {
      Atomics.store(words, 1, 1);
      Atomics.notify(words, 1);
    },
  };
}

it('are busy with no more calls than there are threads, from the first call on', async () => {
  const threads = createThreads(2);
  const calls = [gated(), gated(), gated()];
  const outcomes = calls.map(({ call }) => threads.run(call));
  expect(threads.usage()).toEqual({ threads: 2, queued: 1, busy: 2 });
  await calls[1].begun();
  expect(threads.usage()).toEqual({ threads: 2, queued: 1, busy: 2 });
  calls[1].end();
  await outcomes[1];
  await calls[2].begun();
  expect(threads.usage()).toEqual({ threads: 2, queued: 0, busy: 2 });
  calls.forEach(({ end }) => {
    end();
  });
  await Promise.all(outcomes);
  expect(threads.usage()).toEqual({ threads: 2, queued: 0, busy: 0 });
});

it('do not begin a call whose client has gone, and drop the outcome of one that has begun', async () => {
  const threads = createThreads(1);
  const [running, left, next] = [gated(), gated(), gated()];
  const clients = [new AbortController(), new AbortController()];
  const outcome = threads.run(running.call, clients[0].signal);
  const abandoned = threads.run(left.call, clients[1].signal);
  const following = threads.run(next.call);
  await running.begun();
  const reason = new Error('gone');
  clients.forEach((client) => {
    client.abort(reason);
  });
  await expect(abandoned).rejects.toBe(reason);
  expect(threads.usage()).toEqual({ threads: 1, queued: 1, busy: 1 });
  running.end();
  await expect(outcome).rejects.toBe(reason);
  await next.begun();
  next.end();
  expect(await following).toEqual({ pieces: [] });
  expect(left.hasBegun()).toBe(false);
  await expect(threads.run(left.call, clients[1].signal)).rejects.toBe(reason);
  expect(threads.usage()).toEqual({ threads: 1, queued: 0, busy: 0 });
});

it('that die without a call are reported, and the next call has new ones', async () => {
  const deaths: string[] = [];
  const failing = new URL('../../support/failing-thread.mjs', import.meta.url).href;
  const threads = createThreads(2, failing, ({ message }) => {
    deaths.push(message);
  });
  // Only one of the two threads has a call to fail.
  for (let round = 1; round <= 2; round++) {
    const before = deaths.length;
    await expect(threads.run(gated().call)).rejects.toThrow();
    await until(() => {
      expect(deaths.length).toBeGreaterThan(before);
    });
  }
  expect(new Set(deaths)).toEqual(new Set(['this thread cannot start']));
  expect(threads.usage()).toEqual({ threads: 2, queued: 0, busy: 0 });
});
