/** What manifests may say of the service's configuration. */
import { expect } from 'vitest';
import { ConfigSchema } from '../../src/config.js';

/** @param others that are not the service's own */
export function expectKnown(names: readonly string[], others: readonly string[] = []): void {
  const known = [...Object.keys(ConfigSchema.properties), ...others];
  expect(names.filter((name) => !known.includes(name))).toEqual([]);
}

/**
 * That whoever ends the process waits for it: longer than it takes by itself at the most, a primary's 3 s included.
 * @param patience in seconds
 */
export function expectPatience(patience: number, environment: Readonly<Record<string, string>>): void {
  const [delay, grace] = [Number(environment.SHUTDOWN_DELAY_SECONDS), Number(environment.SHUTDOWN_GRACE_SECONDS)];
  expect(delay).toBeLessThan(grace);
  expect(patience).toBeGreaterThan(grace + 3);
}
