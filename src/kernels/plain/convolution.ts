import type { FloatArray } from '../../tensor/tensor.js';
import { product } from '../../tensor/windows.js';
import type { ConvolutionShape, Kernels } from '../kernels.js';
import { eachRun } from './windows.js';

/** Indices into the three arrays of a product, for `count` adjacent windows. */
export interface Products {
  readonly folded: number;
  readonly weight: number;
  readonly windowed: number;
  readonly count: number;
  /** Distance in `folded` from one window to the next. */
  readonly stride: number;
}

/** Calls `visit` for the products of a convolution in any of its directions, for all taps inside the input. */
export function eachProduct({ N, groups, A, B, axes }: ConvolutionShape, visit: (products: Products) => void): void {
  const [K, D, P] = [product(axes, 'kernel'), product(axes, 'input'), product(axes, 'output')];
  const [, , { stride }] = axes;
  eachRun(axes, A, ({ tap, window, place, count }) => {
    for (let n = 0; n < N; n++)
      for (let g = 0; g < groups; g++)
        for (let b = 0; b < B; b++)
          visit({
            folded: (n * groups + g) * A * D + place,
            weight: (g * B + b) * A * K + tap,
            windowed: ((n * groups + g) * B + b) * P + window,
            count,
            stride,
          });
  });
}

/** Sums are accumulated in float64, so float32 is rounded once, at the end; each starts with its channel's bias. */
function beginSums(bias: FloatArray | undefined, length: number, channels: number, N: number): Float64Array {
  const run = length / (N * channels);
  return Float64Array.from({ length }, (_, i) => bias?.[Math.floor(i / run) % channels] ?? 0);
}

export const correlate: Kernels['correlate'] = (folded, weight, bias, windowed, shape) => {
  const sums = beginSums(bias, windowed.length, shape.groups * shape.B, shape.N);
  eachProduct(shape, (at) => {
    for (let i = 0; i < at.count; i++) sums[at.windowed + i] += weight[at.weight] * folded[at.folded + i * at.stride];
  });
  windowed.set(sums);
};

export const spread: Kernels['spread'] = (windowed, weight, bias, folded, shape) => {
  const sums = beginSums(bias, folded.length, shape.groups * shape.A, shape.N);
  eachProduct(shape, (at) => {
    for (let i = 0; i < at.count; i++) sums[at.folded + i * at.stride] += weight[at.weight] * windowed[at.windowed + i];
  });
  folded.set(sums);
};

export const correlateSides: Kernels['correlateSides'] = (folded, windowed, dweight, shape) => {
  const sums = new Float64Array(dweight.length);
  eachProduct(shape, (at) => {
    for (let i = 0; i < at.count; i++) sums[at.weight] += windowed[at.windowed + i] * folded[at.folded + i * at.stride];
  });
  dweight.set(sums);
};
