/** Every layer there is. To add one: its file here, its file in `schemas/`, its tests, and a line in this list. */
import { batchnorm } from './batchnorm.js';
import { convolution } from './convolution.js';
import type { Layer } from './definition.js';
import { dropout } from './dropout.js';
import { linear } from './linear.js';
import { lstm } from './lstm.js';
import { pooling } from './pooling.js';
import { rnn } from './rnn.js';

export const layers: readonly Layer[] = [batchnorm, convolution, dropout, linear, lstm, pooling, rnn];
