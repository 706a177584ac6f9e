/** HAProxy with the configuration of `deploy/`, in front of a test's services. */
import { spawnSync } from 'node:child_process';
import { onTestFinished } from 'vitest';
import { HAPROXY_CONFIGURATION } from '../../bench/proxy.js';
import { freePort } from '../../bench/service.js';
import { start } from './children.js';
import { until } from './until.js';

/** Debian installs it in a directory that is only in root's PATH. */
const PATH = `${process.env.PATH ?? ''}:/usr/sbin`;

/** Runs it until it exits. */
export const haproxy = (args: readonly string[], variables: Readonly<Record<string, string>> = {}) =>
  spawnSync('haproxy', args, { encoding: 'utf8', env: { PATH, ...variables } });

/**
 * Starts a balancer that is ended with the test; must be called in a test.
 * @param replicas three, as host:port
 * @param ready a path that succeeds once the balancer can serve requests
 * @returns its address
 */
export async function startBalancer(replicas: readonly string[], ready = '/health/ready'): Promise<string> {
  const bind = `127.0.0.1:${await freePort()}`;
  const places = Object.fromEntries(replicas.map((replica, i) => [`LAYERD_${i + 1}`, replica]));
  const env = { PATH, BIND: bind, ...places };
  const { child, end } = start('haproxy', ['-db', '-f', HAPROXY_CONFIGURATION], { env, stdio: 'ignore' });
  onTestFinished(end);
  const ended = new Promise<never>((_, reject) => {
    child.once('error', reject);
    child.once('exit', (code) => {
      reject(new Error(`HAProxy ended before it served, with ${code}`));
    });
  });
  ended.catch(() => undefined);
  const url = `http://${bind}`;
  const serving = until(async () => {
    if (!(await fetch(url + ready)).ok) throw new Error('no replica is ready behind the balancer');
  });
  await Promise.race([serving, ended]);
  return url;
}
