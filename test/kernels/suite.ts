import type { Kernels } from '../../src/kernels/kernels.js';
import { channelsSuite } from './channels.suite.js';
import { convolutionSuite } from './convolution.suite.js';
import { dropoutSuite } from './dropout.suite.js';
import { matmulSuite } from './matmul.suite.js';
import { poolingSuite } from './pooling.suite.js';
import { recurrenceSuite } from './recurrence.suite.js';
import { slicesSuite } from './slices.suite.js';

/** The suite that every implementation of the kernels must pass, however it computes. */
export function kernelSuite(kernels: Kernels): void {
  matmulSuite(kernels);
  channelsSuite(kernels);
  convolutionSuite(kernels);
  poolingSuite(kernels);
  dropoutSuite(kernels);
  recurrenceSuite(kernels);
  slicesSuite(kernels);
}
