import type { Kernels } from '../../src/kernels/kernels.js';
import { channelsSuite } from './channels.suite.js';
import { convolutionSuite } from './convolution.suite.js';
import { dropoutSuite } from './dropout.suite.js';
import { matmulSuite } from './matmul.suite.js';
import { poolingSuite } from './pooling.suite.js';
import { recurrenceSuite } from './recurrence.suite.js';

/** What every implementation of the kernels keeps to, whichever way it computes. */
export function kernelSuite(kernels: Kernels): void {
  matmulSuite(kernels);
  channelsSuite(kernels);
  convolutionSuite(kernels);
  poolingSuite(kernels);
  dropoutSuite(kernels);
  recurrenceSuite(kernels);
}
