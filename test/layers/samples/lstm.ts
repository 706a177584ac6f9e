import { lstm as implementation } from '../../check/implementations/lstm.js';
import { inFloat32 } from '../../check/float32/layers.js';
import { recurrent } from '../../support/arbitraries.js';
import type { Sample } from './sample.js';

export const sample: Sample = {
  configuration: recurrent(4, ['out', 'h_n', 'c_n']),
  implementation,
  inFloat32: inFloat32.lstm,
};
