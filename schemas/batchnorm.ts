import { Type } from '@sinclair/typebox';
import { FloatTensor } from './tensor.js';

export const BatchnormInputs = Type.Object({
  x: FloatTensor('[N, C] or [N, C, *]', 'input'),
  gamma: Type.Optional(FloatTensor('[C]', 'scale of each channel; ones if absent')),
  beta: Type.Optional(FloatTensor('[C]', 'shift of each channel; zeros if absent')),
  running_mean: Type.Optional(FloatTensor('[C]', 'running mean before this call; requires running_var')),
  running_var: Type.Optional(FloatTensor('[C]', 'running variance before this call; requires running_mean')),
});

export const BatchnormOptions = Type.Object({
  training: Type.Boolean({
    default: true,
    description:
      'Normalise with the statistics of the batch (true) or with running_mean and running_var, which are then required (false).',
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
    description:
      'Weight of the batch in the updated running statistics. Used only in training, with running_mean and running_var.',
  }),
});

export const BatchnormOutputs = Type.Object({
  out: FloatTensor('as x', 'normalised, scaled and shifted'),
  mean: FloatTensor('[C]', 'mean used to normalise'),
  var: FloatTensor('[C]', 'variance used to normalise; the variance of a batch is biased (divided by the count)'),
  running_mean: Type.Optional(FloatTensor('[C]', 'running mean after this call, if it was given')),
  running_var: Type.Optional(FloatTensor('[C]', 'running variance after this call, if it was given')),
});

export const BatchnormUpstream = Type.Object({
  dout: FloatTensor('as out', 'gradient with respect to out'),
});

export const BatchnormGradients = Type.Object({
  dx: FloatTensor('as x', 'gradient with respect to x'),
  dgamma: Type.Optional(FloatTensor('[C]', 'gradient with respect to gamma, if it was given')),
  dbeta: Type.Optional(FloatTensor('[C]', 'gradient with respect to beta, if it was given')),
});
