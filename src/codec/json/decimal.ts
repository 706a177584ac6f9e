/** Numbers to their shortest decimals: the fewest digits that read back to the same value of their dtype. */

/** As ECMAScript's `Number::toString`, but -0 is written "-0", since "0" would read back as another value. */
export function float64ToDecimal(value: number): string {
  return value === 0 && 1 / value < 0 ? '-0' : String(value);
}

/** A float32 is told apart from its neighbours by 9 significant digits, or fewer. */
const MOST_DIGITS = 9;

/** @param value a number that float32 can hold */
export function float32ToDecimal(value: number): string {
  // A small integer is its own shortest decimal; up to 2^24 neighbours are at most 1 apart.
  if (Number.isInteger(value) && Math.abs(value) <= 2 ** 24) return float64ToDecimal(value);
  for (let digits = 1; digits < MOST_DIGITS; digits++) {
    const decimal = Number(value.toPrecision(digits));
    if (readsBack(decimal, digits, value)) return String(decimal);
    const other = wideNeighbour(value, decimal, digits);
    if (other !== undefined) return String(other);
  }
  return String(Number(value.toPrecision(MOST_DIGITS)));
}

/** Whether `value` is what a decimal reads back to, for those who read float32 and for those who round a float64. */
function readsBack(decimal: number, digits: number, value: number): boolean {
  if (Math.fround(decimal) !== value) return false;
  // A float64 midway between two float32 is often a decimal beside the middle, rounded, and on the other one's side:
  // 7.038531e-26 is the classic.
  const mirrored = 2 * decimal - value;
  return mirrored === value || Math.fround(mirrored) !== mirrored || hasDigits(decimal, digits);
}

/** Whether a float64 is exactly a decimal of so many digits; more than 100 are not needed to see another one. */
function hasDigits(value: number, digits: number): boolean {
  const written = value.toPrecision(100).replace(/e.*/, '').replace(/\D/g, '').replace(/^0+/, '');
  return !/[1-9]/.test(written.slice(digits));
}

/**
 * Below a power of two neighbours lie half as far away as above it. A decimal of these digits that is farther from
 * the value, but on the wide side, may then read back where the nearest one does not.
 */
function wideNeighbour(value: number, nearest: number, digits: number): number | undefined {
  if (!Number.isInteger(Math.log2(Math.abs(value))) || Math.abs(nearest) >= Math.abs(value)) return undefined;
  const unit = 10 ** (Math.floor(Math.log10(Math.abs(nearest))) - digits + 1);
  const above = Number((nearest + Math.sign(value) * unit).toPrecision(digits));
  return readsBack(above, digits, value) ? above : undefined;
}
