/** The contract of every session store, whatever it stores the sessions in. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Refusal } from '../../src/refusal.js';
import type { HeldSession, Session, SessionStore } from '../../src/sessions/store.js';
import { tensor } from '../../src/tensor/tensor.js';
import { createSession } from '../support/sessions.js';

export interface StoreOptions {
  readonly ttlMs: number;
  /** The size limit of one session. */
  readonly budgetBytes: number;
  /** The room for all sessions together. */
  readonly roomBytes: number;
}

/** An empty store, and its clock. */
export interface OpenStore {
  readonly store: SessionStore;
  /** Milliseconds since 1970, by the store's clock. */
  readonly now: () => number;
  readonly advance: (ms: number) => void | Promise<void>;
  /** How far a clock that cannot be stopped may advance during a test. */
  readonly leewayMs: number;
}

export type Open = (options: StoreOptions) => OpenStore | Promise<OpenStore>;

/** Long, so that a test takes a negligible part of it where time cannot be stopped. */
const TTL_MS = 3_600_000;

/** A session with a tensor of this many float64 values. */
function session(length: number, layer = 'linear'): Session {
  const x = tensor(
    [length],
    Float64Array.from({ length }, (_, i) => i + 0.5),
  );
  return { layer, dtype: 'float64', plan: { N: length }, tensors: { x } };
}

export async function refusalOf(work: Promise<unknown>): Promise<Refusal> {
  const error: unknown = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (error instanceof Refusal) return error;
  throw new Error('nothing was refused', { cause: error });
}

/** The overhead of a session depends on the store, so its size is measured. */
async function bytesOfOne(store: SessionStore, length: number): Promise<number> {
  const token = await createSession(store, session(length));
  const bytes = (await store.inspect(token))?.bytes ?? NaN;
  await store.delete(token);
  return bytes;
}

const AMPLE = { ttlMs: TTL_MS, budgetBytes: 2 ** 30, roomBytes: 2 ** 30 };

