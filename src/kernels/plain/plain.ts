/** The kernels as plain TypeScript: the definition that every other implementation is compared with. */
import type { Kernels } from '../kernels.js';
import { moments, normalize, normalizeBackward, normalizeSums, sumPerChannel } from './channels.js';
import { correlate, correlateSides, spread } from './convolution.js';
import { applyMask, dropoutMask } from './dropout.js';
import { matmul } from './matmul.js';
import { averagePool, averagePoolBackward, maxPool, maxPoolBackward } from './pooling.js';
import { recur, recurBackward } from './recurrence.js';

export const plain: Kernels = {
  matmul,
  sumPerChannel,
  moments,
  normalize,
  normalizeSums,
  normalizeBackward,
  correlate,
  spread,
  correlateSides,
  maxPool,
  maxPoolBackward,
  averagePool,
  averagePoolBackward,
  dropoutMask,
  applyMask,
  recur,
  recurBackward,
};
