import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { HAPROXY_CONFIGURATION } from '../../bench/proxy.js';
import { problemKinds, type ProblemName } from '../../src/http/problems.js';
import { haproxy, startBalancer } from '../support/haproxy.js';
import { compiled, startProcess } from '../support/process.js';
import { until } from '../support/until.js';

// Skipped if HAProxy is not installed; in CI, the tests then run and fail.
beforeEach(({ skip }) => {
  skip(haproxy(['-v']).error !== undefined && process.env.CI !== 'true', 'haproxy is not installed');
});

const NOWHERE = { LAYERD_1: '127.0.0.1:9', LAYERD_2: '127.0.0.1:9', LAYERD_3: '127.0.0.1:9' };

it('haproxy.cfg is a configuration without a warning', () => {
  const { status, stderr } = haproxy(['-c', '-f', HAPROXY_CONFIGURATION], NOWHERE);
  expect(stderr).not.toMatch(/WARNING|ALERT/);
  expect(status).toBe(0);
});

/** A few milliseconds of work, so that a replica dies in the middle of requests. */
const x = Array.from({ length: 64 }, (_, n) => Array.from({ length: 64 }, (_, c) => Math.sin(n * 64 + c)));

it('sends requests to live replicas although none is ready, as when Redis is unavailable', async () => {
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
  const url = await startBalancer(places, '/health/live');
  // After more than two checks of each, HAProxy knows that none is ready.
  await until(() => {
    expect(Math.min(...checks)).toBeGreaterThan(2);
  });
  expect((await fetch(`${url}/layers`)).status).toBe(200);
});

it('uses the title of the service for every error that it generates itself', () => {
  const errors = [...readFileSync(HAPROXY_CONFIGURATION, 'utf8').matchAll(/http-error status (\d+) .* string '(.*)'/g)];
  expect(errors.map(([, status]) => status)).toEqual(['400', '408', '500', '502', '503', '504']);
  for (const [, , body = ''] of errors) {
    const { type, title, status } = JSON.parse(body) as { type: string; title: string; status: number };
    expect(problemKinds[type.replace('/problems/', '') as ProblemName]).toEqual({ status, title });
  }
});

describe('HAProxy before three replicas', () => {
  const entry = compiled();

  async function three() {
    const replicas = [];
    for (let i = 0; i < 3; i++) replicas.push(await startProcess(entry(), { WORKERS: '0', LOG_LEVEL: 'info' }));
    return { replicas, url: await startBalancer(replicas.map(({ port }) => `127.0.0.1:${port}`)) };
  }

  const post = (url: string, body: object) =>
    fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });

  it('distributes requests over all replicas, and passes answers on unchanged', async () => {
    const { replicas, url } = await three();
    const direct = await (await post(`http://127.0.0.1:${replicas[0].port}/batchnorm`, { x, session: false })).text();
    const answers = await Promise.all(
      Array.from({ length: 30 }, async () => (await post(`${url}/batchnorm`, { x, session: false })).text()),
    );
    expect(new Set(answers)).toEqual(new Set([direct]));
    await until(() => {
      for (const replica of replicas)
        expect(replica.log().filter(({ route }) => route === '/batchnorm').length).toBeGreaterThan(2);
    });
    const refused = await post(`${url}/batchnorm`, { x: [[1], [2, 3]] });
    expect(refused.status).toBe(400);
    expect(refused.headers.get('content-type')).toContain('application/problem+json');
  });

  it('loses no repeatable request when a replica is killed', async () => {
    const { replicas, url } = await three();
    const expected = await (await post(`${url}/batchnorm`, { x, session: false })).text();
    let stop = false;
    let answered = 0;
    const refusals: string[] = [];
    const client = async () => {
      while (!stop) {
        const response = await post(`${url}/batchnorm`, { x, session: false }).catch((error: unknown) => {
          // HAProxy may close an idle keep-alive connection. No other error is allowed.
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
        // The request was at the replica that died. It is refused in the format of the service, and can be repeated.
        refusals.push(answer);
        expect(response.status).toBe(503);
        expect(response.headers.get('content-type')).toBe('application/problem+json');
        expect(JSON.parse(answer)).toMatchObject({ type: '/problems/shutting-down', status: 503 });
        await new Promise((resolve) => setTimeout(resolve, 1000 * Number(response.headers.get('retry-after'))));
      }
    };
    // HAProxy itself repeats requests that only read.
    const reader = async () => {
      while (!stop) expect((await fetch(`${url}/layers/linear`)).status).toBe(200);
    };
    const clients = [...Array.from({ length: 8 }, client), reader(), reader()];
    const answers = (count: number) =>
      until(() => {
        expect(answered).toBeGreaterThanOrEqual(count);
      });
    await answers(50);
    replicas[1].kill('SIGKILL');
    await replicas[1].exited;
    await answers(answered + 200);
    stop = true;
    await Promise.all(clients);
    // Only requests in flight, of which each client has at most one.
    expect(refusals.length).toBeLessThanOrEqual(8);
  });

  it('answers like the service if no replica is left', async () => {
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
