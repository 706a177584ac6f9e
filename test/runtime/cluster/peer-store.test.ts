import { afterEach, expect, it, onTestFinished, vi } from 'vitest';
import type { PeerReply, PeerRequest } from '../../../src/runtime/cluster/protocol.js';
import { PATIENCE_MS, PeerStore } from '../../../src/runtime/cluster/peer-store.js';
import { Relay, type Peer } from '../../../src/runtime/cluster/relay.js';
import { Refusal } from '../../../src/refusal.js';
import { MemoryStore } from '../../../src/sessions/memory-store.js';
import { SequencedSessions } from '../../../src/sessions/sequences.js';
import type { Session } from '../../../src/sessions/store.js';
import { sharedCopies } from '../../../src/tensor/shared.js';
import { tensor } from '../../../src/tensor/tensor.js';
import { createSession } from '../../support/sessions.js';

afterEach(() => {
  vi.useRealTimers();
});

/** A server process as the primary sees it, and its store. Messages are copied, as between processes. */
class Process implements Peer {
  readonly store: PeerStore;
  /** While busy, it leaves its messages unread. */
  busy = false;
  /** Messages to it fail, although its end has not been noticed. */
  broken = false;
  private readonly unread: unknown[] = [];
  private listener: (message: unknown) => void = () => undefined;

  constructor(relay: Relay, index: number, count: number) {
    const local = new MemoryStore({ ttlMs: 60_000, budgetBytes: 10_000 });
    this.store = new PeerStore(local, index, count, {
      send: (message) => {
        const copy = structuredClone(message);
        queueMicrotask(() => {
          relay.pass(this, copy);
        });
      },
      receive: (listener) => {
        this.listener = listener;
      },
    });
    onTestFinished(() => this.store.close());
  }

  send(message: PeerRequest | PeerReply, done: (error: Error | null) => void): void {
    if (this.broken) {
      done(new Error('write EPIPE'));
      return;
    }
    this.unread.push(structuredClone(message));
    if (!this.busy) this.read();
  }

  read(): void {
    this.busy = false;
    for (const message of this.unread.splice(0))
      queueMicrotask(() => {
        this.listener(message);
      });
  }
}

/** Connected processes, and the relay between them. */
function processes(count: number) {
  const relay = new Relay();
  const all = Array.from({ length: count }, (_, index) => new Process(relay, index, count));
  for (const [index, process] of all.entries()) relay.serves(index, process);
  return { relay, all };
}

function peers(count: number): PeerStore[] {
  return processes(count).all.map(({ store }) => store);
}

const session: Session = {
  layer: 'linear',
  dtype: 'float64',
  plan: { N: 1 },
  tensors: sharedCopies({ x: tensor([2], Float64Array.of(1, 2)) }),
};

it('serves a session from every process, with the same description', async () => {
  const [first, second, third] = peers(3);
  const token = await createSession(second, session);
  for (const store of [first, second, third]) {
    const held = await store.use(token);
    expect(held?.plan).toEqual({ N: 1 });
    expect([...(held?.tensors.x.data ?? [])]).toEqual([1, 2]);
    expect((await store.inspect(token))?.layer).toBe('linear');
  }
});

it('deletes a session once, from any process', async () => {
  const [first, second] = peers(2);
  const token = await createSession(second, session);
  expect(await first.delete(token)).toBe(true);
  expect(await second.delete(token)).toBe(false);
  expect(await first.use(token)).toBeUndefined();
});

it('knows no session under a token that no process made', async () => {
  const [first] = peers(2);
  const [, secret] = (await createSession(first, session)).split('.');
  for (const token of [secret, `1.${secret}`, `7.${secret}`, `-1.${secret}`, `.${secret}`, '', '0.', `0x0.${secret}`])
    expect(await first.use(token), token).toBeUndefined();
});

it('asks the other processes for the owner', async () => {
  const [first, second] = peers(2);
  const token = await createSession(second, { ...session, owner: 'a' });
  for (const store of [first, second]) {
    expect(await store.use(token, 'b')).toBeUndefined();
    expect(await store.inspect(token)).toBeUndefined();
    expect(await store.delete(token, 'b')).toBe(false);
    expect((await store.use(token, 'a'))?.layer).toBe('linear');
  }
  expect(await first.delete(token, 'a')).toBe(true);
});

/** The outcome of a request, as the client sees it. */
async function refusalOf(asked: Promise<unknown>): Promise<Refusal | undefined> {
  return asked.then(
    () => undefined,
    (error: unknown) => error as Refusal,
  );
}

