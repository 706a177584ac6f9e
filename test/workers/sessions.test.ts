import { MessageChannel } from 'node:worker_threads';
import { expect, it, onTestFinished } from 'vitest';
import type { Sessions } from '../../src/compute/computation.js';
import { Refusal } from '../../src/refusal.js';
import type { HeldSession } from '../../src/sessions/store.js';
import { RemoteSessions, serveSessions } from '../../src/workers/sessions.js';

const session: HeldSession = {
  layer: 'linear',
  dtype: 'float64',
  plan: { N: 1 },
  tensors: { x: { dtype: 'float64', shape: [2], data: new Float64Array(new SharedArrayBuffer(16)) } },
  created: 1,
  expires: 2,
  bytes: 16,
};

/** A store behind a port; `given` stands in the place of its operations. */
function remote(given: Partial<Sessions>): RemoteSessions {
  const store: Sessions = {
    ttlMs: 1000,
    create: () => Promise.reject(new Error('create')),
    use: () => Promise.reject(new Error('use')),
    delete: () => Promise.reject(new Error('delete')),
    ...given,
  };
  const { port1, port2 } = new MessageChannel();
  serveSessions(port1, store);
  onTestFinished(() => {
    port2.close();
  });
  return new RemoteSessions(store.ttlMs, port2);
}

it('asks the store, and keeps answers apart that come in another order', async () => {
  let answer: (held: HeldSession) => void = () => undefined;
  const seen: unknown[][] = [];
  const sessions = remote({
    create: () => Promise.resolve('token'),
    use: (...asked) => {
      seen.push(asked);
      return new Promise((resolve) => (answer = resolve));
    },
    delete: (...asked) => {
      seen.push(asked);
      return Promise.resolve(true);
    },
  });
  const slow = sessions.use('a', 'somebody');
  expect(await sessions.create(session)).toBe('token');
  expect(await sessions.delete('b')).toBe(true);
  answer(session);
  const found = await slow;
  expect(found).toEqual(session);
  expect(found?.tensors.x.data.buffer).toBeInstanceOf(SharedArrayBuffer);
  expect(seen).toEqual([
    ['a', 'somebody'],
    ['b', undefined],
  ]);
});

it('takes the session that the call brought along', async () => {
  const sessions = remote({});
  sessions.found = session;
  expect(await sessions.use('a')).toBe(session);
  sessions.found = undefined;
  await expect(sessions.use('a')).rejects.toThrow('the session store failed');
});

it('hands a refusal on as it is', async () => {
  const refusal = new Refusal('session-store-full', 'full', [{ path: ['session'], detail: 'full' }], 7);
  await expect(remote({ create: () => Promise.reject(refusal) }).create(session)).rejects.toEqual(refusal);
});

it('says no more of a failure than that there was one', async () => {
  const failing = remote({ delete: () => Promise.reject(new Error('password wrong')) });
  await expect(failing.delete('a')).rejects.toThrow(/^the session store failed$/);
  // And goes on.
  await expect(failing.delete('a')).rejects.toThrow(/^the session store failed$/);
});
