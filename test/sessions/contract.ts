/** What every session store keeps to, whatever it keeps the sessions in. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Refusal } from '../../src/refusal.js';
import type { Session, SessionStore } from '../../src/sessions/store.js';
import { tensor } from '../../src/tensor/tensor.js';

export interface StoreOptions {
  readonly ttlMs: number;
  readonly budgetBytes: number;
}

/** A store that is empty, and the time that it lives in. */
export interface OpenStore {
  readonly store: SessionStore;
  /** Milliseconds since 1970, as the store sees them. */
  readonly now: () => number;
  readonly advance: (ms: number) => void | Promise<void>;
}

const TTL_MS = 60_000;

/** With a tensor of so many float64. */
function session(length: number, layer = 'linear'): Session {
  const x = tensor(
    [length],
    Float64Array.from({ length }, (_, i) => i + 0.5),
  );
  return { layer, dtype: 'float64', plan: { N: length }, tensors: { x } };
}

async function refusalOf(work: Promise<unknown>): Promise<Refusal> {
  const error: unknown = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (error instanceof Refusal) return error;
  throw new Error('nothing was refused', { cause: error });
}

export function storeContract(name: string, open: (options: StoreOptions) => OpenStore | Promise<OpenStore>): void {
  describe(`a session store in ${name}`, () => {
    let opened: OpenStore;
    let store: SessionStore;

    async function reopen(budgetBytes: number): Promise<void> {
      await opened.store.close();
      opened = await open({ ttlMs: TTL_MS, budgetBytes });
      store = opened.store;
    }

    /** What a session takes beside its tensors is the store's own affair. */
    async function bytesOfOne(length: number): Promise<number> {
      const token = await store.create(session(length));
      const bytes = (await store.inspect(token))?.bytes ?? NaN;
      await store.delete(token);
      return bytes;
    }

    beforeEach(async () => {
      opened = await open({ ttlMs: TTL_MS, budgetBytes: 2 ** 30 });
      store = opened.store;
    });
    afterEach(() => opened.store.close());

    describe('keeps a session', () => {
      it('and gives back what it was given', async () => {
        const given: Session = {
          layer: 'pooling',
          dtype: 'float32',
          plan: { outputs: { out: [1, 2] }, mode: 'max', axes: [{ input: 3 }], seed: undefined },
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
        expect(await store.inspect(token)).toMatchObject({ created: made, expires: made + TTL_MS });
        await opened.advance(1000);
        expect(await store.use(token)).toMatchObject({ created: made, expires: made + 1000 + TTL_MS });
        await opened.advance(1000);
        expect(await store.inspect(token)).toMatchObject({ created: made, expires: made + 1000 + TTL_MS });
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
        await opened.advance(TTL_MS - 1);
        expect(await store.inspect(token)).toBeDefined();
        await opened.advance(1);
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

      it('as all others, when it is closed', async () => {
        const token = await store.create(session(1));
        await store.close();
        expect(await store.inspect(token)).toBeUndefined();
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
        const { sessions, bytes } = await store.usage();
        expect(sessions).toBe(1);
        expect(bytes).toBeGreaterThan(0);
      });
    });

    describe('has a budget', () => {
      it('that can be used to its last byte', async () => {
        const bytes = await bytesOfOne(100);
        await reopen(3 * bytes);
        for (let i = 0; i < 3; i++) await store.create(session(100));
        expect(await store.usage()).toEqual({ sessions: 3, bytes: 3 * bytes });
        const refusal = await refusalOf(store.create(session(1)));
        expect(refusal.kind).toBe('session-store-full');
      });

      it('and refuses what is over it, with both numbers, until the next session expires', async () => {
        const bytes = await bytesOfOne(100);
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
        const bytes = await bytesOfOne(10);
        await reopen(4 * bytes);
        const tokens = await Promise.all([1, 2, 3, 4].map(() => store.create(session(10))));
        for (let i = 0; i < 20; i++)
          expect((await refusalOf(store.create(session(10)))).kind).toBe('session-store-full');
        for (const token of tokens) expect(await store.use(token)).toMatchObject(session(10));
        expect(await store.usage()).toEqual({ sessions: 4, bytes: 4 * bytes });
      });

      it('in which there is room again after a deletion', async () => {
        const bytes = await bytesOfOne(10);
        await reopen(bytes);
        const token = await store.create(session(10));
        await refusalOf(store.create(session(10)));
        await store.delete(token);
        await store.create(session(10));
        expect(await store.usage()).toEqual({ sessions: 1, bytes });
      });

      it('and says at once that a session could never be kept', async () => {
        const bytes = await bytesOfOne(10);
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
        const bytes = await bytesOfOne(10);
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
        const bytes = await bytesOfOne(10);
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
