/** Numbers of a JSON text: whether one is an integer is decided by its digits, which rounding to float64 can hide. */

/**
 * A number that is no integer although the nearest float64 is one: 9007199254740991.0000001, or 1e-400. It is a symbol
 * described by its text: neither a number nor an object, so it is refused wherever it is not expected.
 */
export type NearInteger = symbol;

/** @param text a number by JSON's grammar */
export function numberOf(text: string): number | NearInteger {
  const nearest = Number(text);
  return Number.isInteger(nearest) && !isInteger(text) ? Symbol(text) : nearest;
}

export function isNearInteger(value: unknown): value is NearInteger {
  return typeof value === 'symbol';
}

/** As it was written. */
export function textOf(value: NearInteger): string {
  return value.description ?? '';
}

export function nearestOf(value: NearInteger): number {
  return Number(textOf(value));
}

/** The last digit that is not zero must be in front of the decimal point. */
function isInteger(text: string): boolean {
  if (/^-?\d+$/.test(text)) return true;
  const [mantissa, exponent = '0'] = text.toLowerCase().split('e');
  const [whole, fraction = ''] = mantissa.replace('-', '').split('.');
  const digits = whole + fraction;
  let end = digits.length;
  while (digits[end - 1] === '0') end--;
  return end === 0 || end <= whole.length + Number(exponent);
}
