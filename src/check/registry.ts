/** The checks of every layer: its file in `mistakes/`, and a line in this list. */
import type { Checks } from './definition.js';
import { batchnorm } from './mistakes/batchnorm.js';
import { convolution } from './mistakes/convolution.js';
import { dropout } from './mistakes/dropout.js';
import { linear } from './mistakes/linear.js';
import { lstm } from './mistakes/lstm.js';
import { pooling } from './mistakes/pooling.js';
import { rnn } from './mistakes/rnn.js';

export const allChecks: readonly Checks[] = [batchnorm, convolution, dropout, linear, lstm, pooling, rnn];