export function storeContract(name: string, open: Open): void {
  describe(`a session store in ${name}`, () => {
    let opened: OpenStore;
    let store: SessionStore;

    async function reopen(options: Partial<StoreOptions>): Promise<void> {
      await opened.store.close();
      opened = await open({ ...AMPLE, ...options });
      store = opened.store;
    }

    beforeEach(async () => {
      opened = await open(AMPLE);
      store = opened.store;
    });
    afterEach(() => opened.store.close());

    describe('keeps a session', () => {
      it('and returns it unchanged', async () => {
        const given: Session = {
          layer: 'pooling',
          dtype: 'float32',
          plan: { outputs: { out: [1, 2] }, mode: 'max', axes: [{ input: 3 }], rate: 0.1, biased: false },
          tensors: {
            floats: tensor([2, 2], Float32Array.of(0.1, NaN, -Infinity, -0)),
            doubles: tensor([1, 2], Float64Array.of(0.1, 5e-324)),
            indices: tensor([1, 1, 2], Int32Array.of(-1, 2 ** 31 - 1)),
            mask: tensor([3], Uint8Array.of(0, 1, 1)),
          },
        };
        const token = await createSession(store, given);
        expect(await store.inspect(token)).toMatchObject(given);
        expect(await store.use(token)).toMatchObject(given);
        expect(await store.use(token)).toMatchObject(given);
      });

      it('under a token that cannot be guessed and is valid in a URL', async () => {
        const tokens = await Promise.all(Array.from({ length: 1000 }, () => createSession(store, session(1))));
        expect(new Set(tokens).size).toBe(1000);
        // 128 bits are 22 characters of base64url.
        for (const token of tokens) expect(token).toMatch(/^[\w-]{22,128}$/);
        const first = new Set(tokens.map((token) => token.slice(0, 4)));
        expect(first.size).toBeGreaterThan(990);
      });

      it('with its creation and expiry dates', async () => {
        const made = opened.now();
        const token = await createSession(store, session(1));
        expect(store.ttlMs).toBe(TTL_MS);
        const expectDates = (held: HeldSession | undefined, used: number) => {
          const { created, expires } = held ?? { created: NaN, expires: NaN };
          for (const [date, expected] of [
            [created, made],
            [expires, used + TTL_MS],
          ]) {
            expect(date).toBeGreaterThanOrEqual(expected);
            expect(date).toBeLessThanOrEqual(expected + opened.leewayMs);
          }
        };
        expectDates(await store.inspect(token), made);
        await opened.advance(TTL_MS / 6);
        expectDates(await store.use(token), made + TTL_MS / 6);
        await opened.advance(TTL_MS / 6);
        expectDates(await store.inspect(token), made + TTL_MS / 6);
      });

      it('separately from all others', async () => {
        const tokens = await Promise.all(Array.from({ length: 50 }, (_, i) => createSession(store, session(i + 1))));
        for (const [i, token] of tokens.entries()) expect(await store.use(token)).toMatchObject(session(i + 1));
      });
    });

    describe('forgets a session', () => {
      it('that is deleted, once', async () => {
        const token = await createSession(store, session(1));
        expect(await store.delete(token)).toBe(true);
        expect(await store.delete(token)).toBe(false);
        expect(await store.use(token)).toBeUndefined();
        expect(await store.inspect(token)).toBeUndefined();
      });

      it('that never existed', async () => {
        for (const token of ['', 'x', '__proto__', 'constructor', 'é'.repeat(128)]) {
          expect(await store.use(token)).toBeUndefined();
          expect(await store.inspect(token)).toBeUndefined();
          expect(await store.delete(token)).toBe(false);
        }
      });

      it('when its lifetime ends, and not before', async () => {
        const token = await createSession(store, session(1));
        await opened.advance(TTL_MS - opened.leewayMs - 1);
        expect(await store.inspect(token)).toBeDefined();
        await opened.advance(opened.leewayMs + 1);
        expect(await store.inspect(token)).toBeUndefined();
        expect(await store.use(token)).toBeUndefined();
        expect(await store.delete(token)).toBe(false);
      });

      it('later after each use, but not after peeking', async () => {
        const [used, seen] = [await createSession(store, session(1)), await createSession(store, session(1))];
        for (let i = 0; i < 5; i++) {
          await opened.advance(TTL_MS * 0.75);
          expect(await store.use(used)).toBeDefined();
          expect((await store.inspect(seen)) !== undefined).toBe(i === 0);
        }
        await opened.advance(TTL_MS);
        expect(await store.use(used)).toBeUndefined();
      });

      it('in the order of last use, not of creation', async () => {
        const [a, b, c] = [
          await createSession(store, session(1)),
          await createSession(store, session(2)),
          await createSession(store, session(3)),
        ];
        await opened.advance(TTL_MS / 6);
        await store.use(b);
        await opened.advance(TTL_MS / 6);
        await store.use(a);
        const alive = async () => {
          const held = await Promise.all([a, b, c].map((token) => store.inspect(token)));
          return held.map((found) => found !== undefined);
        };
        await opened.advance((TTL_MS * 4) / 6);
        expect(await alive()).toEqual([true, true, false]);
        await opened.advance(TTL_MS / 6);
        expect(await alive()).toEqual([true, false, false]);
        await opened.advance(TTL_MS / 6);
        expect(await alive()).toEqual([false, false, false]);
      });
    });

    describe('restricts a session to its owner', () => {
      it('and does not let others find or delete it', async () => {
        const token = await createSession(store, { ...session(1), owner: 'a' });
        for (const other of [undefined, 'b', '', 'A', 'a ', 'undefined']) {
          expect(await store.use(token, other)).toBeUndefined();
          expect(await store.inspect(token, other)).toBeUndefined();
          expect(await store.delete(token, other)).toBe(false);
        }
        expect(await store.inspect(token, 'a')).toMatchObject(session(1));
        expect(await store.use(token, 'a')).toMatchObject(session(1));
        expect(await store.delete(token, 'a')).toBe(true);
        expect(await store.use(token, 'a')).toBeUndefined();
      });

      it('or to requests without an owner, if it has none', async () => {
        const token = await createSession(store, { ...session(1), owner: undefined });
        for (const someone of ['a', '', 'undefined']) {
          expect(await store.use(token, someone)).toBeUndefined();
          expect(await store.inspect(token, someone)).toBeUndefined();
          expect(await store.delete(token, someone)).toBe(false);
        }
        expect(await store.use(token)).toMatchObject(session(1));
        expect(await store.delete(token)).toBe(true);
      });

      it('and does not reveal the owner', async () => {
        const token = await createSession(store, { ...session(1), owner: 'a' });
        expect(await store.inspect(token, 'a')).not.toHaveProperty('owner');
        expect(await store.use(token, 'a')).not.toHaveProperty('owner');
      });

      it('and does not prolong it for others', async () => {
        const token = await createSession(store, { ...session(1), owner: 'a' });
        await opened.advance(TTL_MS * 0.75);
        expect(await store.use(token, 'b')).toBeUndefined();
        await opened.advance(TTL_MS * 0.5);
        expect(await store.use(token, 'a')).toBeUndefined();
      });

      it('whatever the owner’s name', async () => {
        for (const owner of ['a:b', '{a}', '__proto__', 'é😀', 'x'.repeat(1000), ' ', '*']) {
          const token = await createSession(store, { ...session(1), owner });
          expect(await store.use(token, owner)).toMatchObject(session(1));
          expect(await store.use(`${token}:${owner}`)).toBeUndefined();
          expect(await store.delete(token, owner)).toBe(true);
        }
      });
    });

    describe('when it is full', () => {
      const ROOM_BYTES = 16 * 2 ** 20;
      /** A tensor of 1 MiB. */
      const LENGTH = 2 ** 17;

      /** The tokens of all sessions that fit. */
      async function fill(): Promise<string[]> {
        const tokens: string[] = [];
        for (;;) {
          const made = await createSession(store, session(LENGTH)).catch((error: unknown) => error);
          if (typeof made !== 'string') {
            expect((made as Refusal).kind).toBe('session-store-full');
            return tokens;
          }
          tokens.push(made);
          expect(tokens.length).toBeLessThan(20);
        }
      }

      beforeEach(() => reopen({ budgetBytes: ROOM_BYTES, roomBytes: ROOM_BYTES }));

      it('refuses another session, and says when to retry', async () => {
        expect((await fill()).length).toBeGreaterThan(4);
        const refusal = await refusalOf(createSession(store, session(LENGTH)));
        expect(refusal.kind).toBe('session-store-full');
        expect(refusal.message).toContain(`the session needs ${8 * LENGTH + 1024} bytes`);
        expect(refusal.message).toMatch(/by live sessions$/);
        expect(refusal.retryAfterSeconds).toBeGreaterThanOrEqual(1);
        expect(refusal.retryAfterSeconds).toBeLessThanOrEqual(TTL_MS / 1000);
      });

      it('never discards a live session', async () => {
        const tokens = await fill();
        for (let i = 0; i < 20; i++)
          expect((await refusalOf(createSession(store, session(LENGTH)))).kind).toBe('session-store-full');
        for (const token of tokens) {
          expect(await store.use(token)).toMatchObject({ layer: 'linear' });
          expect((await store.inspect(token))?.tensors.x.data.at(-1)).toBe(LENGTH - 0.5);
        }
      });

      it('has room again after a deletion and after sessions expire', async () => {
        const tokens = await fill();
        for (const token of tokens.slice(0, 3)) expect(await store.delete(token)).toBe(true);
        await createSession(store, session(LENGTH));
        await fill();
        await opened.advance(TTL_MS);
        await createSession(store, session(LENGTH));
      });

      it('keeps every session that it accepted, of many at once', async () => {
        const results = await Promise.allSettled(
          Array.from({ length: 20 }, () => createSession(store, session(LENGTH))),
        );
        const tokens = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
        expect(tokens.length).toBeGreaterThan(0);
        expect(tokens.length).toBeLessThan(20);
        for (const token of tokens) expect(await store.use(token)).toBeDefined();
      });
    });

    describe('has a size limit for sessions', () => {
      it('and says immediately that a larger one can never be stored', async () => {
        const bytes = await bytesOfOne(store, 10);
        await reopen({ budgetBytes: bytes });
        const refusal = await refusalOf(createSession(store, session(11)));
        expect(refusal.kind).toBe('session-too-large');
        expect(refusal.message).toContain(`${bytes + 8} bytes`);
        expect(refusal.message).toContain(`at most ${bytes}`);
        expect(refusal.retryAfterSeconds).toBeUndefined();
        await createSession(store, session(10));
      });

      it('of zero, which admits no session', async () => {
        await reopen({ budgetBytes: 0 });
        const refusal = await refusalOf(
          createSession(store, { layer: 'dropout', dtype: 'float64', plan: {}, tensors: {} }),
        );
        expect(refusal.kind).toBe('session-too-large');
      });
    });

    describe('keeps names', () => {
      const NAME = 'a'.repeat(64);

      it('that lead to the token bound last', async () => {
        expect(await store.tokenOf(NAME)).toBeUndefined();
        expect(await store.bind(NAME, 'first')).toBeUndefined();
        expect(await store.bind(NAME, 'second')).toBe('first');
        expect(await store.tokenOf(NAME)).toBe('second');
        expect(await store.tokenOf('b'.repeat(64))).toBeUndefined();
      });

      it('until they are removed, unless they lead to another token by then', async () => {
        await store.bind(NAME, 'first');
        await store.unbind(NAME, 'other');
        expect(await store.tokenOf(NAME)).toBe('first');
        await store.unbind(NAME, 'first');
        expect(await store.tokenOf(NAME)).toBeUndefined();
        await store.unbind(NAME, 'first');
      });

      it('that are not tokens themselves', async () => {
        const token = await createSession(store, session(1));
        await store.bind(NAME, token);
        expect(await store.use(NAME)).toBeUndefined();
        expect(await store.tokenOf(token)).toBeUndefined();
        expect(await store.delete(NAME)).toBe(false);
        expect(await store.use(token)).toBeDefined();
      });
    });

    it('is available', async () => {
      await expect(store.check()).resolves.toBeUndefined();
    });

    it('lets only one of many concurrent deletions succeed', async () => {
      const token = await createSession(store, session(10));
      const results = await Promise.all(Array.from({ length: 20 }, () => store.delete(token)));
      expect(results.filter(Boolean)).toHaveLength(1);
    });

    it('measures the size of a session by its tensors', async () => {
      expect((await bytesOfOne(store, 1000)) - (await bytesOfOne(store, 10))).toBe(990 * 8);
      const token = await createSession(store, { layer: 'dropout', dtype: 'float64', plan: {}, tensors: {} });
      expect((await store.inspect(token))?.bytes).toBeGreaterThan(0);
    });
  });
}

