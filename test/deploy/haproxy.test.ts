import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { HAPROXY_CONFIGURATION, startProxy } from '../../bench/proxy.js';
import { compiled, startProcess } from '../support/process.js';

/** Debian puts it where only root looks. */
const PATH = `${process.env.PATH ?? ''}:/usr/sbin`;

const haproxy = (args: readonly string[], variables: Readonly<Record<string, string>> = {}) =>
  spawnSync('haproxy', args, { encoding: 'utf8', env: { PATH, ...variables } });

// Left out where it is missing; in CI the tests go on, and fail.
beforeEach(({ skip }) => {
  skip(haproxy(['-v']).error !== undefined && process.env.CI !== 'true', 'haproxy is not installed');
});

const NOWHERE = { LAYERD_1: '127.0.0.1:9', LAYERD_2: '127.0.0.1:9', LAYERD_3: '127.0.0.1:9' };

it('haproxy.cfg is a configuration without a warning', () => {
  const { status, stderr } = haproxy(['-c', '-f', HAPROXY_CONFIGURATION], NOWHERE);
  expect(stderr).not.toMatch(/WARNING|ALERT/);
  expect(status).toBe(0);
});

/** Some milliseconds of work, so that a replica dies in the middle of requests; the same numbers each time. */
const x = Array.from({ length: 64 }, (_, n) => Array.from({ length: 64 }, (_, c) => Math.sin(n * 64 + c)));

it('sends to replicas that live while none is ready, as when Redis is away', async () => {
  const places: string[] = [];
  const checks = [0, 0, 0];
  for (const i of checks.keys()) {
    const replica = createServer(({ url }, response) => {
      if (url === '/health/ready') checks[i]++;
      response.statusCode = url === '/health/ready' ? 503 : 200;
      response.end();
    }).listen(0, '127.0.0.1');
    onTestFinished(() => void replica.close());
    await once(replica, 'listening');
    places.push(`127.0.0.1:${(replica.address() as AddressInfo).port}`);
  }
  const proxy = await startProxy(places, '/health/live');
  onTestFinished(() => proxy.stop());
  // Two of them, and HAProxy knows that none is ready.
  await vi.waitFor(
    () => {
      expect(Math.min(...checks)).toBeGreaterThan(2);
    },
    { timeout: 20_000 },
  );
  expect((await fetch(`${proxy.url}/layers`)).status).toBe(200);
});

describe('HAProxy before three replicas', () => {
  const entry = compiled();

  async function three() {
    const replicas = [];
    for (let i = 0; i < 3; i++) replicas.push(await startProcess(entry(), { WORKERS: '0', LOG_LEVEL: 'info' }));
    const proxy = await startProxy(replicas.map(({ port }) => `127.0.0.1:${port}`));
    onTestFinished(() => proxy.stop());
    return { replicas, url: proxy.url };
  }

  const post = (url: string, body: object) =>
    fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(20_000),
    });

  it('gives each a share, and the answers of the service as they are', async () => {
    const { replicas, url } = await three();
    const direct = await (await post(`http://127.0.0.1:${replicas[0].port}/batchnorm`, { x, session: false })).text();
    const answers = await Promise.all(
      Array.from({ length: 30 }, async () => (await post(`${url}/batchnorm`, { x, session: false })).text()),
    );
    expect(new Set(answers)).toEqual(new Set([direct]));
    for (const replica of replicas)
      expect(replica.log().filter(({ route }) => route === '/batchnorm').length).toBeGreaterThan(2);
    const refused = await post(`${url}/batchnorm`, { x: [[1], [2, 3]] });
    expect(refused.status).toBe(400);
    expect(refused.headers.get('content-type')).toContain('application/problem+json');
  });

  it('loses no request that may be repeated when one is killed', async () => {
    const { replicas, url } = await three();
    const expected = await (await post(`${url}/batchnorm`, { x, session: false })).text();
    let stop = false;
    let answered = 0;
    const refusals: string[] = [];
    const client = async () => {
      while (!stop) {
        const response = await post(`${url}/batchnorm`, { x, session: false }).catch((error: unknown) => {
          // A connection that had served before is closed, as any kept connection may be: nothing else may fail.
          expect(['UND_ERR_SOCKET', 'ECONNRESET']).toContain(((error as Error).cause as { code?: string }).code);
          refusals.push('closed');
          return undefined;
        });
        if (!response) continue;
        const answer = await response.text();
        if (response.status === 200) {
          answered++;
          expect(answer).toBe(expected);
          continue;
        }
        // What was with the replica that died: as the service refuses, and to be repeated.
        refusals.push(answer);
        expect(response.status).toBe(503);
        expect(response.headers.get('content-type')).toBe('application/problem+json');
        expect(JSON.parse(answer)).toMatchObject({ type: '/problems/shutting-down', status: 503 });
        await new Promise((resolve) => setTimeout(resolve, 1000 * Number(response.headers.get('retry-after'))));
      }
    };
    // What only reads is repeated by HAProxy itself.
    const reader = async () => {
      while (!stop) expect((await fetch(`${url}/layers/linear`)).status).toBe(200);
    };
    const clients = [...Array.from({ length: 8 }, client), reader(), reader()];
    await new Promise((resolve) => setTimeout(resolve, 500));
    const before = answered;
    replicas[1].kill('SIGKILL');
    await new Promise((resolve) => setTimeout(resolve, 2500));
    stop = true;
    await Promise.all(clients);
    expect(before).toBeGreaterThan(0);
    expect(answered).toBeGreaterThan(before);
    // Only requests that were under way: each client has one at the most.
    expect(refusals.length).toBeLessThanOrEqual(8);
  });

  it('says so as the service would when no replica is left', async () => {
    const proxy = await three();
    const died = proxy.replicas.map(({ exited }) => exited);
    for (const replica of proxy.replicas) replica.kill('SIGKILL');
    await Promise.all(died);
    const response = await post(`${proxy.url}/batchnorm`, { x, session: false });
    expect(response.status).toBe(503);
    expect(response.headers.get('retry-after')).toBe('1');
    expect(await response.json()).toMatchObject({ type: '/problems/shutting-down', status: 503 });
  });
});
