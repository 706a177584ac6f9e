import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { connectRedis } from '../../src/sessions/connection.js';
import { packed } from '../../src/sessions/packed.js';
import { RedisStore, type RedisStoreOptions } from '../../src/sessions/redis.js';
import type { Session } from '../../src/sessions/store.js';
import { tensor } from '../../src/tensor/tensor.js';
import { describeWithRedis, sharedRedis, startRedis, type RunningRedis } from '../support/redis.js';
import { refusalOf, storeContract, type Open } from './contract.js';

/** Every key nearer to its end by so much: as if that time had passed, without waiting for it. */
const AGE = `
  for _, key in ipairs(redis.call('KEYS', '*')) do
    redis.call('PEXPIRE', key, redis.call('PTTL', key) - ARGV[1])
  end`;

const silent = { info: () => undefined, warn: () => undefined, error: () => undefined };

/** @param pieceBytes of the store, by the room that there is for sessions */
function opening(redis: () => RunningRedis, pieceBytes?: (roomBytes: number) => number): Open {
  return async ({ ttlMs, budgetBytes, roomBytes }) => {
    const { admin, url } = redis();
    await admin.flushall();
    let aheadMs = 0;
    const now = () => Date.now() + aheadMs;
    const store = new RedisStore(connectRedis(url), {
      ttlMs,
      budgetBytes,
      log: silent,
      clock: now,
      ...(pieceBytes ? { pieceBytes: pieceBytes(roomBytes) } : {}),
    });
    await store.open();
    const used = Number(/^used_memory:(\d+)/m.exec(await admin.info('memory'))?.[1]);
    await admin.config('SET', 'maxmemory', roomBytes < 2 ** 30 ? used + roomBytes : 0);
    return {
      store,
      now,
      async advance(ms) {
        aheadMs += ms;
        await admin.eval(AGE, 0, ms);
      },
      // Redis goes by a time that cannot be stopped; a test takes less than this.
      leewayMs: 5000,
    };
  };
}

const session: Session = {
  layer: 'linear',
  dtype: 'float64',
  plan: { N: 1 },
  tensors: packed({ x: tensor([100], new Float64Array(100).fill(0.5)) }),
};

/** To be called in a test. */
async function open(redis: RunningRedis, options: Partial<RedisStoreOptions> = {}, url = redis.url) {
  const lines: { readonly level: string; readonly fields: unknown; readonly message: string }[] = [];
  const logging = (level: string) => (fields: unknown, message?: string) => {
    lines.push(
      typeof fields === 'string' ? { level, fields: {}, message: fields } : { level, fields, message: message ?? '' },
    );
  };
  const log = { info: logging('info'), warn: logging('warn'), error: logging('error') };
  const store = new RedisStore(connectRedis(url), { ttlMs: 60_000, budgetBytes: 2 ** 30, log, ...options });
  onTestFinished(() => store.close());
  await store.open();
  return { store, lines };
}

