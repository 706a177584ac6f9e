/**
 * Rounding error in pooling, with K taps per window.
 *
 * out   max: one rounding of x, which is selected, not computed
 *       average: (sumUnits(K) + 4) · u · Σ |x| / count
 * dx    (sumUnits(K) + 4) · u · Σ |dout|, over the windows whose maximum is the element, or Σ |dout| / count
 *
 * indices are exact. Source: Higham (see bounds.ts), section 4.2.
 */
import { product, type WindowAxis } from '../../tensor/windows.js';
import { rightAnswers } from '../answers.js';
import { magnitudes, relative, sumUnits, TERM_UNITS, type Bounds } from './bounds.js';

export const pooling: Bounds = ({ checks, instance, right, unit, kernels }) => {
  const { axes } = checks.layer.plan(instance.inputs, instance.options) as unknown as { axes: readonly WindowAxis[] };
  const isMaximum = instance.options.mode === 'max';
  // Absolute values would have their maxima elsewhere.
  const inputs = isMaximum ? instance.inputs : magnitudes(instance.inputs);
  const { out, dx } = rightAnswers(checks, { ...instance, inputs, upstream: magnitudes(instance.upstream) }, kernels);
  const units = (sumUnits(product(axes, 'kernel')) + TERM_UNITS) * unit;
  return {
    out: isMaximum ? relative(right.out, unit) : relative(out, units),
    ...('dx' in right ? { dx: relative(dx, units) } : {}),
  };
};
