/** The float32 nearest to a decimal of any length, for the rare ones that the fast reader cannot decide. */

/**
 * A number halfway between two float32 values has at most 112 significant digits (24 bits over 2^-150). That many
 * digits of a decimal, and one for whether more follow, decide on which side of it the decimal lies.
 */
const SIGNIFICANT = 120;

/** @param text a number by JSON's grammar */
export function exactFloat32(text: string): number {
  const wide = Number(text);
  const narrow = Math.fround(wide);
  // Rounding twice is wrong only if the first result is exactly halfway between two float32 values.
  const [lower, upper] = neighbours(Math.abs(wide));
  if (!(Math.abs(wide) - lower === upper - Math.abs(wide))) return narrow;
  const side = compare(text.replace(/^-/, ''), Math.abs(wide));
  if (side === 0) return narrow;
  return Math.sign(wide) * Math.fround(side < 0 ? lower : upper);
}

/** The float32 at or below a value, and the next one; for infinity 2^128, as rounding requires. */
function neighbours(value: number): [number, number] {
  const float = new Float32Array([value]);
  const bits = new Uint32Array(float.buffer);
  if (float[0] > value) bits[0]--;
  const lower = float[0];
  bits[0]++;
  return [lower, float[0] === Infinity ? 2 ** 128 : float[0]];
}

/** Sign of the difference between a positive decimal and a double. */
function compare(text: string, value: number): number {
  const [mantissa, exponent = '0'] = text.toLowerCase().split('e');
  const [whole, fraction = ''] = mantissa.split('.');
  const all = (whole + fraction).replace(/^0+/, '');
  const more = all.length - SIGNIFICANT;
  const digits = more <= 0 ? all : all.slice(0, SIGNIFICANT) + (/[1-9]/.test(all.slice(SIGNIFICANT)) ? '1' : '0');
  const power = Number(exponent) - fraction.length + Math.max(more - 1, 0);
  // Exact, because a number halfway between two float32 values is a multiple of 2^-150.
  const scaled = BigInt(value * 2 ** 150);
  let left = BigInt(digits) << 150n;
  let right = scaled;
  if (power >= 0) left *= 10n ** BigInt(power);
  else right *= 10n ** BigInt(-power);
  return left < right ? -1 : left > right ? 1 : 0;
}
