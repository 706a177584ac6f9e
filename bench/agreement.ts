/** Every result is verified before it is timed. */
import type { TensorData } from '../src/tensor/tensor.js';

/** Allowed rounding error relative to the largest value, by dtype. */
const TOLERANCE = { float64: 1e-9, float32: 1e-4 } as const;

/** @throws {Error} if `actual` differs from `expected` by more than rounding */
export function expectAgreement(
  what: string,
  actual: TensorData | readonly number[],
  expected: TensorData | readonly number[],
  dtype: keyof typeof TOLERANCE,
): void {
  if (actual.length !== expected.length)
    throw new Error(`${what}: ${actual.length} numbers; expected ${expected.length}`);
  // Below a thousandth, as in sums of cancelling terms, differences are absolute.
  let largest = 1e-3;
  let worst = 0;
  for (let i = 0; i < expected.length; i++) {
    largest = Math.max(largest, Math.abs(expected[i]));
    // Math.max propagates NaN, so NaN in either value fails the comparison below.
    worst = Math.max(worst, Math.abs(expected[i] - actual[i]));
  }
  if (!(worst <= TOLERANCE[dtype] * largest)) throw new Error(`${what} is off by ${worst}, of values up to ${largest}`);
}
