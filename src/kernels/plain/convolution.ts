import { floatArray, floatDtypeOf, type FloatArray } from '../../tensor/tensor.js';
import { product } from '../../tensor/windows.js';
import type { ConvolutionShape, Kernels } from '../kernels.js';
import { addPerChannel } from './channels.js';
import { matmul } from './matmul.js';
import { fold, unfold } from './windows.js';

/** The part of each array that belongs to one batch entry and group. */
interface Block {
  readonly folded: FloatArray;
  readonly windowed: FloatArray;
  readonly weight: FloatArray;
  /** A matrix for the block's columns, `[A · K, P]` for K taps and P windows. */
  readonly columns: FloatArray;
  readonly AK: number;
  readonly P: number;
}

function eachBlock(
  arrays: { folded: FloatArray; windowed: FloatArray; weight: FloatArray },
  { N, groups, A, B, axes }: ConvolutionShape,
  visit: (block: Block) => void,
): void {
  const [K, D, P] = [product(axes, 'kernel'), product(axes, 'input'), product(axes, 'output')];
  const AK = A * K;
  const columns = floatArray(floatDtypeOf(arrays.weight), AK * P);
  const part = (array: FloatArray, index: number, size: number) => array.subarray(index * size, (index + 1) * size);
  for (let n = 0; n < N; n++)
    for (let g = 0; g < groups; g++) {
      const folded = part(arrays.folded, n * groups + g, A * D);
      const windowed = part(arrays.windowed, n * groups + g, B * P);
      visit({ folded, windowed, weight: part(arrays.weight, g, B * AK), columns, AK, P });
    }
}

export const correlate: Kernels['correlate'] = (folded, weight, bias, windowed, shape) => {
  const { N, groups, A, B, axes } = shape;
  eachBlock({ folded, windowed, weight }, shape, ({ folded, windowed, weight, columns, AK, P }) => {
    unfold(folded, A, axes, columns);
    matmul(weight, columns, windowed, { M: B, N: P, K: AK });
  });
  if (bias) addPerChannel(windowed, bias, { N, C: groups * B, S: product(axes, 'output') });
};

export const spread: Kernels['spread'] = (windowed, weight, bias, folded, shape) => {
  const { N, groups, A, B, axes } = shape;
  eachBlock({ folded, windowed, weight }, shape, ({ folded, windowed, weight, columns, AK, P }) => {
    matmul(weight, windowed, columns, { M: AK, N: P, K: B, transposeA: true });
    fold(columns, A, axes, folded);
  });
  if (bias) addPerChannel(folded, bias, { N, C: groups * A, S: product(axes, 'input') });
};

export const correlateSides: Kernels['correlateSides'] = (folded, windowed, dweight, shape) => {
  const { A, B, axes } = shape;
  dweight.fill(0);
  eachBlock({ folded, windowed, weight: dweight }, shape, ({ folded, windowed, weight, columns, AK, P }) => {
    unfold(folded, A, axes, columns);
    matmul(windowed, columns, weight, { M: B, N: AK, K: P, transposeB: true, accumulate: true });
  });
};
