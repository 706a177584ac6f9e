/** Every layer; `npm run new-layer NAME` adds one. */
import { activation } from './activation.js';
import { batchnorm } from './batchnorm.js';
import { convolution } from './convolution.js';
import type { Layer } from './definition.js';
import { dropout } from './dropout.js';
import { linear } from './linear.js';
import { lstm } from './lstm.js';
import { pooling } from './pooling.js';
import { rnn } from './rnn.js';

export const layers: readonly Layer[] = [activation, batchnorm, convolution, dropout, linear, lstm, pooling, rnn];
