/** Dropout as two functions with a cache, on the flattened tensor: the cache holds the factor of each element. */
import type { Answers, Nested } from '../../definition.js';

interface Given {
  x: Nested;
  mask?: Nested | undefined;
  rate: number;
  training: boolean;
  scaling: 'inverted' | 'test_time';
  dout?: Nested | undefined;
}

function flatten(x: Nested): number[] {
  return Array.isArray(x) ? x.flatMap(flatten) : [x];
}

/** The values in the nesting of another tensor. */
function nestLike(like: Nested, values: number[]): Nested {
  let next = 0;
  const take = (part: Nested): Nested => (Array.isArray(part) ? part.map(take) : values[next++]);
  return take(like);
}

const multiply = (a: number[], b: number[]) => a.map((value, i) => value * b[i]);

function dropoutForward(x: number[], { mask = [], rate, training, scaling }: Given) {
  const keep = 1 - rate;
  let factors: number[];
  if (training) {
    factors = flatten(mask);
    // With rate 1 nothing is kept, and there is nothing to scale.
    if (scaling === 'inverted' && keep > 0) factors = factors.map((kept) => kept / keep);
  } else {
    factors = x.map(() => (scaling === 'inverted' ? 1 : keep));
  }
  return { out: multiply(x, factors), cache: factors };
}

function dropoutBackward(dout: number[], factors: number[]): number[] {
  return multiply(dout, factors);
}

export default function dropout(given: Given): Answers {
  const { x, dout } = given;
  const { out, cache } = dropoutForward(flatten(x), given);
  const answers = { out: nestLike(x, out) };
  if (dout === undefined) return answers;
  return { ...answers, dx: nestLike(x, dropoutBackward(flatten(dout), cache)) };
}
