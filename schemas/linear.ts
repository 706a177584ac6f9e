import { Type } from '@sinclair/typebox';
import { FloatTensor } from './tensor.js';

export const LinearInputs = Type.Object({
  x: FloatTensor('[I], [N, I] or [N, …, I]', 'input'),
  weight: FloatTensor('[O, I]', 'weight'),
  bias: Type.Optional(FloatTensor('[O]', 'bias; none if absent')),
});

export const LinearOptions = Type.Object({});

export const LinearOutputs = Type.Object({
  out: FloatTensor('[O], [N, O] or [N, …, O]', 'x · weightᵀ + bias'),
});

export const LinearUpstream = Type.Object({
  dout: FloatTensor('as out', 'gradient with respect to out'),
});

export const LinearGradients = Type.Object({
  dx: FloatTensor('as x', 'gradient with respect to x'),
  dweight: FloatTensor('[O, I]', 'gradient with respect to weight'),
  dbias: Type.Optional(FloatTensor('[O]', 'gradient with respect to bias, if it was given')),
});
