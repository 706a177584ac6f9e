import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { connectRedis, type Connection } from '../../src/sessions/redis-connection.js';
import { sharedCopies } from '../../src/tensor/shared.js';
import { RedisStore, type RedisStoreOptions } from '../../src/sessions/redis-store.js';
import type { Session } from '../../src/sessions/store.js';
import { tensor } from '../../src/tensor/tensor.js';
import { freePort } from '../../bench/service.js';
import { createSession } from '../support/sessions.js';
import { start } from '../support/children.js';
import { describeWithRedis, sharedRedis, startRedis, type RunningRedis } from '../support/redis.js';
import { refusalOf, storeContract, type Open } from './contract.js';
import { until } from '../support/until.js';

/** Shortens the remaining life of every key, as if that time had passed. */
const AGE = `
  for _, key in ipairs(redis.call('KEYS', '*')) do
    redis.call('PEXPIRE', key, redis.call('PTTL', key) - ARGV[1])
  end`;

const silent = { info: () => undefined, warn: () => undefined, error: () => undefined };

/** @param pieceBytes the store's piece size, depending on the room for sessions */
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
      // The time of Redis cannot be stopped; a test takes less than this.
      leewayMs: 300_000,
    };
  };
}

const session: Session = {
  layer: 'linear',
  dtype: 'float64',
  plan: { N: 1 },
  tensors: sharedCopies({ x: tensor([100], new Float64Array(100).fill(0.5)) }),
};

/** Must be called in a test. */
async function open(redis: RunningRedis, options: Partial<RedisStoreOptions> = {}, url = redis.url) {
  const lines: { readonly level: string; readonly fields: unknown; readonly message: string }[] = [];
  const logging = (level: string) => (fields: unknown, message?: string) => {
    lines.push(
      typeof fields === 'string' ? { level, fields: {}, message: fields } : { level, fields, message: message ?? '' },
    );
  };
  const log = { info: logging('info'), warn: logging('warn'), error: logging('error') };
  const connection = connectRedis(url);
  const store = new RedisStore(connection, { ttlMs: 3_600_000, budgetBytes: 2 ** 30, log, ...options });
  onTestFinished(() => store.close());
  await store.open();
  return { store, lines, connection };
}

describeWithRedis('sessions in Redis', () => {
  const redis = sharedRedis();

  storeContract('Redis', opening(redis));
  // Small pieces, so that headers and all tensors are split; larger ones where room is counted, to limit the overhead
  // of keys.
  storeContract(
    'Redis, in pieces',
    opening(redis, (roomBytes) => (roomBytes < 2 ** 30 ? 2 ** 19 : 64)),
  );

  describe('are stored', () => {
    it('as one value, which Redis expires', async () => {
      const { admin } = redis();
      await admin.flushall();
      const { store } = await open(redis());
      const token = await createSession(store, session);
      expect(await admin.keys('*')).toEqual([`layerd:session:2:{${token}}:0`]);
      expect(await admin.pttl(`layerd:session:2:{${token}}:0`)).toBeGreaterThan(3_000_000);
    });

    it('as several values if they are large, all of which are deleted together', async () => {
      const { admin } = redis();
      await admin.flushall();
      const { store } = await open(redis(), { pieceBytes: 256 });
      const token = await createSession(store, { ...session, owner: 'a' });
      const keys = await admin.keys('*');
      expect(keys.length).toBeGreaterThan(3);
      for (const key of keys) {
        expect(await admin.strlen(key)).toBeLessThanOrEqual(256);
        expect(await admin.pttl(key)).toBeGreaterThan(3_000_000);
      }
      expect((await store.use(token, 'a'))?.tensors).toEqual(session.tensors);
      // As if another process deleted it at this moment.
      await admin.del(keys.find((key) => key.includes('}:2:')) ?? '');
      expect(await store.use(token, 'a')).toBeUndefined();
      expect(await store.delete(token, 'a')).toBe(true);
      expect(await admin.keys('*')).toEqual([]);
    });

    it('until Redis expires them', async () => {
      const { admin } = redis();
      const { store } = await open(redis(), { ttlMs: 60 });
      const token = await createSession(store, session);
      await until(async () => {
        expect(await admin.exists(`layerd:session:2:{${token}}:0`)).toBe(0);
      });
      expect(await store.use(token)).toBeUndefined();
    });

    it('shared by all processes', async () => {
      const [{ store: first }, { store: second }] = [await open(redis()), await open(redis())];
      const token = await createSession(first, session);
      expect(await second.use(token)).toMatchObject({ ...session });
      const found = await Promise.all([first, second, first, second].map((store) => store.delete(token)));
      expect(found.filter(Boolean)).toHaveLength(1);
      expect(await first.use(token)).toBeUndefined();
    });

    it('in shared memory once they are read', async () => {
      const { store } = await open(redis());
      const held = await store.use(await createSession(store, session));
      expect(held?.tensors.x.data.buffer).toBeInstanceOf(SharedArrayBuffer);
    });
  });

  it('are not requested for a token that claims a billion pieces', async () => {
    const { store } = await open(redis());
    const token = await createSession(store, session);
    for (const forged of [`${token}999999999`, `${token}2`, `${token}0`, `${token}:0`]) {
      expect(await store.use(forged)).toBeUndefined();
      expect(await store.delete(forged)).toBe(false);
    }
  });

  it('are counted only by Redis', async () => {
    const { store } = await open(redis());
    await createSession(store, session);
    await expect(store.usage()).resolves.toBeUndefined();
  });

  it('are too large if they exceed all memory of Redis', async () => {
    const own = await startRedis('maxmemory 4mb');
    const { store } = await open(own);
    const x = tensor([2 ** 20], new Float64Array(2 ** 20));
    const refusal = await refusalOf(createSession(store, { ...session, tensors: { x } }));
    expect(refusal.kind).toBe('session-too-large');
    expect(refusal.message).toContain(`at most ${4 * 2 ** 20}`);
  });

  it('leave nothing behind if only a part of one could be stored', async () => {
    const own = await startRedis('maxmemory 8mb');
    const { store } = await open(own, { pieceBytes: 2 ** 18 });
    const x = tensor([2 ** 20 - 1000], new Float64Array(2 ** 20 - 1000));
    expect((await refusalOf(createSession(store, { ...session, tensors: { x } }))).kind).toBe('session-store-full');
    await until(async () => {
      expect(await own.admin.dbsize()).toBe(0);
    });
  });
});