describeWithRedis('sessions in Redis', () => {
  const redis = sharedRedis();

  storeContract('Redis', opening(redis));
  // Headers are cut too, and all tensors, but no key is spent on a few bytes where room is counted.
  storeContract(
    'Redis, in pieces',
    opening(redis, (roomBytes) => (roomBytes < 2 ** 30 ? 2 ** 19 : 64)),
  );

  describe('lie there', () => {
    it('as one value, whose end Redis knows', async () => {
      const { admin } = redis();
      await admin.flushall();
      const { store } = await open(redis());
      const token = await store.create(session);
      expect(await admin.keys('*')).toEqual([`layerd:session:{${token}}:0`]);
      expect(await admin.pttl(`layerd:session:{${token}}:0`)).toBeGreaterThan(55_000);
    });

    it('as several where they are large, of which none stays when one is deleted', async () => {
      const { admin } = redis();
      await admin.flushall();
      const { store } = await open(redis(), { pieceBytes: 256 });
      const token = await store.create({ ...session, owner: 'a' });
      const keys = await admin.keys('*');
      expect(keys.length).toBeGreaterThan(3);
      for (const key of keys) {
        expect(await admin.strlen(key)).toBeLessThanOrEqual(256);
        expect(await admin.pttl(key)).toBeGreaterThan(55_000);
      }
      expect((await store.use(token, 'a'))?.tensors).toEqual(session.tensors);
      // As when another deletes it meanwhile.
      await admin.del(keys.find((key) => key.includes(':2:')) ?? '');
      expect(await store.use(token, 'a')).toBeUndefined();
      expect(await store.delete(token, 'a')).toBe(true);
      expect(await admin.keys('*')).toEqual([]);
    });

    it('until Redis itself forgets them', async () => {
      const { admin } = redis();
      const { store } = await open(redis(), { ttlMs: 60 });
      const token = await store.create(session);
      await vi.waitFor(async () => {
        expect(await admin.exists(`layerd:session:{${token}}:0`)).toBe(0);
      });
      expect(await store.use(token)).toBeUndefined();
    });

    it('for every process alike', async () => {
      const [{ store: first }, { store: second }] = [await open(redis()), await open(redis())];
      const token = await first.create(session);
      expect(await second.use(token)).toMatchObject({ ...session });
      const found = await Promise.all([first, second, first, second].map((store) => store.delete(token)));
      expect(found.filter(Boolean)).toHaveLength(1);
      expect(await first.use(token)).toBeUndefined();
    });

    it('in memory that threads share, once they are read', async () => {
      const { store } = await open(redis());
      const held = await store.use(await store.create(session));
      expect(held?.tensors.x.data.buffer).toBeInstanceOf(SharedArrayBuffer);
    });
  });

  it('are not asked for by a token that says there are a thousand million pieces', async () => {
    const { store } = await open(redis());
    const token = await store.create(session);
    for (const forged of [`${token}999999999`, `${token}2`, `${token}0`, `${token}:0`]) {
      expect(await store.use(forged)).toBeUndefined();
      expect(await store.delete(forged)).toBe(false);
    }
  });

  it('are counted by Redis alone', async () => {
    const { store } = await open(redis());
    await store.create(session);
    await expect(store.usage()).resolves.toBeUndefined();
  });

  it('are too large where all memory of Redis would not do', async () => {
    const own = await startRedis('maxmemory 4mb');
    const { store } = await open(own);
    const x = tensor([2 ** 20], new Float64Array(2 ** 20));
    const refusal = await refusalOf(store.create({ ...session, tensors: { x } }));
    expect(refusal.kind).toBe('session-too-large');
    expect(refusal.message).toContain(`at most ${4 * 2 ** 20}`);
  });

  it('leave nothing behind where only a part of one found room', async () => {
    const own = await startRedis('maxmemory 8mb');
    const { store } = await open(own, { pieceBytes: 2 ** 18 });
    const x = tensor([2 ** 20 - 1000], new Float64Array(2 ** 20 - 1000));
    expect((await refusalOf(store.create({ ...session, tensors: { x } }))).kind).toBe('session-store-full');
    await vi.waitFor(async () => {
      expect(await own.admin.dbsize()).toBe(0);
    });
  });
});

