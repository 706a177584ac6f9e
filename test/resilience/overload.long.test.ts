/**
 * Four times the load that can be served: every request is answered correctly or refused with a time to retry, served
 * requests cost little more than without overload, and the service recovers afterwards.
 * `TESTS=all ANSWERS=2000 npx vitest run test/resilience/overload` is the long form.
 */
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { compiled, startProcess } from '../support/process.js';
import { randomNumbers } from '../support/random.js';
import { until } from '../support/until.js';

/** Correct answers in each phase. */
const ANSWERS = Number(process.env.ANSWERS ?? 150);
const OVER = 4;
/** Answers per second of the service's processor time, relative to those without overload. */
const LEAST_GOODPUT = 0.5;
const CONNECTIONS = 4;
/** Waiting calls: enough to keep the thread busy, few enough to be served soon. */
const IN_FLIGHT = 16;

const entry = compiled();

/** Small input and output, but long to compute: a window of 4096 taps at 4225 positions. */
function heavy(): string {
  const { next } = randomNumbers(64);
  const x = [[Array.from({ length: 64 }, () => Array.from({ length: 64 }, next))]];
  return JSON.stringify({ x, mode: 'average', kernel_size: 64, stride: 1, padding: 32, session: false });
}

/** Clock ticks of processor time of a process, in user mode and in the kernel (proc_pid_stat(5)). */
function ticksOf(pid: number): number {
  const [, fields = ''] = /^\d+ \(.*\) (.*)$/s.exec(readFileSync(`/proc/${pid}/stat`, 'utf8')) ?? [];
  const [user, system] = fields.split(' ').slice(11, 13).map(Number);
  return user + system;
}

it.skipIf(process.platform !== 'linux')(
  'keeps serving under four times the load that it can serve (reads /proc)',
  { timeout: 300_000 + ANSWERS * 2000 },
  async () => {
    const service = await startProcess(entry(), { WORKERS: '1', REQUESTS_IN_FLIGHT_LIMIT: String(IN_FLIGHT) });
    const url = `http://127.0.0.1:${service.port}/pooling`;
    const pid = service.log()[0].pid as number;
    const body = heavy();
    const post = async () => {
      const response = await fetch(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
      return { status: response.status, retryAfter: response.headers.get('retry-after'), text: await response.text() };
    };
    const { text: right } = await post();
    expect(JSON.parse(right)).toHaveProperty('out');

    /** Answers per tick, for work that returns their number. */
    const rateOf = async (work: () => Promise<number>) => {
      const before = ticksOf(pid);
      const answers = await work();
      return answers / (ticksOf(pid) - before);
    };
    /** Clients that each wait for their answer. */
    const calm = async () => {
      let asked = 0;
      const client = async () => {
        while (asked++ < ANSWERS) expect((await post()).text).toBe(right);
      };
      await Promise.all(Array.from({ length: CONNECTIONS }, client));
      return ANSWERS;
    };
    await calm();
    const peak = await rateOf(calm);

    const statuses = new Map<number, number>();
    const faults: string[] = [];
    const count = (status: number) => statuses.get(status) ?? 0;
    /**
     * Each answer is followed by four more requests. One takes the place that became free; the others exceed the
     * capacity.
     */
    const ask = async (): Promise<void> => {
      const { status, retryAfter, text } = await post();
      statuses.set(status, count(status) + 1);
      if (status === 200 ? text !== right : ![429, 503].includes(status) || !(Number(retryAfter) >= 1))
        faults.push(`${status} ${retryAfter ?? 'without Retry-After'} ${text.slice(0, 200)}`);
      if (status === 200 && count(200) < ANSWERS) await Promise.all(Array.from({ length: OVER }, ask));
    };
    const goodput = await rateOf(async () => {
      await Promise.all(Array.from({ length: OVER * IN_FLIGHT }, ask));
      return count(200);
    });

    console.log(
      `overload: ${[...statuses].map(([status, times]) => `${status}: ${times}`).join(', ')}; ` +
        `for each second of its processor time ${((goodput / peak) * 100).toFixed(0)} % of what it serves without`,
    );
    expect(faults.slice(0, 3)).toEqual([]);
    // More was offered than could be served; otherwise, the test would show nothing.
    expect(count(503)).toBeGreaterThan(count(200));
    expect(goodput / peak).toBeGreaterThan(LEAST_GOODPUT);
    await until(async () => {
      expect((await post()).text).toBe(right);
    });
  },
);
