/**
 * Rounding error in dropout: out = x · factor and dx = dout · factor, where factor is 1 / (1 − rate), 1 − rate or 1.
 *
 * bound   (4 + (1 + rate) / (1 − rate)) · u · |right value|, where the quotient bounds the error of 1 − rate
 *
 * The mask is exact. Source: Higham (see bounds.ts), sections 1.7 and 3.1.
 */
import { relative, TERM_UNITS, type Bounds } from './bounds.js';

export const dropout: Bounds = ({ instance, right, unit }) => {
  const { rate } = instance.options as { rate: number };
  // With rate 1 every output is exactly 0.
  const units = rate < 1 ? (TERM_UNITS + (1 + rate) / (1 - rate)) * unit : 0;
  return Object.fromEntries(
    ['out', 'dx'].filter((name) => name in right).map((name) => [name, relative(right[name], units)]),
  );
};
