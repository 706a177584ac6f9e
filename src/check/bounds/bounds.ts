/**
 * Bounds the rounding error of each element of an answer: Σ |terms| of that element, times the unit roundoff and a
 * small factor. No element widens the bound of another.
 *
 * A sum of n terms loses at most 6 √n unit roundoffs, or n if that is less. The classical bound n allows for rounding
 * errors that all have the same sign, which do not occur in practice; for a million float32 terms it would hide an
 * error of 6 %. Source: Higham, Accuracy and Stability of Numerical Algorithms, 2nd edition, sections 3.1 and 4.2;
 * Higham and Mary (2019), A new approach to probabilistic rounding error analysis,
 * https://doi.org/10.1137/18M1226312, theorem 2.4 with λ = 6.
 */
import type { Kernels } from '../../kernels/kernels.js';
import { isFloats, sizeOf, type FloatArray, type Tensor } from '../../tensor/tensor.js';
import { rightAnswers } from '../answers.js';
import type { Instance, Tensors } from '../../layers/instance.js';
import type { Checks } from '../definition.js';

export interface Given {
  readonly checks: Checks;
  readonly instance: Instance;
  /** The right answers, in float64. */
  readonly right: Tensors;
  /** Unit roundoff of the arithmetic: 2^-53 for float64, 2^-24 for float32. */
  readonly unit: number;
  readonly kernels: Kernels;
}

/** Absolute bounds by the name of the answer. An answer without an entry is exact. */
export type BoundsOf = Readonly<Record<string, FloatArray | undefined>>;

/** Computes the bounds for one layer. */
export type Bounds = (given: Given) => BoundsOf;

/** Replaces bounds that are not finite by 0: terms that overflow allow no error. */
export function boundsOf(given: Given): BoundsOf {
  const bounds = given.checks.bounds(given);
  return Object.fromEntries(
    Object.entries(bounds).map(([name, data]) => [name, data?.map((bound) => (Number.isFinite(bound) ? bound : 0))]),
  );
}

const LAMBDA = 6;

/** Unit roundoffs that a sum of n terms may lose. */
export const sumUnits = (n: number): number => Math.min(n, LAMBDA * Math.sqrt(n));

/** Unit roundoffs per term: one each for its two factors, for their product and for the result. */
export const TERM_UNITS = 4;

const mapFloats = (tensors: Tensors, of: (value: number) => number): Tensors =>
  Object.fromEntries(
    Object.entries(tensors).map(([name, { shape, data }]): [string, Tensor] => [
      name,
      { shape, data: isFloats(data) ? Float64Array.from(data, of) : data },
    ]),
  );

export const magnitudes = (tensors: Tensors): Tensors => mapFloats(tensors, Math.abs);

/**
 * Bounds for a layer whose answers are sums of products. Run on absolute values, the layer itself returns Σ |terms| of
 * every element; run on ones, it returns the number of terms.
 */
export const ofSums: Bounds = ({ checks, instance, unit, kernels }) => {
  const pass = (of: (value: number) => number) =>
    rightAnswers(
      checks,
      { ...instance, inputs: mapFloats(instance.inputs, of), upstream: mapFloats(instance.upstream, of) },
      kernels,
    );
  const terms = pass(Math.abs);
  const counts = pass(() => 1);
  return Object.fromEntries(
    Object.entries(terms).map(([name, { data }]) => [
      name,
      Float64Array.from(data, (sum, i) => (sumUnits(counts[name].data[i]) + TERM_UNITS) * unit * sum),
    ]),
  );
};

/** `units` times the magnitude of each value. */
export function relative({ data, shape }: Tensor, units: number): Float64Array {
  return Float64Array.from({ length: sizeOf(shape) }, (_, i) => units * Math.abs(data[i]));
}
