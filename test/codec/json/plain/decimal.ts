/** Numbers as their shortest decimals: the fewest digits that read back to the same value of the dtype. */

/**
 * Like ECMAScript's `Number::toString`, except that negative zero is written "-0.0", because "0" would lose its sign.
 */
export function float64ToDecimal(value: number): string {
  return value === 0 && 1 / value < 0 ? '-0.0' : String(value);
}

/** 9 significant digits always distinguish a float32 from its neighbours; fewer often do. */
const MOST_DIGITS = 9;

/** The most digits that `toExponential` writes after the first: more than any float32 halfway between decimals has. */
const MOST_PRECISION = 100;

/** @param value a number that float32 represents exactly */
export function float32ToDecimal(value: number): string {
  // A small integer is its own shortest decimal: up to 2^24, neighbours are at most 1 apart.
  if (Number.isInteger(value) && Math.abs(value) <= 2 ** 24) return float64ToDecimal(value);
  for (let digits = 1; digits < MOST_DIGITS; digits++) {
    const decimal = nearest(value, digits);
    if (Math.fround(decimal) === value) return String(decimal);
    const other = wideNeighbour(value, decimal, digits);
    if (other !== undefined) return String(other);
  }
  return String(nearest(value, MOST_DIGITS));
}

/**
 * The nearest decimal with this many digits. At a tie, the even one, as in `Number::toString` but not in `toPrecision`.
 */
function nearest(value: number, digits: number): number {
  const rounded = Number(value.toPrecision(digits));
  // Halfway between two decimals, one more digit is exact.
  if (Number(value.toPrecision(digits + 1)) !== value) return rounded;
  const [exact, exponent] = value.toExponential(MOST_PRECISION).split('e');
  const all = exact.replace('.', '');
  const kept = digits + (value < 0 ? 1 : 0);
  const halfway = /^50*$/.test(all.slice(kept));
  if (!halfway || Number(all[kept - 1]) % 2 !== 0) return rounded;
  return Number(`${exact.slice(0, kept + 1)}e${exponent}`);
}

/**
 * Below a power of two, neighbouring values are half as far apart as above it. A decimal with this many digits that is
 * farther from the value, but on the wide side, may therefore read back correctly although the nearest one does not.
 */
function wideNeighbour(value: number, nearest: number, digits: number): number | undefined {
  if (!Number.isInteger(Math.log2(Math.abs(value))) || Math.abs(nearest) >= Math.abs(value)) return undefined;
  const unit = 10 ** (Math.floor(Math.log10(Math.abs(nearest))) - digits + 1);
  const above = Number((nearest + Math.sign(value) * unit).toPrecision(digits));
  return Math.fround(above) === value ? above : undefined;
}
