/** Random numbers determined by a seed. */
import { sizeOf, tensor, type FloatTensor, type Shape } from '../../src/tensor/tensor.js';

export interface RandomNumbers {
  /** From 0 (inclusive) to 1 (exclusive). */
  readonly next: () => number;
  readonly uniform: (low: number, high: number) => number;
  /** From -1 to 1, unless bounds are given. */
  readonly array: (length: number, low?: number, high?: number) => number[];
  readonly tensor: (shape: Shape, low?: number, high?: number) => FloatTensor;
  /** In random order, from -2 to 2, no two nearer than 2 / length. */
  readonly spread: (length: number) => number[];
}

/** Mulberry32 (Tommy Ettinger, public domain): good enough for test inputs, and four lines long. */
export function randomNumbers(seed: number): RandomNumbers {
  let state = seed | 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const uniform = (low: number, high: number): number => low + (high - low) * next();
  const array = (length: number, low = -1, high = 1): number[] => Array.from({ length }, () => uniform(low, high));
  return {
    next,
    uniform,
    array,
    tensor: (shape, low, high) => tensor(shape, Float64Array.from(array(sizeOf(shape), low, high))),
    spread(length) {
      const places = Array.from({ length }, (_, i) => i);
      for (let i = length - 1; i > 0; i--) {
        const j = Math.floor(next() * (i + 1));
        [places[i], places[j]] = [places[j], places[i]];
      }
      return places.map((place) => -2 + (4 / length) * (place + uniform(0, 0.5)));
    },
  };
}
