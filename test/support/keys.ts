/** Keys in a temporary file, which is deleted with the test. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { makeKey } from '../../src/keys/keys.js';

export interface TestKeys {
  readonly path: string;
  /** By name. */
  readonly keys: Readonly<Record<string, string>>;
  readonly write: (lines: readonly string[]) => void;
}

/** Must be called in a test. */
export function keysFile(...names: readonly string[]): TestKeys {
  const folder = mkdtempSync(join(tmpdir(), 'layerd-keys-'));
  onTestFinished(() => {
    rmSync(folder, { recursive: true });
  });
  const path = join(folder, 'keys');
  const made = names.map((name) => ({ name, ...makeKey(name) }));
  const write = (lines: readonly string[]) => {
    writeFileSync(path, `${lines.join('\n')}\n`);
  };
  write(made.map(({ line }) => line));
  return { path, keys: Object.fromEntries(made.map(({ name, key }) => [name, key])), write };
}

export const bearer = (key: string) => ({ authorization: `Bearer ${key}` });
