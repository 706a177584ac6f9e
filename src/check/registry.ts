/** The checks of every layer: its file in `mistakes/`, and a line in this list. */
import type { Checks } from './definition.js';
import { batchnorm } from './mistakes/batchnorm.js';
import { dropout } from './mistakes/dropout.js';
import { linear } from './mistakes/linear.js';

export const allChecks: readonly Checks[] = [batchnorm, dropout, linear];
