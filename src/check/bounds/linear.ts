/**
 * Rounding error in linear, with u the unit roundoff and N rows of x.
 *
 * out      (sumUnits(I + 1) + 4) · u · (|x| · |weight|ᵀ + |bias|)
 * dx       (sumUnits(O) + 4) · u · |dout| · |weight|
 * dweight  (sumUnits(N) + 4) · u · |dout|ᵀ · |x|
 * dbias    (sumUnits(N) + 4) · u · Σ |dout|
 *
 * Source: Higham (see bounds.ts), section 3.1 for inner products and section 3.5 for matrix products.
 */
import { ofSums, type Bounds } from './bounds.js';

export const linear: Bounds = ofSums;
