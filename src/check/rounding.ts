/** Recognises the effects of float32 arithmetic and of printing, so that they are not reported as mistakes. */
import type { FloatDtype, Tensor } from '../tensor/tensor.js';
import { largestMagnitude, type Tolerance } from './compare.js';

/** The largest relative error of one rounding. */
export const UNIT_ROUNDOFF: Readonly<Record<FloatDtype, number>> = { float64: 2 ** -53, float32: 2 ** -24 };

const SIGNIFICANT_FLOAT32 = 9;

/** Rounds values to the dtype of the request; those beyond the range of float32 become infinite. */
export function inDtype(tensor: Tensor, dtype: FloatDtype): Tensor {
  return dtype === 'float32' && tensor.data instanceof Float64Array
    ? { ...tensor, data: tensor.data.map(Math.fround) }
    : tensor;
}

/** The shortest decimal that identifies a value: 3.4 for the float32 value 3.4000000953674316. */
export function shortestIn(value: number, dtype: FloatDtype): number {
  if (dtype === 'float64' || !Number.isFinite(value)) return value;
  for (let digits = 1; digits < SIGNIFICANT_FLOAT32; digits++) {
    const shorter = Number(value.toPrecision(digits));
    if (Math.fround(shorter) === value) return shorter;
  }
  return Number(value.toPrecision(SIGNIFICANT_FLOAT32));
}

/** Whether all values are float32 values written in full, or decimals of at most nine significant digits. */
export function looksLikeFloat32({ data }: Tensor): boolean {
  return data.every(
    (value) => Math.fround(value) === value || Number(value.toPrecision(SIGNIFICANT_FLOAT32)) === value || isNaN(value),
  );
}

/** How a claim was printed. */
export interface Print {
  /** A phrase: `4 decimals` or `5 significant digits`. */
  readonly precision: string;
  /** Half a unit of the last printed digit of each element. */
  readonly room: Float64Array;
}

/** Many numbers have fewer significant digits anyway; more make the rounding smaller than any tolerance. */
const [FEWEST_DIGITS, MOST_DIGITS] = [3, 9];

/** Integers may have been printed with `%.4e`, which has five digits; many integers have fewer digits anyway. */
const FEWEST_OF_INTEGERS = 5;

/** Covers the representation error of half a unit. */
const REPRESENTED = 1 + 1e-6;

/** How many digits a number has, and the exponent of its first one. */
interface Decimal {
  readonly digits: number;
  readonly exponent: number;
}

const decimalsOf = ({ digits, exponent }: Decimal) => Math.max(0, digits - 1 - exponent);

/** The shortest decimal that identifies this value. */
function decimalOf(value: number, dtype: FloatDtype): Decimal {
  let text = value.toExponential();
  if (dtype === 'float32')
    for (let digits = 0; digits < SIGNIFICANT_FLOAT32; digits++) {
      text = value.toExponential(digits);
      if (Math.fround(Number(text)) === value) break;
    }
  const [mantissa, exponent] = text.split('e');
  return { digits: mantissa.replace(/[-.]/g, '').length, exponent: Number(exponent) };
}

/** Half a unit of the digit at 10^exponent. */
const halfOf = (exponent: number) => 0.5 * 10 ** exponent * REPRESENTED;

/**
 * Recognises two ways of printing. With k decimals (at most 9), no element has more than k, and at least one element
 * with decimals has 3 digits or more. With s significant digits (3 to 9), no element has more than s, and at least one
 * was evidently cut off: it has decimals, or s digits followed by zeros (1.2347e6). Integers that all have at least s
 * digits count too if s is at least 5; other integers do not show how they were printed.
 */
export function printOf({ data }: Tensor, dtype: FloatDtype): Print | undefined {
  if (data instanceof Int32Array || data instanceof Uint8Array) return undefined;
  const written: (Decimal | undefined)[] = [];
  let [decimals, digits] = [0, 0];
  for (const value of data) {
    const each = Number.isFinite(value) && value !== 0 ? decimalOf(value, dtype) : undefined;
    written.push(each);
    if (!each) continue;
    digits = Math.max(digits, each.digits);
    decimals = Math.max(decimals, decimalsOf(each));
    if (digits > MOST_DIGITS && decimals > MOST_DIGITS) return undefined;
  }
  const some = (shows: (each: Decimal) => boolean) => written.some((each) => each && shows(each));
  const isFixed =
    decimals <= MOST_DIGITS && some((each) => decimalsOf(each) > 0 && each.exponent + decimals + 1 >= FEWEST_DIGITS);
  const isScientific =
    digits >= FEWEST_DIGITS &&
    digits <= MOST_DIGITS &&
    (some((each) => decimalsOf(each) > 0 || (each.digits === digits && each.exponent >= digits)) ||
      (digits >= FEWEST_OF_INTEGERS && written.every((each) => !each || each.exponent >= digits - 1)));
  if (!isFixed && !isScientific) return undefined;
  const ofDecimals = isFixed ? halfOf(-decimals) : 0;
  // The coarser of the two: printed with k decimals, the largest element has more digits than the others.
  const room = Float64Array.from(written, (each, i) =>
    Number.isFinite(data[i]) ? Math.max(ofDecimals, isScientific && each ? halfOf(each.exponent - digits + 1) : 0) : 0,
  );
  const isOfDecimals = room.every((own) => own <= ofDecimals);
  return { precision: isOfDecimals ? `${decimals} decimals` : `${digits} significant digits`, room };
}

/** Relative error of a float32 sum, apart from the rounding of its result. */
const FLOAT32_RTOL = 1e-5;

/**
 * The tolerance to search for mistakes with if none matches within the requested one. The terms of a mistake are not
 * those of the right answer, so the largest bound of the tensor applies to all of its elements, scaled up if the claim
 * is larger than the right answer.
 */
export function looserFor(
  claimed: Tensor,
  right: Tensor,
  tolerance: Tolerance,
  bounds: Float64Array,
  unit: number,
): Tolerance {
  const larger = largestMagnitude(claimed.data) / largestMagnitude(right.data);
  const bound = bounds.reduce((a, b) => Math.max(a, b), 0) * (Number.isFinite(larger) ? Math.max(1, larger) : 1);
  const rtol = unit === UNIT_ROUNDOFF.float32 ? FLOAT32_RTOL : 0;
  return { rtol: Math.max(tolerance.rtol, rtol), atol: tolerance.atol + bound };
}

/** Largest error of a float64 sum, relative to its terms. */
export const FLOAT64_NOISE = 1e-13;
