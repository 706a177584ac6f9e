/**
 * The shortest decimal that reads back as a float64 or float32, and of several the nearest: Raffaello Giulietti, "The
 * Schubfach way to render doubles" (2020). The factors of the interval's two bounds differ from the value's by a power
 * of two, so one addition to the value's product gives each bound: one product instead of three.
 *
 * Both functions return a decimal as `digits` * 10^`exponent`; the caller removes trailing zeros.
 */
import { powerHigh, powerLow } from './powers';
import { high } from './product';

/** 10^56 and larger powers do not fit in 128 bits: the table truncates them, and Schubfach rounds them up. */
const EXACT_POWERS = 55;

export let digits: u64 = 0;
export let exponent: i32 = 0;

/** floor(log10(2^e)), or floor(log10(3/4 * 2^e)) if the neighbour below is half as far away as the one above. */
function decimalExponent(binary: i32, uneven: bool): i32 {
  return (binary * 1262611 - (uneven ? 524031 : 0)) >> 22;
}

/** floor(log2(10^e)). */
function binaryExponent(decimal: i32): i32 {
  return (decimal * 1741647) >> 19;
}

/** @param bits of a finite float64 over 0 */
export function shortest64(bits: u64): void {
  const fraction = bits & 0xfffffffffffff;
  const biased = i32(bits >> 52);
  const c = biased == 0 ? fraction : fraction | 0x10000000000000;
  const q = (biased == 0 ? 1 : biased) - 1075;
  const uneven = fraction == 0 && biased > 1;
  const k = decimalExponent(q, uneven);
  const h = q + binaryExponent(-k) + 1;

  const g1 = powerHigh(-k);
  const g0 = powerLow(-k) + u64(-k > EXACT_POWERS);
  // 4c * 2^h * g in 192 bits.
  const factor = c << (h + 2);
  const p0 = g0 * factor;
  const carry = high(g0, factor);
  const middle = g1 * factor;
  const p1 = middle + carry;
  const p2 = high(g1, factor) + u64(p1 < carry);
  // 2 * 2^h * g: half of the distance to the next number. h is from 1 to 4.
  const up = h + 1;
  const d0 = g0 << up;
  const d1 = (g1 << up) | (g0 >> (64 - up));
  const d2 = g1 >> (64 - up);
  const above0 = p0 + d0;
  const above1c = p1 + d1;
  const above1 = above1c + u64(above0 < p0);
  const above2 = p2 + d2 + u64(above1c < p1) + u64(above1 < above1c);
  let below1: u64;
  let below2: u64;
  if (uneven) {
    const half = up - 1;
    const e0 = g0 << half;
    const e1 = (g1 << half) | (g0 >> (64 - half));
    below1 = p1 - e1;
    below2 = p2 - (g1 >> (64 - half)) - u64(p1 < e1);
    const borrow = u64(p0 < e0);
    below2 -= u64(below1 < borrow);
    below1 -= borrow;
  } else {
    below1 = p1 - d1;
    below2 = p2 - d2 - u64(p1 < d1);
    const borrow = u64(p0 < d0);
    below2 -= u64(below1 < borrow);
    below1 -= borrow;
  }
  // Upper words, with their last bit set if more than the table's rounding error is below them ("round to odd").
  const odd = c & 1;
  select64(p2 | u64(p1 > 1), (below2 | u64(below1 > 1)) + odd, (above2 | u64(above1 > 1)) - odd, k);
}

/** The coarsest multiple of 10^(k+1) or 10^k next to the value that is in its interval. Arguments are times 4. */
function select64(value: u64, lower: u64, upper: u64, k: i32): void {
  const s = value >> 2;
  const coarse = s / 10;
  const coarseBelow = lower <= coarse * 40;
  const coarseAbove = coarse * 40 + 40 <= upper;
  const fineBelow = lower <= s << 2;
  const fineAbove = (s << 2) + 4 <= upper;
  // Whether value - (4s + 2) is positive, or zero with s odd.
  const roundUp = (value & 3) + (s & 1) > 2;
  // Without a branch: for numbers of 17 digits, the outcome is as good as random.
  const fine = s + u64(select<bool>(fineAbove, roundUp, fineBelow != fineAbove));
  digits = select<u64>((coarse + u64(coarseAbove)) * 10, fine, coarseBelow != coarseAbove);
  exponent = k;
}

/** @param bits of a finite float32 over 0 */
export function shortest32(bits: u32): void {
  const fraction = bits & 0x7fffff;
  const biased = i32(bits >> 23);
  const c = u64(biased == 0 ? fraction : fraction | 0x800000);
  const q = (biased == 0 ? 1 : biased) - 150;
  const uneven = fraction == 0 && biased > 1;
  const k = decimalExponent(q, uneven);
  const h = q + binaryExponent(-k) + 1;
  // 64 bits are enough here. Rounded up, unless exact.
  const g = powerHigh(-k) + u64(powerLow(-k) != 0);
  const odd = c & 1;
  const lower = roundToOdd32(g, (4 * c - 2 + u64(uneven)) << h) + odd;
  const upper = roundToOdd32(g, (4 * c + 2) << h) - odd;
  select64(roundToOdd32(g, (4 * c) << h), lower, upper, k);
}

/** g * factor / 2^64, rounded to odd as in `shortest64`. */
function roundToOdd32(g: u64, factor: u64): u64 {
  const middle = (g >> 32) * factor + (((g & 0xffffffff) * factor) >> 32);
  return (middle >> 32) | u64(u32(middle) > 1);
}
