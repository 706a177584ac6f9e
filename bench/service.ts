/** The built service in processes of its own, on a free port of this machine. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';

const SERVER = fileURLToPath(new URL('../src/server.js', import.meta.url));
const START_MS = 20_000;

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

/** Not port 0: the service would say in its log alone which one it took. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

export async function startService(variables: Readonly<Record<string, string>> = {}): Promise<Service> {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const child = spawn(process.execPath, [SERVER], {
    env: { ...process.env, LOG_LEVEL: 'warn', ...variables, HOST: '127.0.0.1', PORT: String(port) },
    // The table has standard output to itself.
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  return started('the service', url, child);
}

/** What listens at `url` when it is ready; ended with this process at the latest. */
export async function started(
  what: string,
  url: string,
  child: ChildProcess,
  ready = '/health/ready',
): Promise<Service> {
  const ended = once(child, 'exit');
  const end = () => child.kill('SIGTERM');
  // It would outlive a benchmark that is broken off.
  process.once('exit', end);
  const stop = async () => {
    process.off('exit', end);
    end();
    await ended;
  };
  for (
    const limit = Date.now() + START_MS;
    Date.now() < limit;
    await new Promise((resolve) => setTimeout(resolve, 100))
  )
    if (await responds(url + ready)) return { url, pid: child.pid ?? 0, stop };
  await stop();
  throw new Error(`${what} is not ready after ${START_MS / 1000} s`);
}

/** Starts the service, and ends it after the work whatever comes of that. */
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
