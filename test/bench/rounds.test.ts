import { describe, expect, it } from 'vitest';
import { average, fastest, inTurn, median, quantile, type Side } from '../../bench/rounds.js';

/** A side that returns the given times in nanoseconds, one per call, and records its calls in `log`. */
function side(name: string, times: readonly number[], log: string[]): Side {
  let turn = 0;
  return {
    name,
    time: () => {
      log.push(name);
      return times[turn++];
    },
  };
}

describe('a median', () => {
  it('is the middle of an odd number of values, and the mean of the two middle values otherwise', () => {
    expect(median([5, 1, 100])).toBe(5);
    expect(median([10, 1, 2, 3])).toBe(2.5);
  });

  it('does not change the values', () => {
    const values = [3, 1, 2];
    median(values);
    expect(values).toEqual([3, 1, 2]);
  });
});

describe('a quantile', () => {
  it('is the smallest value that at least this share of the values does not exceed', () => {
    const hundred = Array.from({ length: 100 }, (_, i) => 100 - i);
    expect(quantile(hundred, 0.99)).toBe(99);
    expect(quantile(hundred, 0.5)).toBe(50);
    expect(quantile([7], 0.01)).toBe(7);
  });
});

describe('sides in turn', () => {
  it('run one after the other in every round, and return their medians', async () => {
    const log: string[] = [];
    const sides = [side('a', [3, 1, 2], log), side('b', [30, 20, 10], log)];
    expect(await inTurn(sides, { rounds: 3, seconds: 1 })).toEqual([2, 20]);
    expect(log).toEqual(['a', 'b', 'a', 'b', 'a', 'b']);
  });

  it('skip a side after the third round if one of its calls takes much longer than a round', async () => {
    const log: string[] = [];
    const sides = [side('a', [1, 1, 1, 1, 1], log), side('slow', [6e8, 7e8, 8e8, 1, 1], log)];
    expect(await inTurn(sides, { rounds: 5, seconds: 0.1 })).toEqual([1, 7e8]);
    expect(log.filter((name) => name === 'slow')).toHaveLength(3);
  });
});

describe.each([
  ['the fastest', fastest],
  ['the average', average],
])('%s call', (_, of) => {
  it('is timed at least once', () => {
    let calls = 0;
    const ns = of('x', () => calls++).time(0);
    expect(calls).toBe(1);
    expect(ns).toBeGreaterThan(0);
  });
});