it('refuses, instead of reporting that there is no session, if its process is slow', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setImmediate'] });
  const [first, second] = processes(2).all;
  const token = await createSession(second.store, session);
  second.busy = true;
  const asked = (['use', 'inspect', 'delete'] as const).map((operation) => refusalOf(first.store[operation](token)));
  await vi.advanceTimersByTimeAsync(PATIENCE_MS + 1);
  for (const refusal of await Promise.all(asked)) {
    expect(refusal).toBeInstanceOf(Refusal);
    expect(refusal).toMatchObject({
      kind: 'session-store-unavailable',
      message: 'the process that keeps the session has not answered within 5 s; try again',
      retryAfterSeconds: 2,
    });
  }
  // It still handles what it reads late; its late replies belong to no later request.
  const other = await createSession(second.store, { ...session, layer: 'dropout' });
  second.read();
  expect((await first.store.use(other))?.layer).toBe('dropout');
  expect(await first.store.use(token)).toBeUndefined();
});

it('accepts a reply that arrived while the requesting process was busy', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setImmediate'] });
  const [first, second] = processes(2).all;
  const token = await createSession(second.store, session);
  second.busy = true;
  const asked = first.store.use(token);
  // When it is no longer busy, its timer fires first.
  vi.advanceTimersByTime(PATIENCE_MS);
  second.read();
  expect((await asked)?.layer).toBe('linear');
});

it('treats the sessions of a dead process as gone, and does not wait for it', async () => {
  const { relay, all } = processes(2);
  const [first, second] = all;
  const token = await createSession(second.store, session);
  second.busy = true;
  const asked = [first.store.use(token), first.store.inspect(token)];
  const deleted = first.store.delete(token);
  await Promise.resolve();
  relay.died(1, second);
  expect(await Promise.all(asked)).toEqual([undefined, undefined]);
  expect(await deleted).toBe(false);
  // Nor does it wait for the next process to start, which then answers for itself.
  expect(await first.store.use(token)).toBeUndefined();
  const next = new Process(relay, 1, 2);
  expect(await first.store.use(token)).toBeUndefined();
  relay.serves(1, next);
  expect(await first.store.use(token)).toBeUndefined();
  expect((await first.store.use(await createSession(next.store, session)))?.layer).toBe('linear');
});

it('treats a process as dead if no message reaches it', async () => {
  const [first, second] = processes(2).all;
  const token = await createSession(second.store, session);
  second.broken = true;
  expect(await first.store.use(token)).toBeUndefined();
});

it('sends no reply to the successor of the process that asked', async () => {
  const { relay, all } = processes(2);
  const [first, second] = all;
  const secret = await createSession(second.store, { ...session, layer: 'dropout', owner: 'a' });
  const token = await createSession(second.store, session);
  second.busy = true;
  // It is never answered, and is refused after the time limit.
  void refusalOf(first.store.use(secret, 'a'));
  await Promise.resolve();
  relay.died(0, first);
  const next = new Process(relay, 0, 2);
  relay.serves(0, next);
  const asked = next.store.use(token);
  await Promise.resolve();
  second.read();
  expect((await asked)?.layer).toBe('linear');
});

it('ignores messages of other protocols', () => {
  const { relay, all } = processes(1);
  for (const message of [null, 'something else', { kind: 'gather-request', id: 1 }])
    expect(relay.pass(all[0], message)).toBe(false);
});

it('finds a sequence from every process, and deletes its previous session', async () => {
  const stores = peers(3);
  const [first, second, third] = stores.map((store) => new SequencedSessions(store));
  for (const id of ['1', '2', '"a"', '"b"', '"c"', '"d"']) {
    await createSession(first, { ...session, owner: 'a' }, id);
    const again = await createSession(second, { ...session, owner: 'a' }, id);
    for (const sessions of [first, second, third]) {
      expect((await sessions.use({ sequence: id }, 'a'))?.token).toBe(again);
      expect(await sessions.use({ sequence: id }, 'b')).toBeUndefined();
      expect(await sessions.use({ sequence: id })).toBeUndefined();
    }
    expect(await third.delete(again, 'a', id)).toBe(true);
    expect(await first.use({ sequence: id }, 'a')).toBeUndefined();
  }
  for (const store of stores) expect(await store.usage()).toMatchObject({ sessions: 0 });
});

it('starts no sequence if its home process has died', async () => {
  const { relay, all } = processes(2);
  const [first, second] = all;
  relay.died(1, second);
  const bound = await Promise.all([0, 1, 2, 3].map((home) => refusalOf(first.store.bind(`0000000${home}`, 'token'))));
  expect(bound.map((refusal) => refusal?.kind)).toEqual([
    undefined,
    'session-store-unavailable',
    undefined,
    'session-store-unavailable',
  ]);
});
