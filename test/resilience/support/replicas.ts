/** Several replicas of the service behind HAProxy, as deploy/haproxy.cfg has them. */
import { spawn } from 'node:child_process';
import { createServer, type AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { onTestFinished, vi } from 'vitest';
import { startProcess, type RunningService } from '../../support/process.js';

const configuration = fileURLToPath(new URL('../../../deploy/haproxy.cfg', import.meta.url));

/** HAProxy lies in /usr/sbin, which not every PATH has. */
const PATH = `${process.env.PATH ?? ''}:/usr/sbin`;

/** One that nobody uses at the moment. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((listening) => server.once('listening', listening));
  const { port } = server.address() as AddressInfo;
  await new Promise((closed) => server.close(closed));
  return port;
}

export interface Replicas {
  /** Of the balancer. */
  readonly url: string;
  /** Of each replica, past the balancer. */
  readonly urls: readonly string[];
  /** Ends one with SIGKILL and starts it again, at its port. */
  replace(index: number): Promise<void>;
}

async function balance(ports: readonly number[]): Promise<number> {
  const port = await freePort();
  const places = Object.fromEntries(ports.map((replica, i) => [`LAYERD_${i + 1}`, `127.0.0.1:${replica}`]));
  const env = { PATH, BIND: `127.0.0.1:${port}`, ...places };
  const proxy = spawn('haproxy', ['-db', '-f', configuration], { env, stdio: 'ignore' });
  onTestFinished(() => {
    proxy.kill('SIGKILL');
  });
  return port;
}

/** To be called in a test, with as many replicas as the configuration has: three. */
export async function startReplicas(entry: string, environment: Readonly<Record<string, string>>): Promise<Replicas> {
  const ports = await Promise.all([freePort(), freePort(), freePort()]);
  const start = (port: number) => startProcess(entry, { PORT: String(port), LOG_LEVEL: 'info', ...environment });
  const running: RunningService[] = await Promise.all(ports.map(start));
  const url = `http://127.0.0.1:${await balance(ports)}`;
  await vi.waitFor(
    async () => {
      if (!(await fetch(`${url}/health/ready`)).ok) throw new Error('no replica is ready behind the balancer');
    },
    { timeout: 20_000 },
  );
  return {
    url,
    urls: ports.map((port) => `http://127.0.0.1:${port}`),
    async replace(index) {
      running[index].kill('SIGKILL');
      await running[index].exited;
      running[index] = await start(ports[index]);
    },
  };
}
