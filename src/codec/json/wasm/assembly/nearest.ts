/**
 * The float64 or float32 nearest to w * 10^q, as its bits: Eisel-Lemire. Daniel Lemire, "Number Parsing at a Gigabyte
 * per Second" (2021); Noble Mushtak and Daniel Lemire, "Fast Number Parsing Without Fallback" (2023), by which two
 * products always decide.
 */
import { LEAST_POWER, powerHigh, powerLow } from './powers';
import { high } from './product';

/** w is not 0. The bits of infinity when w * 10^q is beyond the range. */
export function nearest64(w: u64, q: i32): u64 {
  return nearest<f64>(w, q);
}

export function nearest32(w: u64, q: i32): u32 {
  return u32(nearest<f32>(w, q));
}

/** Bits of the significand that are stored, the exponent's bias and its largest value, by IEEE 754. */
function nearest<T extends number>(w: u64, q: i32): u64 {
  const stored = sizeof<T>() == 8 ? 52 : 23;
  const bias = sizeof<T>() == 8 ? 1023 : 127;
  const infinite = sizeof<T>() == 8 ? 0x7ff : 0xff;
  const greatest = sizeof<T>() == 8 ? 308 : 38;
  // The range of q in which w * 10^q can be halfway between two numbers: either 5^q must fit in a significand of one
  // more bit, or 5^-q times such a significand in 64 bits.
  const leastTie = sizeof<T>() == 8 ? -4 : -17;
  const greatestTie = sizeof<T>() == 8 ? 23 : 10;

  if (q < LEAST_POWER) return 0;
  if (q > greatest) return u64(infinite) << stored;
  const zeros = i32(clz(w));
  w <<= zeros;
  const power = powerHigh(q);
  let upper = high(w, power);
  let lower = w * power;
  // The power's low word can carry into the significand only if all bits below it are set.
  const rest: u64 = 0xffffffffffffffff >> (stored + 3);
  if ((upper & rest) == rest) {
    const more = high(w, powerLow(q));
    lower += more;
    if (lower < more) upper++;
  }
  const first = i32(upper >> 63);
  const shift = first + 64 - stored - 3;
  let significand = upper >> shift;
  // floor(q * log2(10)) + 63, because the power's first bit is 2^63.
  let exponent = ((217706 * q) >> 16) + 63 + first - zeros + bias;
  if (exponent <= 0) {
    if (exponent <= -63) return 0;
    significand >>= 1 - exponent;
    // Rounding up into the least normal number makes its exponent 1 by itself.
    return (significand + (significand & 1)) >> 1;
  }
  if (lower <= 1 && q >= leastTie && q <= greatestTie && (significand & 3) == 1 && significand << shift == upper)
    significand--;
  significand = (significand + (significand & 1)) >> 1;
  // Adding lets a significand that was rounded up to the next power of two carry into the exponent.
  const bits = (u64(exponent - 1) << stored) + significand;
  const most = u64(infinite) << stored;
  return bits < most ? bits : most;
}
