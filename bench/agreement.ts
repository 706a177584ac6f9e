/** Nothing is timed before its answer is the right one. */
import type { TensorData } from '../src/tensor/tensor.js';

/** What rounding may change of the largest value, by a dtype's name. */
const TOLERANCE = { float64: 1e-9, float32: 1e-4 } as const;

/** @throws {Error} where `actual` is not `expected` but for rounding */
export function expectAgreement(
  what: string,
  actual: TensorData | readonly number[],
  expected: TensorData | readonly number[],
  dtype: keyof typeof TOLERANCE,
): void {
  if (actual.length !== expected.length)
    throw new Error(`${what}: ${actual.length} numbers; expected ${expected.length}`);
  // Below a thousandth, which sums of cancelling terms come to, differences are absolute.
  let largest = 1e-3;
  let worst = 0;
  for (let i = 0; i < expected.length; i++) {
    largest = Math.max(largest, Math.abs(expected[i]));
    // NaN, where either is, stays.
    worst = Math.max(worst, Math.abs(expected[i] - actual[i]));
  }
  if (!(worst <= TOLERANCE[dtype] * largest)) throw new Error(`${what} is off by ${worst}, of values up to ${largest}`);
}
