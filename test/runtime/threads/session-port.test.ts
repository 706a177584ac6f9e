import { MessageChannel } from 'node:worker_threads';
import { expect, it, onTestFinished } from 'vitest';
import { Refusal } from '../../../src/refusal.js';
import type { FoundSession, SessionFinder } from '../../../src/sessions/sequences.js';
import { RemoteSessions, serveSessions } from '../../../src/runtime/threads/session-port.js';

const session: FoundSession = {
  token: 'a',
  layer: 'linear',
  dtype: 'float64',
  plan: { N: 1 },
  tensors: { x: { shape: [2], data: new Float64Array(new SharedArrayBuffer(16)) } },
  created: 1,
  expires: 2,
  bytes: 16,
};

/** A store behind a port, with the given `use`. */
function remote(use: SessionFinder['use']): RemoteSessions {
  const { port1, port2 } = new MessageChannel();
  serveSessions(port1, { ttlMs: 1000, use });
  onTestFinished(() => {
    port2.close();
  });
  return new RemoteSessions(1000, port2);
}

it('forwards requests to the store, and matches replies that arrive in another order', async () => {
  let answer: (held: FoundSession) => void = () => undefined;
  const seen: unknown[][] = [];
  const sessions = remote((...asked) => {
    seen.push(asked);
    return asked[0] === 'a' ? new Promise((resolve) => (answer = resolve)) : Promise.resolve(undefined);
  });
  const slow = sessions.use('a', 'somebody');
  expect(await sessions.use({ sequence: '7' })).toBeUndefined();
  answer(session);
  const found = await slow;
  expect(found).toEqual(session);
  expect(found?.tensors.x.data.buffer).toBeInstanceOf(SharedArrayBuffer);
  expect(seen).toEqual([
    ['a', 'somebody'],
    [{ sequence: '7' }, undefined],
  ]);
});

it('passes a refusal on unchanged', async () => {
  const refusal = new Refusal('session-store-unavailable', 'away', [{ path: ['session'], detail: 'away' }], 7);
  await expect(remote(() => Promise.reject(refusal)).use('a')).rejects.toEqual(refusal);
});

it('reveals nothing about a failure', async () => {
  const failing = remote(() => Promise.reject(new Error('password wrong')));
  await expect(failing.use('a')).rejects.toThrow(/^the session store failed$/);
  // The port still works afterwards.
  await expect(failing.use('a')).rejects.toThrow(/^the session store failed$/);
});
