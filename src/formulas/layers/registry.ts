/** The formulas of each layer, by its name. */
import type { Instance } from '../../layers/instance.js';
import type { Program } from '../program.js';
import { activation } from './activation.js';
import { batchnorm } from './batchnorm.js';
import { convolution } from './convolution.js';
import { dropout } from './dropout.js';
import { linear } from './linear.js';
import { lstm } from './lstm.js';
import { pooling } from './pooling.js';
import { rnn } from './rnn.js';

export const formulas: Readonly<Record<string, (instance: Instance) => Program>> = {
  activation,
  batchnorm,
  convolution,
  dropout,
  linear,
  lstm,
  pooling,
  rnn,
};
