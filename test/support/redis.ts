/** A Redis for tests: Debian's `redis-server` on a free port, in a folder of its own. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, onTestFinished } from 'vitest';
import { freePort } from '../../bench/service.js';
import { isLeftOut } from './programs.js';

const leftOut = isLeftOut('redis-server');
if (leftOut) console.warn('redis-server is not installed: the tests of sessions in Redis are left out');

/** A suite for which a Redis must be there. */
export const describeWithRedis = describe.skipIf(leftOut);

export interface RunningRedis {
  readonly port: number;
  /** For `SESSION_STORE`. */
  readonly url: string;
  /** A connection beside those of the service, to look and to set. */
  readonly admin: Redis;
  /** As when its machine fails. */
  kill(): Promise<void>;
  /** Stops or continues the process, whose connections stay. */
  signal(signal: 'SIGSTOP' | 'SIGCONT'): void;
  /** After a kill, on the same port, with what it had written to its folder. */
  restart(...settings: string[]): Promise<void>;
}

/** @param given as in a configuration file, `'maxmemory 10mb'` */
async function start(given: readonly string[]): Promise<RunningRedis & { end(): Promise<void> }> {
  const folder = await mkdtemp(join(tmpdir(), 'layerd-redis-'));
  const port = await freePort();
  const admin = new Redis({ port, host: '127.0.0.1', lazyConnect: true, retryStrategy: () => 20 });
  // It is away whenever a test says so.
  admin.on('error', () => undefined);
  let server: ChildProcess;

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
    server = spawn('redis-server', ['-'], { stdio: ['pipe', 'ignore', 'inherit'] });
    server.stdin?.end(`${lines.join('\n')}\n`);
    await once(server, 'spawn');
    const password = lines.find((line) => line.startsWith('requirepass '))?.split(' ')[1];
    if (password !== undefined) admin.options.password = password;
    if (admin.status === 'wait') void admin.connect().catch(() => undefined);
    // `once` of Node.js would end with the first attempt that comes too early.
    if (admin.status !== 'ready') await new Promise((resolve) => admin.once('ready', resolve));
  }

  async function kill(): Promise<void> {
    if (server.exitCode !== null || server.signalCode !== null) return;
    const exited = once(server, 'exit');
    server.kill('SIGKILL');
    await exited;
    if (admin.status === 'ready') await once(admin, 'close');
  }

  await run([]);
  return {
    port,
    url: `redis://127.0.0.1:${port}`,
    admin,
    kill,
    signal: (signal) => server.kill(signal),
    restart: (...settings) => run(settings),
    async end() {
      await kill();
      admin.disconnect();
      await rm(folder, { recursive: true });
    },
  };
}

/** To be called in a test: a Redis for that test alone. */
export async function startRedis(...settings: string[]): Promise<RunningRedis> {
  const redis = await start(settings);
  onTestFinished(() => redis.end());
  return redis;
}

/** To be called in a suite: one Redis for all its tests. */
export function sharedRedis(...settings: string[]): () => RunningRedis {
  let redis: Awaited<ReturnType<typeof start>> | undefined;
  beforeAll(async () => {
    redis = await start(settings);
  });
  afterAll(() => redis?.end());
  return () => {
    if (!redis) throw new Error('Redis is there only while tests run');
    return redis;
  };
}
