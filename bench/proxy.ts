/** What replicas need on this machine: HAProxy with deploy/haproxy.cfg, and Redis with the redis.conf of deploy/. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { freePort, started, type Service } from './service.js';

/** The root of the repository, for the sources as well as the compiled files. */
const root = dirname(createRequire(import.meta.url).resolve('#package.json'));
export const HAPROXY_CONFIGURATION = join(root, 'deploy', 'haproxy.cfg');
const REDIS_CONFIGURATION = join(root, 'deploy', 'kubernetes', 'redis', 'redis.conf');

/** Takes the place of a missing replica: nothing listens on this port (discard, RFC 863). */
const NOBODY = '127.0.0.1:9';

/**
 * @param replicas at most three, as host:port
 * @param ready a path that succeeds once the balancer can serve requests
 */
export async function startProxy(replicas: readonly string[], ready?: string): Promise<Service> {
  const bind = `127.0.0.1:${await freePort()}`;
  const places = [1, 2, 3].map((i): [string, string] => [`LAYERD_${i}`, replicas.at(i - 1) ?? NOBODY]);
  const child = spawn('haproxy', ['-f', HAPROXY_CONFIGURATION], {
    // Debian installs it in a directory that is only in root's PATH.
    env: { PATH: `${process.env.PATH ?? ''}:/usr/sbin`, BIND: bind, ...Object.fromEntries(places) },
    stdio: 'ignore',
  });
  return started('HAProxy', `http://${bind}`, child, ready);
}

export interface Redis {
  readonly url: string;
  readonly pid: number;
  /** Bytes in and out since it started. */
  traffic(): Promise<number>;
  stop(): Promise<void>;
}

export async function startRedis(): Promise<Redis> {
  const folder = await mkdtemp(join(tmpdir(), 'layerd-redis-'));
  const port = await freePort();
  const settings = ['--bind', '127.0.0.1', '--port', String(port)];
  const child = spawn('redis-server', [REDIS_CONFIGURATION, ...settings], {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const end = () => child.kill('SIGTERM');
  process.once('exit', end);
  const ended = once(child, 'exit');
  const stop = async () => {
    process.off('exit', end);
    end();
    await ended;
    await rm(folder, { recursive: true });
  };
  await new Promise<void>((resolve, reject) => {
    let log = '';
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      log += chunk;
      if (log.includes('Ready to accept connections')) resolve();
    });
    child.once('exit', () => {
      reject(new Error(`Redis ended: ${log}`));
    });
  });
  return {
    url: `redis://127.0.0.1:${port}`,
    pid: child.pid ?? 0,
    async traffic() {
      const socket = connect(port, '127.0.0.1');
      socket.end('INFO stats\r\nQUIT\r\n');
      const answer = await text(socket);
      const field = (name: string) => Number(new RegExp(`^${name}:(\\d+)`, 'm').exec(answer)?.[1]);
      return field('total_net_input_bytes') + field('total_net_output_bytes');
    },
    stop,
  };
}
