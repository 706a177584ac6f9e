/** The float32 nearest to a decimal of any length, for the rare ones that the fast way cannot tell. */

/**
 * A number halfway between two of float32 has at most 112 significant digits (24 bits over 2^-150); so many, and one
 * digit for whether more come, tell on which side of it a decimal lies.
 */
const SIGNIFICANT = 120;

/** @param text a number by JSON's grammar */
export function exactFloat32(text: string): number {
  const wide = Number(text);
  const narrow = Math.fround(wide);
  // Rounded twice, it can only be wrong where the first rounding ended exactly between two float32.
  const [lower, upper] = neighbours(Math.abs(wide));
  if (!(Math.abs(wide) - lower === upper - Math.abs(wide))) return narrow;
  const side = compare(text.replace(/^-/, ''), Math.abs(wide));
  if (side === 0) return narrow;
  return Math.sign(wide) * Math.fround(side < 0 ? lower : upper);
}

/** The float32 at or below, and the next one; 2^128 stands for infinity, as it does in rounding. */
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
  // Exactly, since what lies halfway between two of float32 is a multiple of 2^-150.
  const scaled = BigInt(value * 2 ** 150);
  let left = BigInt(digits) << 150n;
  let right = scaled;
  if (power >= 0) left *= 10n ** BigInt(power);
  else right *= 10n ** BigInt(-power);
  return left < right ? -1 : left > right ? 1 : 0;
}
