import { batchnorm } from './batchnorm.js';
import type { Implementation } from './implementation.js';

/** By the layer's name. */
export const implementations: Readonly<Record<string, Implementation>> = { batchnorm };
