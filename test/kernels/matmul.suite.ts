import { afterEach, describe, expect, it } from 'vitest';
import type { Kernels, MatmulShape } from '../../src/kernels/kernels.js';
import type { FloatDtype } from '../../src/tensor/tensor.js';
import { randomNumbers } from '../support/random.js';
import { atScale } from '../support/scale.js';
import { boundedSum, expectBounded, FLOAT_DTYPES, memory, OF_LONG_SUM, ROUNDOFF, type Bounded } from './memory.js';

const FLAGS = [false, true];
const VARIANTS = FLAGS.flatMap((transposeA) =>
  FLAGS.flatMap((transposeB) => FLAGS.map((accumulate) => ({ transposeA, transposeB, accumulate }))),
);

/** The triple loop, each element separately. */
function product(
  a: ArrayLike<number>,
  b: ArrayLike<number>,
  before: ArrayLike<number>,
  { M, N, K, transposeA, transposeB, accumulate }: MatmulShape,
  dtype: FloatDtype,
): Bounded[] {
  return Array.from({ length: M * N }, (_, at) => {
    const [m, n] = [Math.floor(at / N), at % N];
    const terms = Array.from(
      { length: K },
      (_, k) => a[transposeA ? k * M + m : m * K + k] * b[transposeB ? n * K + k : k * N + n],
    );
    return boundedSum(accumulate ? [before[at], ...terms] : terms, dtype);
  });
}

export function matmulSuite(kernels: Kernels): void {
  describe.each(FLOAT_DTYPES)('matmul in %s', (dtype) => {
    const { input, output, inPlace, expectIntact } = memory();
    const numbers = randomNumbers(1);
    afterEach(expectIntact);

    function expectProduct(shape: MatmulShape, a: number[], b: number[], before: number[]): void {
      const [left, right] = [input(dtype, a), input(dtype, b)];
      const c = shape.accumulate ? inPlace(dtype, before) : output(dtype, before.length);
      const expected = product(left, right, c.slice(), shape, dtype);
      kernels.matmul(left, right, c, shape);
      expectBounded(c, expected, JSON.stringify(shape));
    }

    function expectRandomProduct(M: number, N: number, K: number): void {
      for (const variant of VARIANTS)
        expectProduct({ M, N, K, ...variant }, numbers.array(M * K), numbers.array(K * N), numbers.array(M * N));
    }

    it('is the sum over k for sizes from 1 to 40, however the operands are stored', () => {
      for (let size = 1; size <= 40; size += atScale({ all: 1, quick: 3 })) {
        expectRandomProduct(size, 5, 7);
        expectRandomProduct(7, size, 5);
        expectRandomProduct(5, 7, size);
        expectRandomProduct(size, size, 3);
      }
    });

    it.each([
      [13, 130, 130],
      [130, 13, 65],
      [1, 257, 33],
      [129, 1, 67],
      [3, 2, 1025],
    ])('is the sum over k for [%i, %i] over %i', (M, N, K) => {
      expectRandomProduct(M, N, K);
    });

    it('overwrites c, and adds to it only on request', () => {
      const c = inPlace(dtype, [100]);
      const [a, b] = [input(dtype, [2, 3]), input(dtype, [5, 7])];
      kernels.matmul(a, b, c, { M: 1, N: 1, K: 2 });
      expect(c[0]).toBe(31);
      kernels.matmul(a, b, c, { M: 1, N: 1, K: 2, accumulate: true });
      expect(c[0]).toBe(62);
    });

    it('returns NaN for 0 · NaN and 0 · ∞, without affecting other elements', () => {
      for (const special of [NaN, Infinity, -Infinity])
        for (const variant of VARIANTS)
          for (const N of [1, 3, 9]) {
            const [M, K] = [3, 5];
            const a = Array<number>(M * K).fill(0);
            const b = Array<number>(K * N).fill(1);
            // Element (2, 0) of b.
            b[variant.transposeB ? 2 : 2 * N] = special;
            expectProduct({ M, N, K, ...variant }, a, b, Array<number>(M * N).fill(4));
          }
    });

    it('keeps an infinity that meets only finite numbers', () => {
      for (const variant of VARIANTS)
        expectProduct({ M: 1, N: 1, K: 5, ...variant }, [1, 2, Infinity, 4, 5], [1, 1, 1, 1, 1], [3]);
    });

    it('stays accurate in a dot product of 100,000 terms', () => {
      const K = 100_000;
      for (const variant of VARIANTS) {
        const a = input(dtype, numbers.array(K, 0, 1));
        const b = input(dtype, numbers.array(K, 0, 1));
        const c = inPlace(dtype, [0]);
        kernels.matmul(a, b, c, { M: 1, N: 1, K, ...variant });
        const exact = exactDot(a, b);
        // Nothing wider than float64 is available, so it uses a running sum, whose rounding error grows as √K.
        const allowed = dtype === 'float32' ? OF_LONG_SUM : Math.sqrt(K);
        expect(Math.abs(c[0] - exact) / exact / ROUNDOFF[dtype]).toBeLessThanOrEqual(allowed);
      }
    });
  });
}

/** Compensated summation by Kahan and Babuška (Neumaier 1974): accurate to the last digit or two for any length. */
function exactDot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  let rest = 0;
  for (let i = 0; i < a.length; i++) {
    const term = a[i] * b[i];
    const next = sum + term;
    rest += Math.abs(sum) >= Math.abs(term) ? sum - next + term : term - next + sum;
    sum = next;
  }
  return sum + rest;
}
