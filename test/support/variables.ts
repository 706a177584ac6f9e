/** What manifests may say of the service's configuration. */
import { readFileSync } from 'node:fs';
import { expect } from 'vitest';
import { ConfigSchema } from '../../src/config.js';

/** Of parts of the service that a build may be without. */
const OF_OTHER_PARTS = ['SESSION_STORE', 'SHUTDOWN_DELAY_SECONDS', 'API_KEYS_FILE', 'RATE_LIMIT_PER_MINUTE'];

/** @param others that are not the service's own */
export function expectKnown(names: readonly string[], others: readonly string[] = []): void {
  const known = [...Object.keys(ConfigSchema.properties), ...OF_OTHER_PARTS, ...others];
  expect(names.filter((name) => !known.includes(name))).toEqual([]);
}

/** How long the service takes to stop at the most, its primary's own grace included, without the delay before it. */
export const graceSeconds = Math.max(
  ...['server.ts', 'processes/primary.ts'].map((file) => {
    const text = readFileSync(new URL(`../../src/${file}`, import.meta.url), 'utf8');
    const ms = /GRACE_MS = ([\d_]+)/.exec(text)?.[1];
    if (ms === undefined) throw new Error(`src/${file} has no GRACE_MS`);
    return Number(ms.replaceAll('_', '')) / 1000;
  }),
);
