/**
 * Mixed load for a long time: resident memory stays flat after the warm-up, and sessions and file descriptors return to
 * their initial numbers. `TESTS=all STEPS=25000 npx vitest run test/resilience/soak` is the long form.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { compiled, startProcess } from '../support/process.js';
import { randomNumbers } from '../support/random.js';
import { Client, outcomesOf } from './support/client.js';
import { rehearse, trainAll } from './support/training.js';
import { until } from '../support/until.js';

/** Steps of each client that trains. */
const STEPS = Number(process.env.STEPS ?? 300);
const WARM_UP = 1 / 3;
const STEPS_A_SAMPLE = 5;
/** Growth of resident memory per thousand steps of each client, in the long form. */
const MOST_MEBIBYTES_A_THOUSAND = 1.5;
const LONG_STEPS = 25_000;

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

/** Returns false the first time. */
function once(): () => boolean {
  let asked = false;
  return () => {
    const before = asked;
    asked = true;
    return before;
  };
}

/** Large JSON bodies of different sizes, one after another. */
async function postLarge(client: Client, isOver: () => boolean): Promise<void> {
  const { next } = randomNumbers(7);
  while (!isOver()) {
    const rows = 128 + Math.floor(next() * 384);
    const x = Array.from({ length: rows }, () => Array.from({ length: 128 }, next));
    const { status } = await client.post('batchnorm', JSON.stringify({ x, session: false }));
    expect(status).toBe(200);
  }
}

/** Requests that are refused, and connections that are aborted. */
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
  { timeout: 300_000 + STEPS * 2000 },
  async () => {
    // Clients keep a connection for as long as the service announces.
    const service = await startProcess(entry(), { WORKERS: '1', KEEP_ALIVE_TIMEOUT_SECONDS: '2' });
    const url = `http://127.0.0.1:${service.port}`;
    const pid = service.log()[0].pid as number;
    const steps = await rehearse(new Client(url));
    // The first large request starts the thread, which has its own descriptors.
    await postLarge(new Client(url), once());
    const before = descriptors(pid);
    let isOver = false;
    const clients = Array.from({ length: 4 }, () => new Client(url));
    const [other, ...training] = clients;
    const { progress, over } = trainAll(training, steps, () => isOver);
    const load = Promise.all([over, postLarge(other, () => isOver), annoy(url, () => isOver)]);
    const samples: [number, number][] = [];
    const sampling = async () => {
      for (let taken = STEPS_A_SAMPLE; taken <= STEPS; taken += STEPS_A_SAMPLE) {
        await progress(STEPS_A_SAMPLE);
        samples.push([taken / 1000, residentBytes(pid) / 2 ** 20]);
      }
    };
    await Promise.race([load, sampling()]).finally(() => {
      isOver = true;
    });
    await load;

    const warm = samples.slice(Math.floor(samples.length * WARM_UP));
    const rise = slope(warm);
    const peak = Math.max(...warm.map(([, mebibytes]) => mebibytes));
    console.log(
      `soak: ${STEPS} steps of ${training.length} clients, resident ${warm[0][1].toFixed(0)} MiB after the warm-up, at most ${peak.toFixed(0)} MiB, ` +
        `slope ${rise.toFixed(2)} MiB in a thousand steps; attempts ${outcomesOf(clients)}`,
    );
    // A short run is all warm-up, so its slope has no meaning.
    if (STEPS >= LONG_STEPS) expect(rise).toBeLessThan(MOST_MEBIBYTES_A_THOUSAND);
    expect(peak).toBeLessThan(1024);

    await until(async () => {
      const metrics = await (await fetch(`${url}/metrics`, { headers: { connection: 'close' } })).text();
      expect(metrics).toMatch(/^layerd_sessions 0$/m);
      // Idle connections are closed after a while.
      expect(descriptors(pid)).toBeLessThanOrEqual(before);
    });
  },
);
