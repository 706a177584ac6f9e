/** A client that repeats requests refused with 429 or 503, after the announced time, until they are served. */
import { setTimeout as wait } from 'node:timers/promises';

export interface Answered {
  readonly status: number;
  readonly text: string;
}

/** Longer than any working request takes on any machine; it only ends a request that would never be served. */
const HOPELESS_MS = 120_000;

/** Used if no time was announced because the connection was cut, such as by a replica that died. */
const AFTER_CUT_MS = 50;

export class Client {
  /** Attempts by outcome: a status, or `cut` if there was no answer. */
  readonly outcomes = new Map<string, number>();
  /** Duration of the slowest attempt, for reports. */
  slowestMs = 0;

  constructor(
    private readonly url: string,
    private readonly headers: Readonly<Record<string, string>> = {},
  ) {}

  /** @throws if no attempt is served */
  async post(path: string, body: string): Promise<Answered> {
    return this.ask('POST', path, body);
  }

  async ask(method: string, path: string, body?: string): Promise<Answered> {
    const end = performance.now() + HOPELESS_MS;
    let last = '';
    while (performance.now() < end) {
      const { outcome, answered, retryAfterMs } = await this.attempt(method, path, body);
      if (answered) return answered;
      last = outcome;
      await wait(retryAfterMs);
    }
    throw new Error(`${method} ${path} was not served in ${HOPELESS_MS / 1000} s; at last: ${last}`);
  }

  private async attempt(method: string, path: string, body: string | undefined) {
    const start = performance.now();
    try {
      const response = await fetch(`${this.url}/${path}`, {
        method,
        headers: { 'content-type': 'application/json', ...this.headers },
        ...(body === undefined ? {} : { body }),
        signal: AbortSignal.timeout(HOPELESS_MS),
      });
      const text = await response.text();
      const outcome = this.count(String(response.status), start);
      const retryAfter = response.headers.get('retry-after');
      if (response.status !== 429 && response.status !== 503)
        return { outcome, answered: { status: response.status, text }, retryAfterMs: 0 };
      if (retryAfter === null) throw new Error(`${response.status} without Retry-After: ${text}`);
      return { outcome: `${outcome} ${text}`, retryAfterMs: Number(retryAfter) * 1000 };
    } catch (error) {
      if (error instanceof Error && error.message.includes('without Retry-After')) throw error;
      return { outcome: this.count('cut', start), retryAfterMs: AFTER_CUT_MS };
    }
  }

  private count(outcome: string, start: number): string {
    this.slowestMs = Math.max(this.slowestMs, performance.now() - start);
    this.outcomes.set(outcome, (this.outcomes.get(outcome) ?? 0) + 1);
    return outcome;
  }
}

/** The outcomes of several clients together, as text for a report. */
export function outcomesOf(clients: readonly Client[]): string {
  const all = new Map<string, number>();
  for (const { outcomes } of clients)
    for (const [outcome, count] of outcomes) all.set(outcome, (all.get(outcome) ?? 0) + count);
  return [...all].map(([outcome, count]) => `${outcome}: ${count}`).join(', ');
}
