/** What rounding does to right values, so that it is not taken for a mistake: float32, and decimals that were printed. */
import type { Kernels } from '../kernels/kernels.js';
import type { Tensor } from '../tensor/tensor.js';
import { rightAnswers } from './answers.js';
import { largestDistance, largestMagnitude, type Tolerance } from './compare.js';
import type { Call, Checks, Tensors } from './definition.js';

const SIGNIFICANT_FLOAT32 = 9;

/** Whether all values are ones of float32, written in full or as the shortest decimal. */
export function looksLikeFloat32({ data }: Tensor): boolean {
  return data.every(
    (value) => Math.fround(value) === value || Number(value.toPrecision(SIGNIFICANT_FLOAT32)) === value,
  );
}

/** Decimals that a claim was rounded to, if that is how it was printed. Fewer are what small numbers have anyway. */
const [FEWEST_DECIMALS, MOST_DECIMALS] = [2, 8];
export function decimalsOf({ data }: Tensor): number | undefined {
  for (let decimals = FEWEST_DECIMALS; decimals <= MOST_DECIMALS; decimals++) {
    const scale = 10 ** decimals;
    if (data.every((value) => Math.abs(value * scale - Math.round(value * scale)) <= 1e-9 * Math.abs(value * scale)))
      return decimals;
  }
  return undefined;
}

/** Half a unit of the last decimal, and what its own representation adds. */
export const halfOf = (decimals: number) => 0.5 * 10 ** -decimals * (1 + 1e-6);

/**
 * What was computed in float32, or printed with a few decimals, equals the result of a mistake no nearer than that:
 * by the tolerance of float64 no mistake would be found in it.
 */
export function looserFor(claimed: Tensor, right: Tensor, tolerance: Tolerance, rounding: () => number): Tolerance {
  const decimals = decimalsOf(claimed);
  const half = decimals === undefined ? 0 : halfOf(decimals);
  const rounded = { ...tolerance, atol: Math.max(tolerance.atol, half) };
  if (!looksLikeFloat32(claimed)) return rounded;
  // A mistake may have made the terms of its sums larger.
  const larger = Math.max(1, largestMagnitude(claimed.data) / largestMagnitude(right.data) || 1);
  const ofFloat32 = rounding() * (Number.isFinite(larger) ? larger : 1);
  return { rtol: Math.max(rounded.rtol, FLOAT32_RTOL), atol: Math.max(rounded.atol, ofFloat32) };
}

/** Beyond a rounding of each result, what a sum of float32 may lose. */
export const FLOAT32_RTOL = 1e-5;

/** Of the terms of a sum, what sums of float64 lose at the most. */
export const FLOAT64_NOISE = 1e-13;

/** What sums in another order, or one after the other, lose beyond what the layer itself loses in float32. */
const ORDERS = 16;

/** For each tensor, how far float32 takes its values from the right ones; computed when first asked. */
export function roundingOf(checks: Checks, call: Call, right: Tensors, kernels: Kernels): (name: string) => number {
  let rounded: Tensors | undefined;
  return (name) => {
    rounded ??= rightAnswers(checks, inFloat32(call), kernels);
    const unit = 2 ** -23 * largestMagnitude(right[name].data);
    const apart = largestDistance(rounded[name].data, right[name].data);
    return ORDERS * Math.max(unit, Number.isFinite(apart) ? apart : 0);
  };
}

function inFloat32(call: Call): Call {
  const rounded = (tensors: Tensors): Tensors =>
    Object.fromEntries(
      Object.entries(tensors).map(([name, { dtype, shape, data }]) =>
        dtype === 'float64'
          ? [name, { dtype: 'float32', shape, data: Float32Array.from(data) }]
          : [name, { dtype, shape, data }],
      ),
    );
  return { ...call, inputs: rounded(call.inputs), upstream: rounded(call.upstream) };
}
