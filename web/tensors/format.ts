/** Formats numbers for display: few digits, a true minus sign. */

const DIGITS = 4;

export function formatNumber(value: number | string, digits = DIGITS): string {
  if (typeof value === 'string') return value.replace('-Infinity', '−∞').replace('Infinity', '∞');
  if (Number.isNaN(value)) return 'NaN';
  if (!Number.isFinite(value)) return value > 0 ? '∞' : '−∞';
  const magnitude = Math.abs(value);
  const text =
    magnitude !== 0 && (magnitude < 1e-3 || magnitude >= 1e6)
      ? value
          .toExponential(Math.max(digits - 2, 0))
          .replace(/\.?0+e/, 'e')
          .replace('e+', 'e')
      : String(Number(value.toPrecision(digits)));
  return text === '-0' ? '0' : text.replaceAll('-', '−');
}

/** The same for TeX. */
export function texNumber(value: number, digits = DIGITS): string {
  const [mantissa, exponent] = formatNumber(value, digits).replaceAll('−', '-').replace('∞', '\\infty').split('e') as [
    string,
    string | undefined,
  ];
  if (exponent === undefined) return mantissa;
  if (mantissa === '1') return `10^{${exponent}}`;
  return `${mantissa} \\cdot 10^{${exponent}}`;
}

/** A factor of a product in TeX: a negative number is in brackets. */
/** A factor of a product in TeX: a negative number is in brackets. */
export function texFactor(value: number): string {
  return value < 0 ? `(${texNumber(value)})` : texNumber(value);
}

/** A further term of a sum in TeX, with its sign. */
export function texAdded(value: number): string {
  return value < 0 ? `- ${texNumber(-value)}` : `+ ${texNumber(value)}`;
}

export const formatShape = (shape: readonly number[]): string => shape.join(' × ');

/** The name of a cell: `out[0, 1]`. */
export const formatCell = (tensor: string, index: readonly number[]): string => `${tensor}[${index.join(', ')}]`;
