import { batchnorm } from './batchnorm.js';
import { dropout } from './dropout.js';
import type { Implementation } from './implementation.js';
import { linear } from './linear.js';

/** By the layer's name. */
export const implementations: Readonly<Record<string, Implementation>> = { batchnorm, dropout, linear };
