/** Runs the compiled service in separate processes, on a free port of this machine. */
import { spawn, type ChildProcess } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const SERVER = fileURLToPath(new URL('../src/server.js', import.meta.url));
/** Longer than a working service takes to start on any machine. */
const HOPELESS_MS = 120_000;

export interface Service {
  readonly url: string;
  readonly pid: number;
  readonly stop: () => Promise<void>;
}

export const responds = (url: string) =>
  fetch(url).then(
    ({ ok }) => ok,
    () => false,
  );

/**
 * A port for a program that cannot choose a free one itself, or cannot report which one it chose. It is below the range
 * that systems use for outgoing connections and for port 0 (from 32768 on Linux, from 49152 by RFC 6335), so that
 * nothing takes it before the program listens, or while the program is restarted.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(16_384, 32_768);
    const server = createServer().listen(port, '127.0.0.1');
    const isFree = await once(server, 'listening').then(
      () => true,
      () => false,
    );
    if (!isFree) continue;
    server.close();
    await once(server, 'close');
    return port;
  }
}

export async function startService(variables: Readonly<Record<string, string>> = {}): Promise<Service> {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const child = spawn(process.execPath, [SERVER], {
    env: { ...process.env, LOG_LEVEL: 'warn', ...variables, HOST: '127.0.0.1', PORT: String(port) },
    // Standard output is reserved for the table.
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  return started('the service', url, child);
}

/** Waits until the service at `url` is ready. It is ended with this process at the latest. */
export async function started(
  what: string,
  url: string,
  child: ChildProcess,
  ready = '/health/ready',
): Promise<Service> {
  const ended = once(child, 'exit');
  const end = () => child.kill('SIGTERM');
  // Otherwise it would outlive an interrupted benchmark.
  process.once('exit', end);
  const stop = async () => {
    process.off('exit', end);
    end();
    await ended;
  };
  const limit = Date.now() + HOPELESS_MS;
  while (child.exitCode === null && child.signalCode === null && Date.now() < limit) {
    if (await responds(url + ready)) return { url, pid: child.pid ?? 0, stop };
    await sleep(100);
  }
  await stop();
  throw new Error(`${what} ended, or was not ready after ${HOPELESS_MS / 1000} s`);
}

/** Starts the service, and ends it after `work`, even if that fails. */
export async function withService<Result>(
  variables: Readonly<Record<string, string>>,
  work: (url: string) => Promise<Result>,
): Promise<Result> {
  const { url, stop } = await startService(variables);
  try {
    return await work(url);
  } finally {
    await stop();
  }
}
