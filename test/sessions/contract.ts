/** What every session store keeps to, whatever it keeps the sessions in. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Refusal } from '../../src/refusal.js';
import type { HeldSession, Session, SessionStore } from '../../src/sessions/store.js';
import { tensor } from '../../src/tensor/tensor.js';

export interface StoreOptions {
  readonly ttlMs: number;
  /** For one session. */
  readonly budgetBytes: number;
  /** For all of them together. */
  readonly roomBytes: number;
}

/** A store that is empty, and the time that it lives in. */
export interface OpenStore {
  readonly store: SessionStore;
  /** Milliseconds since 1970, as the store sees them. */
  readonly now: () => number;
  readonly advance: (ms: number) => void | Promise<void>;
  /** What may pass of a time that does not stand still, while a test runs. */
  readonly leewayMs: number;
}

export type Open = (options: StoreOptions) => OpenStore | Promise<OpenStore>;

const TTL_MS = 60_000;

/** With a tensor of so many float64. */
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

/** What a session takes beside its tensors is the store's own affair. */
async function bytesOfOne(store: SessionStore, length: number): Promise<number> {
  const token = await store.create(session(length));
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
      it('and gives back what it was given', async () => {
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
        const token = await store.create(given);
        expect(await store.inspect(token)).toMatchObject(given);
        expect(await store.use(token)).toMatchObject(given);
        expect(await store.use(token)).toMatchObject(given);
      });

      it('under a token that cannot be guessed and can stand in a URL', async () => {
        const tokens = await Promise.all(Array.from({ length: 1000 }, () => store.create(session(1))));
        expect(new Set(tokens).size).toBe(1000);
        // 128 bits are 22 characters of base64url.
        for (const token of tokens) expect(token).toMatch(/^[\w-]{22,128}$/);
        const first = new Set(tokens.map((token) => token.slice(0, 4)));
        expect(first.size).toBeGreaterThan(990);
      });

      it('with the dates of its making and its end', async () => {
        const made = opened.now();
        const token = await store.create(session(1));
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
        await opened.advance(10_000);
        expectDates(await store.use(token), made + 10_000);
        await opened.advance(10_000);
        expectDates(await store.inspect(token), made + 10_000);
      });

      it('apart from all others', async () => {
        const tokens = await Promise.all(Array.from({ length: 50 }, (_, i) => store.create(session(i + 1))));
        for (const [i, token] of tokens.entries()) expect(await store.use(token)).toMatchObject(session(i + 1));
      });
    });

    describe('forgets a session', () => {
      it('that is deleted, once', async () => {
        const token = await store.create(session(1));
        expect(await store.delete(token)).toBe(true);
        expect(await store.delete(token)).toBe(false);
        expect(await store.use(token)).toBeUndefined();
        expect(await store.inspect(token)).toBeUndefined();
      });

      it('that was never there', async () => {
        for (const token of ['', 'x', '__proto__', 'constructor', 'é'.repeat(128)]) {
          expect(await store.use(token)).toBeUndefined();
          expect(await store.inspect(token)).toBeUndefined();
          expect(await store.delete(token)).toBe(false);
        }
      });

      it('at the end of its life, and not before', async () => {
        const token = await store.create(session(1));
        await opened.advance(TTL_MS - opened.leewayMs - 1);
        expect(await store.inspect(token)).toBeDefined();
        await opened.advance(opened.leewayMs + 1);
        expect(await store.inspect(token)).toBeUndefined();
        expect(await store.use(token)).toBeUndefined();
        expect(await store.delete(token)).toBe(false);
      });

      it('later for each use, but not for a look', async () => {
        const [used, seen] = [await store.create(session(1)), await store.create(session(1))];
        for (let i = 0; i < 5; i++) {
          await opened.advance(TTL_MS * 0.75);
          expect(await store.use(used)).toBeDefined();
          expect((await store.inspect(seen)) !== undefined).toBe(i === 0);
        }
        await opened.advance(TTL_MS);
        expect(await store.use(used)).toBeUndefined();
      });

      it('in the order of last use, whatever that of making was', async () => {
        const [a, b, c] = [
          await store.create(session(1)),
          await store.create(session(2)),
          await store.create(session(3)),
        ];
        await opened.advance(10_000);
        await store.use(b);
        await opened.advance(10_000);
        await store.use(a);
        const alive = async () => {
          const held = await Promise.all([a, b, c].map((token) => store.inspect(token)));
          return held.map((found) => found !== undefined);
        };
        await opened.advance(40_000);
        expect(await alive()).toEqual([true, true, false]);
        await opened.advance(10_000);
        expect(await alive()).toEqual([true, false, false]);
        await opened.advance(10_000);
        expect(await alive()).toEqual([false, false, false]);
      });
    });

    describe('knows its owner', () => {
      it('who alone finds it, and for whom alone it is deleted', async () => {
        const token = await store.create({ ...session(1), owner: 'a' });
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

      it('and that it has none, where there are no keys', async () => {
        const token = await store.create({ ...session(1), owner: undefined });
        for (const someone of ['a', '', 'undefined']) {
          expect(await store.use(token, someone)).toBeUndefined();
          expect(await store.inspect(token, someone)).toBeUndefined();
          expect(await store.delete(token, someone)).toBe(false);
        }
        expect(await store.use(token)).toMatchObject(session(1));
        expect(await store.delete(token)).toBe(true);
      });

      it('and does not tell who it is', async () => {
        const token = await store.create({ ...session(1), owner: 'a' });
        expect(await store.inspect(token, 'a')).not.toHaveProperty('owner');
        expect(await store.use(token, 'a')).not.toHaveProperty('owner');
      });

      it('and lives no longer for what others ask', async () => {
        const token = await store.create({ ...session(1), owner: 'a' });
        await opened.advance(TTL_MS * 0.75);
        expect(await store.use(token, 'b')).toBeUndefined();
        await opened.advance(TTL_MS * 0.5);
        expect(await store.use(token, 'a')).toBeUndefined();
      });

      it('of any name', async () => {
        for (const owner of ['a:b', '{a}', '__proto__', 'é😀', 'x'.repeat(1000), ' ', '*']) {
          const token = await store.create({ ...session(1), owner });
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

      /** Tokens of all that there was room for. */
      async function fill(): Promise<string[]> {
        const tokens: string[] = [];
        for (;;) {
          const made = await store.create(session(LENGTH)).catch((error: unknown) => error);
          if (typeof made !== 'string') {
            expect((made as Refusal).kind).toBe('session-store-full');
            return tokens;
          }
          tokens.push(made);
          expect(tokens.length).toBeLessThan(20);
        }
      }

      beforeEach(() => reopen({ budgetBytes: ROOM_BYTES, roomBytes: ROOM_BYTES }));

      it('refuses one more, says what to do, and when to come back', async () => {
        expect((await fill()).length).toBeGreaterThan(4);
        const refusal = await refusalOf(store.create(session(LENGTH)));
        expect(refusal.kind).toBe('session-store-full');
        expect(refusal.message).toContain(`the session would take ${8 * LENGTH + 1024} bytes`);
        expect(refusal.message).toContain('by live sessions. Release sessions ("release": true');
        expect(refusal.retryAfterSeconds).toBeGreaterThanOrEqual(1);
        expect(refusal.retryAfterSeconds).toBeLessThanOrEqual(TTL_MS / 1000);
      });

      it('never throws a live session away', async () => {
        const tokens = await fill();
        for (let i = 0; i < 20; i++)
          expect((await refusalOf(store.create(session(LENGTH)))).kind).toBe('session-store-full');
        for (const token of tokens) {
          expect(await store.use(token)).toMatchObject({ layer: 'linear' });
          expect((await store.inspect(token))?.tensors.x.data.at(-1)).toBe(LENGTH - 0.5);
        }
      });

      it('has room again after a deletion, and after sessions have expired', async () => {
        const tokens = await fill();
        for (const token of tokens.slice(0, 3)) expect(await store.delete(token)).toBe(true);
        await store.create(session(LENGTH));
        await fill();
        await opened.advance(TTL_MS);
        await store.create(session(LENGTH));
      });

      it('keeps what it has said that it keeps, of many at once', async () => {
        const results = await Promise.allSettled(Array.from({ length: 20 }, () => store.create(session(LENGTH))));
        const tokens = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
        expect(tokens.length).toBeGreaterThan(0);
        expect(tokens.length).toBeLessThan(20);
        for (const token of tokens) expect(await store.use(token)).toBeDefined();
      });
    });

    describe('has a largest session', () => {
      it('and says at once that a larger one could never be kept', async () => {
        const bytes = await bytesOfOne(store, 10);
        await reopen({ budgetBytes: bytes });
        const refusal = await refusalOf(store.create(session(11)));
        expect(refusal.kind).toBe('session-too-large');
        expect(refusal.message).toContain(`${bytes + 8} bytes`);
        expect(refusal.message).toContain(`at most ${bytes}`);
        expect(refusal.retryAfterSeconds).toBeUndefined();
        await store.create(session(10));
      });

      it('of nothing, in which nothing can be kept', async () => {
        await reopen({ budgetBytes: 0 });
        const refusal = await refusalOf(store.create({ layer: 'dropout', dtype: 'float64', plan: {}, tensors: {} }));
        expect(refusal.kind).toBe('session-too-large');
      });
    });

    it('can be had', async () => {
      await expect(store.check()).resolves.toBeUndefined();
    });

    it('lets one of many delete', async () => {
      const token = await store.create(session(10));
      const results = await Promise.all(Array.from({ length: 20 }, () => store.delete(token)));
      expect(results.filter(Boolean)).toHaveLength(1);
    });

    it('tells the size of a session by its tensors', async () => {
      expect((await bytesOfOne(store, 1000)) - (await bytesOfOne(store, 10))).toBe(990 * 8);
      const token = await store.create({ layer: 'dropout', dtype: 'float64', plan: {}, tensors: {} });
      expect((await store.inspect(token))?.bytes).toBeGreaterThan(0);
    });
  });
}

/** Of a store that has the sessions itself, and so counts them to the byte. */
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

    it('forgets all, when it is closed', async () => {
      const token = await store.create(session(1));
      await store.close();
      expect(await store.inspect(token)).toBeUndefined();
    });

    describe('counts', () => {
      it('nothing at first', async () => {
        expect(await store.usage()).toEqual({ sessions: 0, bytes: 0 });
      });

      it('what it holds, and no more what is deleted or expired', async () => {
        const a = await store.create(session(10));
        const bytesOfA = (await store.inspect(a))?.bytes ?? NaN;
        await opened.advance(1000);
        const b = await store.create(session(1000));
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

      it('something for a session without tensors', async () => {
        await store.create({ layer: 'dropout', dtype: 'float64', plan: {}, tensors: {} });
        const { sessions, bytes } = (await store.usage()) ?? { sessions: NaN, bytes: NaN };
        expect(sessions).toBe(1);
        expect(bytes).toBeGreaterThan(0);
      });
    });

    describe('has a budget', () => {
      it('that can be used to its last byte', async () => {
        const bytes = await bytesOfOne(store, 100);
        await reopen(3 * bytes);
        for (let i = 0; i < 3; i++) await store.create(session(100));
        expect(await store.usage()).toEqual({ sessions: 3, bytes: 3 * bytes });
        const refusal = await refusalOf(store.create(session(1)));
        expect(refusal.kind).toBe('session-store-full');
      });

      it('and refuses what is over it, with both numbers, until the next session expires', async () => {
        const bytes = await bytesOfOne(store, 100);
        await reopen(2 * bytes + 8);
        await store.create(session(100));
        await opened.advance(20_500);
        await store.create(session(100));
        const refusal = await refusalOf(store.create(session(100)));
        expect(refusal.kind).toBe('session-store-full');
        expect(refusal.message).toContain(`${bytes} bytes`);
        expect(refusal.message).toContain(`${2 * bytes} of ${2 * bytes + 8}`);
        expect(refusal.retryAfterSeconds).toBe(40);
        await opened.advance(39_499);
        expect((await refusalOf(store.create(session(100)))).retryAfterSeconds).toBe(1);
        await opened.advance(1);
        await store.create(session(100));
      });

      it('for which it never throws a live session away', async () => {
        const bytes = await bytesOfOne(store, 10);
        await reopen(4 * bytes);
        const tokens = await Promise.all([1, 2, 3, 4].map(() => store.create(session(10))));
        for (let i = 0; i < 20; i++)
          expect((await refusalOf(store.create(session(10)))).kind).toBe('session-store-full');
        for (const token of tokens) expect(await store.use(token)).toMatchObject(session(10));
        expect(await store.usage()).toEqual({ sessions: 4, bytes: 4 * bytes });
      });

      it('in which there is room again after a deletion', async () => {
        const bytes = await bytesOfOne(store, 10);
        await reopen(bytes);
        const token = await store.create(session(10));
        await refusalOf(store.create(session(10)));
        await store.delete(token);
        await store.create(session(10));
        expect(await store.usage()).toEqual({ sessions: 1, bytes });
      });

      it('and says at once that a session could never be kept', async () => {
        const bytes = await bytesOfOne(store, 10);
        await reopen(bytes);
        for (const hold of [0, 1]) {
          if (hold) await store.create(session(10));
          const refusal = await refusalOf(store.create(session(11)));
          expect(refusal.kind).toBe('session-too-large');
          expect(refusal.message).toContain(`${bytes + 8} bytes`);
          expect(refusal.message).toContain(`at most ${bytes}`);
          expect(refusal.retryAfterSeconds).toBeUndefined();
        }
        expect(await store.usage()).toEqual({ sessions: 1, bytes });
      });

      it('of nothing, in which nothing can be kept', async () => {
        await reopen(0);
        const refusal = await refusalOf(store.create({ layer: 'dropout', dtype: 'float64', plan: {}, tensors: {} }));
        expect(refusal.kind).toBe('session-too-large');
      });
    });

    describe('serves many at once', () => {
      it('without going over its budget', async () => {
        const bytes = await bytesOfOne(store, 10);
        await reopen(50 * bytes);
        const results = await Promise.allSettled(Array.from({ length: 200 }, () => store.create(session(10))));
        const kept = results.filter(({ status }) => status === 'fulfilled');
        expect(kept).toHaveLength(50);
        expect(await store.usage()).toEqual({ sessions: 50, bytes: 50 * bytes });
      });

      it('and lets one of them delete', async () => {
        const token = await store.create(session(10));
        const results = await Promise.all(Array.from({ length: 20 }, () => store.delete(token)));
        expect(results.filter(Boolean)).toHaveLength(1);
        expect(await store.usage()).toEqual({ sessions: 0, bytes: 0 });
      });

      it('and keeps its books through anything', async () => {
        const bytes = await bytesOfOne(store, 10);
        await reopen(20 * bytes);
        const live = new Set<string>();
        for (let round = 0; round < 20; round++) {
          const made = await Promise.allSettled(Array.from({ length: 7 }, () => store.create(session(10))));
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
