/** Arrays as kernels receive them, as parts of larger ones, and the checks of their contents after a call. */
import { expect } from 'vitest';
import type { Dtype, FloatDtype } from '../../src/tensor/tensor.js';

export const FLOAT_DTYPES = ['float64', 'float32'] as const satisfies readonly FloatDtype[];

/** Unit roundoff: half the distance from 1 to the next number. */
export const ROUNDOFF = { float64: 2 ** -53, float32: 2 ** -24 } as const;

/**
 * The most roundoffs that a long sum of terms of one sign may be off by. For 100,000 random products in float32, a
 * running sum is off by up to 177, sums of 256 that are summed in turn, or sums in 16 lanes, by up to 10 (the worst of
 * 20 draws), and a sum in float64 by half a roundoff.
 */
export const OF_LONG_SUM = 16;

const constructors = { float64: Float64Array, float32: Float32Array, int32: Int32Array, uint8: Uint8Array } as const;
type ArrayOf<D extends Dtype> = InstanceType<(typeof constructors)[D]>;

/** Written before and after every array; small enough for a byte. */
const MARK = 99;
/** Initial contents of outputs, to detect kernels that add to them or multiply them by 0. NaN if the dtype has it. */
const STALE = { float64: NaN, float32: NaN, int32: 77, uint8: 77 } as const;

export interface Memory {
  /** An array that a kernel reads and must not change. */
  readonly input: <D extends Dtype>(dtype: D, values: ArrayLike<number>) => ArrayOf<D>;
  /** An array that it writes. */
  readonly output: <D extends Dtype>(dtype: D, length: number) => ArrayOf<D>;
  /** An array that it reads and writes. */
  readonly inPlace: <D extends Dtype>(dtype: D, values: ArrayLike<number>) => ArrayOf<D>;
  /** Expects all inputs, and the memory around all arrays, to be unchanged. */
  readonly expectIntact: () => void;
}

export function memory(): Memory {
  const checks: (() => void)[] = [];
  let placed = 0;

  function place<D extends Dtype>(dtype: D, length: number): ArrayOf<D> {
    // Covers every alignment to vectors of four.
    const start = 1 + (placed++ % 4);
    const whole = new constructors[dtype](start + length + 4).fill(MARK);
    checks.push(() => {
      expect([...whole.subarray(0, start), ...whole.subarray(start + length)].every((value) => value === MARK)).toBe(
        true,
      );
    });
    return whole.subarray(start, start + length) as ArrayOf<D>;
  }

  function inPlace<D extends Dtype>(dtype: D, values: ArrayLike<number>): ArrayOf<D> {
    const array = place(dtype, values.length);
    array.set(values);
    return array;
  }

  return {
    inPlace,
    input(dtype, values) {
      const array = inPlace(dtype, values);
      const before = array.slice();
      checks.push(() => {
        expect(array.every((value, i) => Object.is(value, before[i]))).toBe(true);
      });
      return array;
    },
    output(dtype, length) {
      const array = place(dtype, length);
      array.fill(STALE[dtype]);
      return array;
    },
    expectIntact() {
      checks.splice(0).forEach((check) => {
        check();
      });
    },
  };
}

/** An expected value, and its largest allowed error. */
export interface Bounded {
  readonly value: number;
  readonly bound: number;
}

/**
 * A sum of products in float64, and an error bound in `dtype` for every order of summation: for each term, one roundoff
 * of the sum of magnitudes, and two more for the product and the last rounding (Higham, Accuracy and Stability of
 * Numerical Algorithms, 2002, section 4.2).
 */
export function boundedSum(terms: readonly number[], dtype: FloatDtype): Bounded {
  let value = 0;
  let magnitude = 0;
  for (const term of terms) {
    value += term;
    magnitude += Math.abs(term);
  }
  return { value, bound: (terms.length + 2) * ROUNDOFF[dtype] * magnitude };
}

/** NaN and infinities must be equal; all other values may be off by their bound. */
export function expectBounded(actual: ArrayLike<number>, expected: readonly Bounded[], message = ''): void {
  expect(actual.length).toBe(expected.length);
  const wrong = expected.findIndex(({ value, bound }, i) =>
    Number.isFinite(value) ? !(Math.abs(actual[i] - value) <= bound) : !Object.is(actual[i], value),
  );
  if (wrong < 0) return;
  const { value, bound } = expected[wrong];
  expect.fail(`${message} element ${wrong} is ${actual[wrong]}; expected ${value} to within ${bound}`);
}
