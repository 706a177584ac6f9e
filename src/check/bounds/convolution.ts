/**
 * Rounding error in convolution, transposed or not, with u the unit roundoff. An element is a sum of n products. For
 * out, n counts the taps within x over the channels of a group; for dx, the windows that reach the element; for dweight
 * and dbias, the positions in all planes of the batch.
 *
 * every answer  (sumUnits(n) + 4) · u · Σ |terms|, computed as the convolution of |x|, |weight|, |bias| and |dout|
 *
 * Source: Higham (see bounds.ts), section 3.1.
 */
import { ofSums, type Bounds } from './bounds.js';

export const convolution: Bounds = ofSums;
