/** What layers add to their pages, in the order in which people meet them. Other layers follow. */
import { batchnorm } from './batchnorm.js';
import { convolution } from './convolution.js';
import { dropout } from './dropout.js';
import { linear } from './linear.js';
import { lstm } from './lstm.js';
import type { LayerPage } from './page.js';
import { pooling } from './pooling.js';
import { rnn } from './rnn.js';

export type { LayerPage };

export const pages: readonly [LayerPage, ...LayerPage[]] = [
  linear,
  convolution,
  pooling,
  batchnorm,
  dropout,
  rnn,
  lstm,
];
