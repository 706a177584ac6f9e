/** The same numbers for the same seed, on every machine. */
import { sizeOf, tensor, type FloatTensor, type IntegerTensor, type Shape } from '../tensor/tensor.js';

export interface Numbers {
  /** From `low` to `high`, both included. */
  readonly integer: (low: number, high: number) => number;
  readonly pick: <Value>(values: readonly Value[]) => Value;
  /** Values with two decimals, easy to read. None is 0, and they are distinct as long as the range has enough. */
  readonly tensor: (shape: Shape, low?: number, high?: number) => FloatTensor;
  readonly integers: (values: readonly number[]) => IntegerTensor;
}

const HUNDREDTHS = 100;

/** Mulberry32 (Tommy Ettinger, public domain). */
export function numbersOf(seed: number): Numbers {
  // Seeds go up to 2^53: the upper bits count too.
  let state = (seed ^ Math.imul(Math.floor(seed / 2 ** 32), 0x9e3779b1)) | 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const integer = (low: number, high: number) => low + Math.floor((high - low + 1) * next());
  return {
    integer,
    pick: (values) => values[integer(0, values.length - 1)],
    tensor: (shape, low = -2, high = 2) => {
      const taken = new Set<number>([0]);
      const [least, most] = [Math.round(low * HUNDREDTHS), Math.round(high * HUNDREDTHS)];
      const data = new Float64Array(sizeOf(shape));
      for (let i = 0; i < data.length; i++) {
        let drawn = integer(least, most);
        while (taken.has(drawn) && taken.size < most - least) drawn = integer(least, most);
        taken.add(drawn);
        data[i] = drawn / HUNDREDTHS;
      }
      return tensor(shape, data);
    },
    integers: (values) => tensor([values.length], Int32Array.from(values)),
  };
}
