import { Type } from '@sinclair/typebox';
import { FloatTensor } from './tensor.js';

export const ActivationInputs = Type.Object({
  x: FloatTensor('[*], any rank from 1', 'input'),
});

export const ActivationOptions = Type.Object({
  function: Type.Union([Type.Literal('relu'), Type.Literal('tanh')], { description: 'Applied to every element.' }),
});

export const ActivationOutputs = Type.Object({
  out: FloatTensor('as x', 'f(x)'),
});

export const ActivationUpstream = Type.Object({
  dout: FloatTensor('as out', 'gradient with respect to out'),
});

export const ActivationGradients = Type.Object({
  dx: FloatTensor('as x', 'gradient with respect to x'),
});