/** The contract of a store that holds the sessions itself, and so counts them to the byte. */
export function countingStoreContract(name: string, open: Open): void {
  describe(`a session store in ${name}`, () => {
    let opened: OpenStore;
    let store: SessionStore;

    async function reopen(budgetBytes: number): Promise<void> {
      await opened.store.close();
      opened = await open({ ttlMs: TTL_MS, budgetBytes, roomBytes: budgetBytes });
      store = opened.store;
    }

    beforeEach(async () => {
      opened = await open(AMPLE);
      store = opened.store;
    });
    afterEach(() => opened.store.close());

    it('forgets everything when it is closed', async () => {
      const token = await createSession(store, session(1));
      await store.close();
      expect(await store.inspect(token)).toBeUndefined();
    });

    describe('counts', () => {
      it('nothing at first', async () => {
        expect(await store.usage()).toEqual({ sessions: 0, bytes: 0 });
      });

      it('what it holds, without deleted or expired sessions', async () => {
        const a = await createSession(store, session(10));
        const bytesOfA = (await store.inspect(a))?.bytes ?? NaN;
        await opened.advance(1000);
        const b = await createSession(store, session(1000));
        const bytesOfB = (await store.inspect(b))?.bytes ?? NaN;
        expect(bytesOfB - bytesOfA).toBe(990 * 8);
        expect(await store.usage()).toEqual({ sessions: 2, bytes: bytesOfA + bytesOfB });
        await store.use(b);
        expect(await store.usage()).toEqual({ sessions: 2, bytes: bytesOfA + bytesOfB });
        await store.delete(a);
        expect(await store.usage()).toEqual({ sessions: 1, bytes: bytesOfB });
        await store.delete(a);
        expect(await store.usage()).toEqual({ sessions: 1, bytes: bytesOfB });
        await opened.advance(TTL_MS);
        expect(await store.usage()).toEqual({ sessions: 0, bytes: 0 });
      });

      it('overhead for a session without tensors', async () => {
        await createSession(store, { layer: 'dropout', dtype: 'float64', plan: {}, tensors: {} });
        const { sessions, bytes } = (await store.usage()) ?? { sessions: NaN, bytes: NaN };
        expect(sessions).toBe(1);
        expect(bytes).toBeGreaterThan(0);
      });
    });

    describe('has a budget', () => {
      it('that can be used to the last byte', async () => {
        const bytes = await bytesOfOne(store, 100);
        await reopen(3 * bytes);
        for (let i = 0; i < 3; i++) await createSession(store, session(100));
        expect(await store.usage()).toEqual({ sessions: 3, bytes: 3 * bytes });
        const refusal = await refusalOf(createSession(store, session(1)));
        expect(refusal.kind).toBe('session-store-full');
      });

      it('and refuses sessions beyond it, with both numbers, until the next session expires', async () => {
        const bytes = await bytesOfOne(store, 100);
        await reopen(2 * bytes + 8);
        await createSession(store, session(100));
        await opened.advance(20_500);
        await createSession(store, session(100));
        const refusal = await refusalOf(createSession(store, session(100)));
        expect(refusal.kind).toBe('session-store-full');
        expect(refusal.message).toContain(`${bytes} bytes`);
        expect(refusal.message).toContain(`${2 * bytes} of ${2 * bytes + 8}`);
        expect(refusal.retryAfterSeconds).toBe(TTL_MS / 1000 - 20);
        await opened.advance(TTL_MS - 20_501);
        expect((await refusalOf(createSession(store, session(100)))).retryAfterSeconds).toBe(1);
        await opened.advance(1);
        await createSession(store, session(100));
      });

      it('and never discards a live session to keep to it', async () => {
        const bytes = await bytesOfOne(store, 10);
        await reopen(4 * bytes);
        const tokens = await Promise.all([1, 2, 3, 4].map(() => createSession(store, session(10))));
        for (let i = 0; i < 20; i++)
          expect((await refusalOf(createSession(store, session(10)))).kind).toBe('session-store-full');
        for (const token of tokens) expect(await store.use(token)).toMatchObject(session(10));
        expect(await store.usage()).toEqual({ sessions: 4, bytes: 4 * bytes });
      });

      it('that has room again after a deletion', async () => {
        const bytes = await bytesOfOne(store, 10);
        await reopen(bytes);
        const token = await createSession(store, session(10));
        await refusalOf(createSession(store, session(10)));
        await store.delete(token);
        await createSession(store, session(10));
        expect(await store.usage()).toEqual({ sessions: 1, bytes });
      });

      it('and says immediately that a session can never be stored', async () => {
        const bytes = await bytesOfOne(store, 10);
        await reopen(bytes);
        for (const hold of [0, 1]) {
          if (hold) await createSession(store, session(10));
          const refusal = await refusalOf(createSession(store, session(11)));
          expect(refusal.kind).toBe('session-too-large');
          expect(refusal.message).toContain(`${bytes + 8} bytes`);
          expect(refusal.message).toContain(`at most ${bytes}`);
          expect(refusal.retryAfterSeconds).toBeUndefined();
        }
        expect(await store.usage()).toEqual({ sessions: 1, bytes });
      });

      it('of zero, which admits no session', async () => {
        await reopen(0);
        const refusal = await refusalOf(
          createSession(store, { layer: 'dropout', dtype: 'float64', plan: {}, tensors: {} }),
        );
        expect(refusal.kind).toBe('session-too-large');
      });
    });

    describe('serves many requests at once', () => {
      it('without exceeding its budget', async () => {
        const bytes = await bytesOfOne(store, 10);
        await reopen(50 * bytes);
        const results = await Promise.allSettled(Array.from({ length: 200 }, () => createSession(store, session(10))));
        const kept = results.filter(({ status }) => status === 'fulfilled');
        expect(kept).toHaveLength(50);
        expect(await store.usage()).toEqual({ sessions: 50, bytes: 50 * bytes });
      });

      it('and lets only one of them delete', async () => {
        const token = await createSession(store, session(10));
        const results = await Promise.all(Array.from({ length: 20 }, () => store.delete(token)));
        expect(results.filter(Boolean)).toHaveLength(1);
        expect(await store.usage()).toEqual({ sessions: 0, bytes: 0 });
      });

      it('and keeps its accounts correct throughout', async () => {
        const bytes = await bytesOfOne(store, 10);
        await reopen(20 * bytes);
        const live = new Set<string>();
        for (let round = 0; round < 20; round++) {
          const made = await Promise.allSettled(Array.from({ length: 7 }, () => createSession(store, session(10))));
          for (const result of made) if (result.status === 'fulfilled') live.add(result.value);
          const some = [...live].filter((_, i) => i % 3 === round % 3);
          await Promise.all(some.map((token) => (round % 2 ? store.use(token) : store.delete(token))));
          if (round % 2 === 0) for (const token of some) live.delete(token);
          expect(await store.usage()).toEqual({ sessions: live.size, bytes: live.size * bytes });
        }
        await opened.advance(TTL_MS);
        expect(await store.usage()).toEqual({ sessions: 0, bytes: 0 });
      });
    });
  });
}