describeWithRedis('a Redis that is away', () => {
  /** What may pass until a refusal: much less than a client waits. */
  const QUICKLY_MS = 3000;

  async function expectAway(work: Promise<unknown>, reason: string): Promise<void> {
    const started = performance.now();
    const refusal = await refusalOf(work);
    expect(performance.now() - started).toBeLessThan(QUICKLY_MS);
    expect(refusal.kind).toBe('session-store-unavailable');
    expect(refusal.message).toMatch(new RegExp(`^the session store does not answer \\(${reason}\\)\\.`));
    expect(refusal.retryAfterSeconds).toBe(1);
  }

  it('is refused at once, and is used again when it is back, with what it had written', async () => {
    const redis = await startRedis('appendonly yes', 'appendfsync always');
    const { store, lines } = await open(redis);
    const token = await store.create(session);
    await redis.kill();
    await expectAway(store.create(session), 'ECONNREFUSED|connection closed');
    await vi.waitFor(async () => {
      await expectAway(store.check(), 'ECONNREFUSED');
    });
    await expectAway(store.use(token), 'ECONNREFUSED');
    await expectAway(store.inspect(token), 'ECONNREFUSED');
    await expectAway(store.delete(token), 'ECONNREFUSED');
    await redis.restart();
    await vi.waitFor(() => store.check(), { timeout: 5000 });
    expect(await store.use(token)).toMatchObject({ ...session });
    const told = lines.filter(({ level }) => level !== 'warn').map(({ level, message }) => `${level}: ${message}`);
    expect(told).toEqual([
      'info: connected to the session store',
      'error: the session store is away; trying again until it is back',
      'info: connected to the session store',
    ]);
  });

  it('fails what was under way', async () => {
    const redis = await startRedis();
    const { store } = await open(redis);
    redis.signal('SIGSTOP');
    const works = [store.create(session), store.use('x'.repeat(32)), store.check()].map((work) =>
      expectAway(work, 'connection closed|ECONNREFUSED|ECONNRESET'),
    );
    // Written by then, and not answered.
    await new Promise(setImmediate);
    await redis.kill();
    await Promise.all(works);
  });

  it('is away too when it holds the connection and says nothing, and until it says something', async () => {
    const redis = await startRedis();
    const { store } = await open(redis);
    const token = await store.create(session);
    redis.signal('SIGSTOP');
    await expectAway(store.use(token), 'no answer in time');
    // The silent connection is given up: nobody waits for it again.
    await vi.waitFor(async () => {
      const started = performance.now();
      await expectAway(store.use(token), '.*');
      expect(performance.now() - started).toBeLessThan(100);
    });
    redis.signal('SIGCONT');
    await vi.waitFor(() => store.check(), { timeout: 8000 });
    expect(await store.use(token)).toBeDefined();
  });

  it('need not be there at the start', async () => {
    const redis = await startRedis();
    await redis.kill();
    const { store, lines } = await open(redis);
    await expectAway(store.create(session), 'ECONNREFUSED');
    expect(lines).toEqual([
      {
        level: 'error',
        fields: { reason: 'ECONNREFUSED' },
        message: 'the session store is away; trying again until it is back',
      },
    ]);
    await redis.restart();
    await vi.waitFor(() => store.check(), { timeout: 5000 });
    await store.create(session);
  });

  it('is not opened by a wrong password, or by none', async () => {
    const redis = await startRedis('requirepass secret:/@%');
    const address = (credentials: string) => redis.url.replace('//', `//${credentials}@`);
    const { store: without } = await open(redis);
    await expectAway(without.check(), 'NOAUTH');
    const { store: wrong, lines } = await open(redis, {}, address(':guess'));
    await expectAway(wrong.create(session), 'WRONGPASS');
    expect(JSON.stringify(lines)).not.toContain('guess');
    const { store: right } = await open(redis, {}, address(`:${encodeURIComponent('secret:/@%')}`));
    const token = await right.create(session);
    expect(await right.use(token)).toBeDefined();
    const { store: named } = await open(redis, {}, address(`default:${encodeURIComponent('secret:/@%')}`));
    expect(await named.use(token)).toBeDefined();
  });

  it('is one that is loading, cannot write, or follows another', async () => {
    const redis = await startRedis();
    const { store, lines } = await open(redis);
    const token = await store.create(session);
    // A replica of a master that is not there.
    await redis.admin.replicaof('127.0.0.1', 1);
    await expectAway(store.use(token), 'READONLY');
    await redis.admin.replicaof('NO', 'ONE');
    await vi.waitFor(() => store.use(token), { timeout: 5000 });
    expect(JSON.stringify(lines)).not.toContain(token);
  });
});

describeWithRedis('the settings of Redis', () => {
  it.each([
    [['maxmemory 100mb'], []],
    [
      ['maxmemory 100mb', 'maxmemory-policy allkeys-lru'],
      ['Redis may throw live sessions away; expected the setting maxmemory-policy noeviction'],
    ],
    [[], ['Redis fills all memory that there is; expected the setting maxmemory to bound it']],
  ])('%j are held against what sessions need', async (settings, expected) => {
    const { lines } = await open(await startRedis(...settings));
    expect(lines.filter(({ level }) => level === 'warn').map(({ message }) => message)).toEqual(expected);
  });

  it('may be hidden', async () => {
    const redis = await startRedis();
    await redis.admin.acl('SETUSER', 'app', 'on', '>pw', '~layerd:*', '+@all', '-info');
    const { store, lines } = await open(redis, {}, redis.url.replace('//', '//app:pw@'));
    await store.create(session);
    expect(lines).toContainEqual({
      level: 'warn',
      fields: { reason: 'NOPERM' },
      message: 'the settings of Redis are not to be seen',
    });
  });
});
