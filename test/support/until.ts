import { vi } from 'vitest';

/** Longer than any working attempt takes on any machine; it only ends what will never succeed. */
const HOPELESS_MS = 120_000;

/** Repeats an attempt until it does not throw, and returns its result. */
export function until<Value>(attempt: () => Value | Promise<Value>): Promise<Value> {
  return vi.waitFor(attempt, { timeout: HOPELESS_MS, interval: 20 });
}
