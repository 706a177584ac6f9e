/** Command-line options of all parts of the benchmark. */
import type { Rounds } from './rounds.js';

export interface Options extends Partial<Rounds> {
  /** Measure only cases whose name contains one of these words; all cases if empty. */
  readonly only: readonly string[];
  /** How long the load generator may wait, in all, for the machine to be idle. */
  readonly quietSeconds?: number;
}

export function wants({ only }: Options, name: string): boolean {
  return only.length === 0 || only.some((part) => name.includes(part));
}
