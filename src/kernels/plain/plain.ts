/** The kernels as plain TypeScript: the definition that every other implementation is held against. */
import type { Kernels } from '../kernels.js';
import { addPerChannel, moments, normalize, normalizeBackward, normalizeSums, sumPerChannel } from './channels.js';
import { correlate, correlateSides, spread } from './convolution.js';
import { applyMask, dropoutMask } from './dropout.js';
import { matmul } from './matmul.js';
import { averagePool, averagePoolBackward, maxPool, maxPoolBackward } from './pooling.js';
import { recur, recurBackward } from './recurrence.js';
import { fold, unfold } from './windows.js';

export const plain: Kernels = {
  matmul,
  addPerChannel,
  sumPerChannel,
  moments,
  normalize,
  normalizeSums,
  normalizeBackward,
  unfold,
  fold,
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
