import { expect, it, onTestFinished } from 'vitest';
import type { Channel } from '../../src/processes/channel.js';
import { PeerStore } from '../../src/processes/peers.js';
import type { PeerReply, PeerRequest } from '../../src/processes/messages.js';
import { MemoryStore } from '../../src/sessions/memory.js';
import type { Session } from '../../src/sessions/store.js';
import { packed } from '../../src/sessions/packed.js';
import { tensor } from '../../src/tensor/tensor.js';

/** Stores of `count` processes, whose messages are copied on their way as between processes. */
function peers(count: number): PeerStore[] {
  const listeners: ((message: unknown) => void)[] = [];
  const stores = Array.from({ length: count }, (_, index) => {
    const channel: Channel<PeerRequest | PeerReply> = {
      send: (message: PeerRequest | PeerReply) => {
        const { to } = message;
        queueMicrotask(() => {
          listeners[to](structuredClone(message));
        });
      },
      receive: (listener) => {
        listeners[index] = listener;
      },
    };
    return new PeerStore(new MemoryStore({ ttlMs: 60_000, budgetBytes: 10_000 }), index, count, channel);
  });
  onTestFinished(async () => {
    await Promise.all(stores.map((store) => store.close()));
  });
  return stores;
}

const session: Session = {
  layer: 'linear',
  dtype: 'float64',
  plan: { N: 1 },
  tensors: packed({ x: tensor([2], Float64Array.of(1, 2)) }),
};

it('serves a session from every process, and shows it alike', async () => {
  const [first, second, third] = peers(3);
  const token = await second.create(session);
  for (const store of [first, second, third]) {
    const held = await store.use(token);
    expect(held?.plan).toEqual({ N: 1 });
    expect([...(held?.tensors.x.data ?? [])]).toEqual([1, 2]);
    expect((await store.inspect(token))?.layer).toBe('linear');
  }
});

it('deletes a session once, from whichever process', async () => {
  const [first, second] = peers(2);
  const token = await second.create(session);
  expect(await first.delete(token)).toBe(true);
  expect(await second.delete(token)).toBe(false);
  expect(await first.use(token)).toBeUndefined();
});

it('knows no session under a token that no process made', async () => {
  const [first] = peers(2);
  const [, secret] = (await first.create(session)).split('.');
  for (const token of [secret, `1.${secret}`, `7.${secret}`, `-1.${secret}`, `.${secret}`, '', '0.', `0x0.${secret}`])
    expect(await first.use(token), token).toBeUndefined();
});

it('asks the other processes for the owner', async () => {
  const [first, second] = peers(2);
  const token = await second.create({ ...session, owner: 'a' });
  for (const store of [first, second]) {
    expect(await store.use(token, 'b')).toBeUndefined();
    expect(await store.inspect(token)).toBeUndefined();
    expect(await store.delete(token, 'b')).toBe(false);
    expect((await store.use(token, 'a'))?.layer).toBe('linear');
  }
  expect(await first.delete(token, 'a')).toBe(true);
});
