import { batchnorm } from './batchnorm.js';
import { convolution } from './convolution.js';
import { dropout } from './dropout.js';
import type { Implementation } from './implementation.js';
import { linear } from './linear.js';
import { lstm } from './lstm.js';
import { pooling } from './pooling.js';
import { rnn } from './rnn.js';

/** By the layer's name. */
export const implementations: Readonly<Record<string, Implementation>> = {
  batchnorm,
  convolution,
  dropout,
  linear,
  lstm,
  pooling,
  rnn,
};
