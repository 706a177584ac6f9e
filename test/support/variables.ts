/** Checks of the service's variables in manifests. */
import { expect } from 'vitest';
import { ConfigSchema } from '../../src/config.js';

/** @param others variables that are not the service's own */
export function expectKnown(names: readonly string[], others: readonly string[] = []): void {
  const known = [...Object.keys(ConfigSchema.properties), ...others];
  expect(names.filter((name) => !known.includes(name))).toEqual([]);
}

/**
 * Expects the supervisor to wait longer than the service takes to stop at most, including 3 s for the primary process.
 * @param patience in seconds
 */
export function expectPatience(patience: number, environment: Readonly<Record<string, string>>): void {
  const [delay, grace] = [Number(environment.SHUTDOWN_DELAY_SECONDS), Number(environment.SHUTDOWN_GRACE_SECONDS)];
  expect(delay).toBeLessThan(grace);
  expect(patience).toBeGreaterThan(grace + 3);
}
