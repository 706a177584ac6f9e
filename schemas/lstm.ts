import { Type } from '@sinclair/typebox';
import {
  recurrentGradients,
  recurrentInputs,
  recurrentOptions,
  recurrentOutputs,
  recurrentUpstream,
  stacked,
} from './recurrent.js';
import { FloatTensor } from './tensor.js';

export const LstmInputs = Type.Object({
  ...recurrentInputs('4H'),
  c0: Type.Optional(FloatTensor(stacked('[N, H]'), 'initial cell state; zeros if absent')),
});

export const LstmOptions = Type.Object(recurrentOptions);

export const LstmOutputs = Type.Object({
  ...recurrentOutputs,
  c_n: FloatTensor('as c0', 'final cell state'),
});

export const LstmUpstream = Type.Object({
  ...recurrentUpstream,
  dc_n: Type.Optional(FloatTensor('as c_n', 'gradient with respect to c_n')),
});

export const LstmGradients = Type.Object({
  ...recurrentGradients('4H'),
  dc0: Type.Optional(FloatTensor('as c0', 'gradient with respect to c0, if it was given')),
});