describeWithRedis('an unavailable Redis', () => {
  async function expectAway(work: Promise<unknown>, reason: string): Promise<void> {
    const refusal = await refusalOf(work);
    expect(refusal.kind).toBe('session-store-unavailable');
    expect(refusal.message).toMatch(new RegExp(`^the session store does not answer \\(${reason}\\); try again$`));
    expect(refusal.retryAfterSeconds).toBe(1);
  }

  /** Expects the refusal before Redis could answer, and before any time has passed. */
  async function expectAwayAtOnce(work: Promise<unknown>, reason: string): Promise<void> {
    const turn = new Promise((resolve) => setImmediate(resolve, 'nothing by the end of the turn'));
    expect(await Promise.race([work.catch(() => 'refused'), turn])).toBe('refused');
    await expectAway(work, reason);
  }

  /** `once` of Node.js would reject on errors in between. */
  function emitted(connection: Connection, event: string): Promise<unknown> {
    return new Promise((resolve) => connection.once(event, resolve));
  }

  it('fails immediately, and is used again once it is back, with its earlier sessions', async () => {
    const redis = await startRedis('appendonly yes', 'appendfsync always');
    const { store, lines } = await open(redis);
    const token = await createSession(store, session);
    await redis.kill();
    await expectAway(createSession(store, session), 'ECONNREFUSED|connection closed');
    await until(async () => {
      await expectAway(store.check(), 'ECONNREFUSED');
    });
    await expectAway(store.use(token), 'ECONNREFUSED');
    await expectAway(store.inspect(token), 'ECONNREFUSED');
    await expectAway(store.delete(token), 'ECONNREFUSED');
    await redis.restart();
    await until(() => store.check());
    expect(await store.use(token)).toMatchObject({ ...session });
    const told = lines.filter(({ level }) => level !== 'warn').map(({ level, message }) => `${level}: ${message}`);
    expect(told).toEqual([
      'info: connected to the session store',
      'error: the session store is unavailable; reconnecting',
      'info: connected to the session store',
    ]);
  });

  it('fails pending commands', async () => {
    const redis = await startRedis();
    const { store } = await open(redis);
    redis.signal('SIGSTOP');
    const works = [createSession(store, session), store.use('x'.repeat(32)), store.check()].map((work) =>
      expectAway(work, 'connection closed|ECONNREFUSED|ECONNRESET'),
    );
    // Already written, but not answered.
    await new Promise(setImmediate);
    await redis.kill();
    await Promise.all(works);
  });

  it('counts as unavailable while it keeps the connection open but does not answer', async () => {
    const redis = await startRedis();
    const { store, connection } = await open(redis);
    const token = await createSession(store, session);
    redis.signal('SIGSTOP');
    const closed = emitted(connection, 'close');
    await expectAway(store.use(token), 'no answer in time');
    // The silent connection is closed.
    await closed;
    await expectAwayAtOnce(store.use(token), 'no answer in time');
    for (let attempt = 0; attempt < 2; attempt++) {
      // The system accepts the next connection, on which Redis does not answer either.
      await emitted(connection, 'connect');
      await expectAwayAtOnce(store.use(token), 'no answer in time');
      await emitted(connection, 'close');
      await expectAwayAtOnce(store.use(token), 'no answer in time');
    }
    connection.emit('error', new Error("Stream isn't writeable and enableOfflineQueue options is false"));
    await expectAwayAtOnce(store.use(token), 'no answer in time');
    redis.signal('SIGCONT');
    await until(() => store.check());
    expect(await store.use(token)).toBeDefined();
  });

  it('is found through another Sentinel if one accepts the connection but does not answer', async () => {
    const [redis, silent] = [await startRedis(), await startRedis()];
    const port = await freePort();
    const folder = await mkdtemp(join(tmpdir(), 'layerd-sentinel-'));
    onTestFinished(() => rm(folder, { recursive: true }));
    const file = join(folder, 'sentinel.conf');
    await writeFile(
      file,
      `port ${port}\nbind 127.0.0.1\ndir ${folder}\nsentinel monitor group 127.0.0.1 ${redis.port} 1\n`,
    );
    const sentinel = start('redis-server', [file, '--sentinel'], { stdio: 'ignore' });
    onTestFinished(() => sentinel.end());
    silent.signal('SIGSTOP');
    const { store } = await open(redis, {}, `redis-sentinel://127.0.0.1:${silent.port},127.0.0.1:${port}/group`);
    await until(() => store.check());
    await createSession(store, session);
  });

  it('need not be available at start', async () => {
    const redis = await startRedis();
    await redis.kill();
    const { store, lines } = await open(redis);
    await expectAway(createSession(store, session), 'ECONNREFUSED');
    expect(lines).toEqual([
      {
        level: 'error',
        fields: { reason: 'ECONNREFUSED' },
        message: 'the session store is unavailable; reconnecting',
      },
    ]);
    await redis.restart();
    await until(() => store.check());
    await createSession(store, session);
  });

  it('rejects a wrong or missing password', async () => {
    const redis = await startRedis('requirepass secret:/@%');
    const address = (credentials: string) => redis.url.replace('//', `//${credentials}@`);
    const { store: without } = await open(redis);
    await expectAway(without.check(), 'NOAUTH');
    const { store: wrong, lines } = await open(redis, {}, address(':guess'));
    await expectAway(createSession(wrong, session), 'WRONGPASS');
    expect(JSON.stringify(lines)).not.toContain('guess');
    const { store: right } = await open(redis, {}, address(`:${encodeURIComponent('secret:/@%')}`));
    const token = await createSession(right, session);
    expect(await right.use(token)).toBeDefined();
    const { store: named } = await open(redis, {}, address(`default:${encodeURIComponent('secret:/@%')}`));
    expect(await named.use(token)).toBeDefined();
  });

  it('may be loading, read-only or a replica', async () => {
    const redis = await startRedis();
    const { store, lines } = await open(redis);
    const token = await createSession(store, session);
    // A replica whose master does not exist.
    await redis.admin.replicaof('127.0.0.1', 1);
    await expectAway(store.use(token), 'READONLY');
    await redis.admin.replicaof('NO', 'ONE');
    await until(() => store.use(token));
    expect(JSON.stringify(lines)).not.toContain(token);
  });
});

describeWithRedis('the settings of Redis', () => {
  it.each([
    [['maxmemory 100mb'], []],
    [
      ['maxmemory 100mb', 'maxmemory-policy allkeys-lru'],
      ['Redis may evict live sessions; expected the setting maxmemory-policy noeviction'],
    ],
    [[], ['Redis may use all memory of its machine; expected the setting maxmemory to limit it']],
  ])('%j are compared with the requirements of sessions', async (settings, expected) => {
    const { lines } = await open(await startRedis(...settings));
    expect(lines.filter(({ level }) => level === 'warn').map(({ message }) => message)).toEqual(expected);
  });

  it('may be inaccessible', async () => {
    const redis = await startRedis();
    await redis.admin.acl('SETUSER', 'app', 'on', '>pw', '~layerd:*', '+@all', '-info');
    const { store, lines } = await open(redis, {}, redis.url.replace('//', '//app:pw@'));
    await createSession(store, session);
    expect(lines).toContainEqual({
      level: 'warn',
      fields: { reason: 'NOPERM' },
      message: 'the settings of Redis could not be read',
    });
  });
});
