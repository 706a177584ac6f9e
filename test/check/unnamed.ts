/**
 * Mistakes of the handwritten implementations that the checks do not name, because a slip in a formula says as much.
 * Each must get a diagnosis of that kind.
 */
import type { Options } from '../../src/layers/instance.js';

export interface Unnamed {
  readonly id: string;
  readonly tensors: readonly string[];
  /** What the diagnosis of one of the tensors says. */
  readonly says: RegExp;
  readonly needs?: Options;
  readonly axes?: number;
}

export const unnamed: Readonly<Record<string, readonly Unnamed[]>> = {
  activation: [],
  batchnorm: [],
  convolution: [],
  dropout: [],
  linear: [
    { id: 'dbias_averaged', tensors: ['dbias'], says: /divided by/ },
    { id: 'dweight_averaged', tensors: ['dweight'], says: /divided by/ },
    { id: 'dx_averaged', tensors: ['dx'], says: /divided|times/ },
    { id: 'dweight_of_one_row', tensors: ['dweight'], says: /only the (first|last) of the rows of x counts/ },
    { id: 'dbias_of_one_row', tensors: ['dbias'], says: /only the (first|last) of the rows of x counts/ },
    { id: 'bias_missing', tensors: ['out'], says: /the term bias is missing/ },
    { id: 'bias_subtracted', tensors: ['out'], says: /the sign of the term bias is wrong/ },
  ],
  lstm: [],
  pooling: [],
  rnn: [],
};
