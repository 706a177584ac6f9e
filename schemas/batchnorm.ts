import { Type } from '@sinclair/typebox';
import { FloatTensor } from './tensor.js';

export const BatchnormInputs = Type.Object({
  x: FloatTensor('[N, C] or [N, C, *]', 'what is normalised'),
  gamma: Type.Optional(FloatTensor('[C]', 'scale of each channel; ones if absent')),
  beta: Type.Optional(FloatTensor('[C]', 'shift of each channel; zeros if absent')),
  running_mean: Type.Optional(FloatTensor('[C]', 'running mean before this call; with running_var or not at all')),
  running_var: Type.Optional(FloatTensor('[C]', 'running variance before this call; with running_mean or not at all')),
});

export const BatchnormOptions = Type.Object({
  training: Type.Boolean({
    default: true,
    description: 'Normalise with the statistics of the batch (true), or with the running ones, which it then needs.',
  }),
  epsilon: Type.Number({
    minimum: 0,
    default: 1e-8,
    description: 'Added to the variance under the square root. Frameworks use 1e-5 or 1e-3.',
  }),
  momentum: Type.Number({
    minimum: 0,
    maximum: 1,
    default: 0.1,
    description: 'Weight of the batch in the new running statistics; of use in training with running tensors.',
  }),
});

export const BatchnormOutputs = Type.Object({
  out: FloatTensor('as x', 'normalised, scaled and shifted'),
  mean: FloatTensor('[C]', 'the mean that it normalised with'),
  var: FloatTensor('[C]', 'the variance that it normalised with; of a batch the biased one, divided by the count'),
  running_mean: Type.Optional(FloatTensor('[C]', 'after this call; where it was given')),
  running_var: Type.Optional(FloatTensor('[C]', 'after this call; where it was given')),
});

export const BatchnormUpstream = Type.Object({
  dout: FloatTensor('as out', 'gradient with respect to out'),
});

export const BatchnormGradients = Type.Object({
  dx: FloatTensor('as x', 'gradient with respect to x'),
  dgamma: Type.Optional(FloatTensor('[C]', 'gradient with respect to gamma, where it was given')),
  dbeta: Type.Optional(FloatTensor('[C]', 'gradient with respect to beta, where it was given')),
});
