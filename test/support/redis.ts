/** A Redis for tests: Debian's `redis-server` on a free port, in a temporary folder. */
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, onTestFinished } from 'vitest';
import { freePort } from '../../bench/service.js';
import { start, type Started } from './children.js';
import { isLeftOut } from './programs.js';

const leftOut = isLeftOut('redis-server');
if (leftOut) console.warn('redis-server is not installed: the tests of sessions in Redis are left out');

/** A suite that requires Redis. */
export const describeWithRedis = describe.skipIf(leftOut);

export interface RunningRedis {
  readonly port: number;
  /** The value for `SESSION_STORE`. */
  readonly url: string;
  /** A separate connection, for inspection and settings. */
  readonly admin: Redis;
  /** Kills it, as if its machine failed. */
  kill(): Promise<void>;
  /** Stops or continues the process, whose connections stay open. */
  signal(signal: 'SIGSTOP' | 'SIGCONT'): void;
  /** Starts it after a kill, on the same port, with the files that it had written. */
  restart(...settings: string[]): Promise<void>;
}

/** @param given lines of a configuration file, such as `'maxmemory 10mb'` */
async function open(given: readonly string[]): Promise<RunningRedis & { end(): Promise<void> }> {
  const folder = await mkdtemp(join(tmpdir(), 'layerd-redis-'));
  const port = await freePort();
  const admin = new Redis({ port, host: '127.0.0.1', lazyConnect: true, retryStrategy: () => 20 });
  // Errors are expected: tests make it unavailable.
  admin.on('error', () => undefined);
  let server: Started;

  async function run(settings: readonly string[]): Promise<void> {
    const lines = [
      `port ${port}`,
      'bind 127.0.0.1',
      `dir ${folder}`,
      'save ""',
      'maxmemory-policy noeviction',
      ...given,
      ...settings,
    ];
    server = start('redis-server', ['-'], { stdio: ['pipe', 'ignore', 'inherit'] });
    const { child } = server;
    child.stdin?.end(`${lines.join('\n')}\n`);
    await once(child, 'spawn');
    const password = lines.find((line) => line.startsWith('requirepass '))?.split(' ')[1];
    if (password !== undefined) admin.options.password = password;
    if (admin.status === 'wait') void admin.connect().catch(() => undefined);
    // `once` of Node.js would reject after the first failed attempt.
    if (admin.status !== 'ready')
      await new Promise((resolve, reject) => {
        admin.once('ready', resolve);
        child.once('exit', () => {
          reject(new Error(`redis-server ended before it could be used at port ${port}`));
        });
      });
  }

  async function kill(): Promise<void> {
    await server.end();
    if (admin.status === 'ready') await once(admin, 'close');
  }

  async function end(): Promise<void> {
    await server.end();
    admin.disconnect();
    await rm(folder, { recursive: true });
  }

  try {
    await run([]);
  } catch (error) {
    await end();
    throw error;
  }
  return {
    port,
    url: `redis://127.0.0.1:${port}`,
    admin,
    kill,
    signal: (signal) => server.child.kill(signal),
    restart: (...settings) => run(settings),
    end,
  };
}

/** Must be called in a test: a Redis for only that test. */
export async function startRedis(...settings: string[]): Promise<RunningRedis> {
  const redis = await open(settings);
  onTestFinished(() => redis.end());
  return redis;
}

/** Must be called in a suite: one Redis for all its tests. */
export function sharedRedis(...settings: string[]): () => RunningRedis {
  let redis: Awaited<ReturnType<typeof open>> | undefined;
  beforeAll(async () => {
    redis = await open(settings);
  });
  afterAll(() => redis?.end());
  return () => {
    if (!redis) throw new Error('Redis is there only while tests run');
    return redis;
  };
}
