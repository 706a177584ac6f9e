/**
 * Times several programs that do the same work, in rounds in which they take turns, so that a slow moment of the
 * machine affects all of them.
 */

/** A program that takes part in the rounds. */
export interface Side {
  readonly name: string;
  /** @returns nanoseconds per call, from calls that take at least this many seconds together */
  time(seconds: number): number | Promise<number>;
}

export interface Rounds {
  readonly rounds: number;
  /** The time of each side in each round. */
  readonly seconds: number;
}

/** A side whose calls take this many times its share of a round is skipped after the third, such as plain kernels. */
const SLOW = 5;

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** The quantile: the smallest value that the given share of all values does not exceed. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)];
}

/** @returns each side's median over its rounds */
export async function inTurn(sides: readonly Side[], { rounds, seconds }: Rounds): Promise<number[]> {
  const times: number[][] = sides.map(() => []);
  for (let round = 0; round < rounds; round++)
    for (const [i, side] of sides.entries())
      if (round < 3 || median(times[i]) < SLOW * seconds * 1e9) times[i].push(await side.time(seconds));
  return times.map(median);
}

/** The fastest call of each round, for arithmetic, because other load can only add time. */
export function fastest(name: string, run: () => unknown): Side {
  return {
    name,
    time(seconds) {
      let least = Infinity;
      each(run, seconds, (ns) => (least = Math.min(least, ns)));
      return least;
    },
  };
}

/** The mean of each round, for calls that allocate, because garbage collection is part of their cost. */
export function average(name: string, run: () => unknown): Side {
  return {
    name,
    time(seconds) {
      const start = process.hrtime.bigint();
      const calls = each(run, seconds, () => undefined);
      return Number(process.hrtime.bigint() - start) / calls;
    },
  };
}

/** @returns the number of calls, at least one */
function each(run: () => unknown, seconds: number, report: (ns: number) => void): number {
  let calls = 0;
  for (let at = process.hrtime.bigint(), end = at + BigInt(Math.round(seconds * 1e9)); ;) {
    run();
    calls++;
    const now = process.hrtime.bigint();
    report(Number(now - at));
    if (now >= end) return calls;
    at = now;
  }
}
