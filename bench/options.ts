/** What the command line may say to every part of the benchmark. */
import type { Rounds } from './rounds.js';

export interface Options extends Partial<Rounds> {
  /** Measure only what has one of these in its name; all where there is none. */
  readonly only: readonly string[];
  /** How long the load generator may wait, in all, for the machine to be idle. */
  readonly quietSeconds?: number;
}

export function wants({ only }: Options, name: string): boolean {
  return only.length === 0 || only.some((part) => name.includes(part));
}
