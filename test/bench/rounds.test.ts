import { describe, expect, it } from 'vitest';
import { average, fastest, inTurn, median, quantile, type Side } from '../../bench/rounds.js';

/** A side that takes the given nanoseconds, one after the other, and says so in `log`. */
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
  it('is the middle of an odd count, and between the middles of an even one', () => {
    expect(median([5, 1, 100])).toBe(5);
    expect(median([10, 1, 2, 3])).toBe(2.5);
  });

  it('leaves the values as they were', () => {
    const values = [3, 1, 2];
    median(values);
    expect(values).toEqual([3, 1, 2]);
  });
});

describe('a quantile', () => {
  it('is the smallest value that the share does not exceed', () => {
    const hundred = Array.from({ length: 100 }, (_, i) => 100 - i);
    expect(quantile(hundred, 0.99)).toBe(99);
    expect(quantile(hundred, 0.5)).toBe(50);
    expect(quantile([7], 0.01)).toBe(7);
  });
});

describe('sides in turn', () => {
  it('meet every round one after the other, and give their medians', async () => {
    const log: string[] = [];
    const sides = [side('a', [3, 1, 2], log), side('b', [30, 20, 10], log)];
    expect(await inTurn(sides, { rounds: 3, seconds: 1 })).toEqual([2, 20]);
    expect(log).toEqual(['a', 'b', 'a', 'b', 'a', 'b']);
  });

  it('let one of which a call takes much longer than a round sit out after the third', async () => {
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
  it('is timed once at least', () => {
    let calls = 0;
    const ns = of('x', () => calls++).time(0);
    expect(calls).toBe(1);
    expect(ns).toBeGreaterThan(0);
  });
});
