/** A client that wants an answer: it repeats what was refused for the moment, after as long as it was told to wait. */
import { setTimeout as wait } from 'node:timers/promises';

export interface Answered {
  readonly status: number;
  readonly text: string;
}

/** A request is given up when it was not served in this time, however often it was repeated. */
const PATIENCE_MS = 60_000;

/** An attempt that takes longer than this counts as unanswered. */
const UNANSWERED_MS = 15_000;

/** Where nothing says how long: a connection was cut, as by a replica that died. */
const AFTER_CUT_MS = 50;

export class Client {
  /** Attempts by what became of them: a status, or `cut` where no answer came. */
  readonly outcomes = new Map<string, number>();
  /** Of the slowest attempt. */
  slowestMs = 0;

  constructor(
    private readonly url: string,
    private readonly headers: Readonly<Record<string, string>> = {},
  ) {}

  /** @throws where no attempt was served within the patience */
  async post(path: string, body: string): Promise<Answered> {
    return this.ask('POST', path, body);
  }

  async ask(method: string, path: string, body?: string): Promise<Answered> {
    const end = performance.now() + PATIENCE_MS;
    let last = '';
    while (performance.now() < end) {
      const { outcome, answered, retryAfterMs } = await this.attempt(method, path, body);
      if (answered) return answered;
      last = outcome;
      await wait(retryAfterMs);
    }
    throw new Error(`${method} ${path} was not served in ${PATIENCE_MS / 1000} s; at last: ${last}`);
  }

  private async attempt(method: string, path: string, body: string | undefined) {
    const start = performance.now();
    try {
      const response = await fetch(`${this.url}/${path}`, {
        method,
        headers: { 'content-type': 'application/json', ...this.headers },
        ...(body === undefined ? {} : { body }),
        signal: AbortSignal.timeout(UNANSWERED_MS),
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

/** Of several clients together, as text for a report. */
export function outcomesOf(clients: readonly Client[]): string {
  const all = new Map<string, number>();
  for (const { outcomes } of clients)
    for (const [outcome, count] of outcomes) all.set(outcome, (all.get(outcome) ?? 0) + count);
  return [...all].map(([outcome, count]) => `${outcome}: ${count}`).join(', ');
}
