/**
 * Rounding in activation, with u the unit roundoff. relu is exact.
 *
 * out   4 u · |out|: tanh(x) has a relative error of three units at most, one of x and two of tanh
 * dx    (4 + 7 out²) · u · |dout|: out² doubles the error of out and adds a unit, and 1 − out² cannot cancel it
 *
 * Source: Higham (see bounds.ts), section 3.1.
 */
import { relative, TERM_UNITS, type Bounds } from './bounds.js';

export const activation: Bounds = ({ instance: { options, upstream }, right, unit }) => {
  if (options.function === 'relu') return {};
  const { data } = right.out;
  const ofDx = (d: number, i: number) => (TERM_UNITS + 7 * data[i] ** 2) * unit * Math.abs(d);
  return {
    out: relative(right.out, TERM_UNITS * unit),
    ...('dout' in upstream ? { dx: Float64Array.from(upstream.dout.data, ofDx) } : {}),
  };
};
