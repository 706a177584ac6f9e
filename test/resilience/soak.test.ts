/**
 * Mixed load for a long time: resident memory is flat after the warm-up, and sessions and file descriptors are back
 * where they were afterwards. `DURATION_SECONDS=1200 npx vitest run test/resilience/soak.test.ts` is the long form.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';
import { expect, it, vi } from 'vitest';
import { compiled, startProcess } from '../support/process.js';
import { randomNumbers } from '../support/random.js';
import { Client, outcomesOf } from './support/client.js';
import { rehearse, train } from './support/training.js';

const DURATION_MS = Number(process.env.DURATION_SECONDS ?? 15) * 1000;
const WARM_UP = 1 / 3;
const SAMPLE_MS = 500;
/** Of resident memory, in a minute, over the long form: a leak of a byte a request would show. */
const MOST_MEBIBYTES_A_MINUTE = 2;
const LONG_MS = 600_000;

const entry = compiled();

const residentBytes = (pid: number) =>
  Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1024;
const descriptors = (pid: number) => readdirSync(`/proc/${pid}/fd`).length;

/** Slope of y over x by least squares. */
function slope(points: readonly (readonly [number, number])[]): number {
  const mean = (of: 0 | 1) => points.reduce((sum, point) => sum + point[of], 0) / points.length;
  const [mx, my] = [mean(0), mean(1)];
  const covariance = points.reduce((sum, [x, y]) => sum + (x - mx) * (y - my), 0);
  return covariance / points.reduce((sum, [x]) => sum + (x - mx) ** 2, 0);
}

/** False the first time. */
function once(): () => boolean {
  let asked = false;
  return () => {
    const before = asked;
    asked = true;
    return before;
  };
}

/** Large bodies in JSON, one after the other, whose sizes differ. */
async function postLarge(client: Client, isOver: () => boolean): Promise<void> {
  const { next } = randomNumbers(7);
  while (!isOver()) {
    const rows = 128 + Math.floor(next() * 384);
    const x = Array.from({ length: rows }, () => Array.from({ length: 128 }, next));
    const { status } = await client.post('batchnorm', JSON.stringify({ x, session: false }));
    expect(status).toBe(200);
  }
}

/** Requests that are refused, and connections that are given up. */
async function annoy(url: string, isOver: () => boolean): Promise<void> {
  while (!isOver()) {
    const giveUp = new AbortController();
    const answer = fetch(`${url}/linear`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ x: [Array<number>(20_000).fill(1)], weight: [[1]] }),
      signal: giveUp.signal,
    }).then((response) => response.text());
    setTimeout(() => {
      giveUp.abort();
    }, 3);
    await answer.catch(() => undefined);
  }
}

it.skipIf(process.platform !== 'linux')(
  'keeps its memory flat under mixed load (reads /proc)',
  { timeout: DURATION_MS + 120_000 },
  async () => {
    // Clients keep a connection for as long as they are told that it will be kept.
    const service = await startProcess(entry(), { WORKERS: '1', KEEP_ALIVE_TIMEOUT_SECONDS: '2' });
    const url = `http://127.0.0.1:${service.port}`;
    const pid = service.log()[0].pid as number;
    const steps = await rehearse(new Client(url));
    // The first large request starts the thread, which has descriptors of its own.
    await postLarge(new Client(url), once());
    const before = descriptors(pid);
    const end = Date.now() + DURATION_MS;
    const isOver = () => Date.now() >= end;
    const clients = Array.from({ length: 4 }, () => new Client(url));
    const load = Promise.all([
      ...clients.slice(1).map((client) => train(client, steps, isOver)),
      postLarge(clients[0], isOver),
      annoy(url, isOver),
    ]);
    const samples: [number, number][] = [];
    const start = Date.now();
    while (!isOver()) {
      samples.push([(Date.now() - start) / 60_000, residentBytes(pid) / 2 ** 20]);
      await wait(SAMPLE_MS);
    }
    await load;

    const warm = samples.slice(Math.floor(samples.length * WARM_UP));
    const rise = slope(warm);
    const peak = Math.max(...warm.map(([, mebibytes]) => mebibytes));
    console.log(
      `soak: ${DURATION_MS / 1000} s, resident ${warm[0][1].toFixed(0)} MiB after the warm-up, at most ${peak.toFixed(0)} MiB, ` +
        `slope ${rise.toFixed(2)} MiB a minute; attempts ${outcomesOf(clients)}`,
    );
    // A short run is all warm-up: its slope says nothing.
    if (DURATION_MS >= LONG_MS) expect(rise).toBeLessThan(MOST_MEBIBYTES_A_MINUTE);
    expect(peak).toBeLessThan(1024);

    await vi.waitFor(
      async () => {
        const metrics = await (await fetch(`${url}/metrics`, { headers: { connection: 'close' } })).text();
        expect(metrics).toMatch(/^layerd_sessions 0$/m);
        // Connections are closed when they have been idle for a while.
        expect(descriptors(pid)).toBeLessThanOrEqual(before);
      },
      { timeout: 30_000, interval: 500 },
    );
  },
);
