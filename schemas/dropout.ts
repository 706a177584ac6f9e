import { Type } from '@sinclair/typebox';
import { FloatTensor, MaskTensor } from './tensor.js';

const Seed = {
  minimum: 0,
  maximum: 2 ** 53 - 1,
} as const;

export const DropoutInputs = Type.Object({
  x: FloatTensor('[*], any rank from 1', 'input'),
});

export const DropoutOptions = Type.Object({
  rate: Type.Number({ minimum: 0, maximum: 1, default: 0.5, description: 'Fraction of the elements set to zero.' }),
  training: Type.Boolean({ default: true, description: 'Drop (true), or let everything pass.' }),
  scaling: Type.Union([Type.Literal('inverted'), Type.Literal('test_time')], {
    default: 'inverted',
    description: 'Make up for what is dropped in training, by 1 / (1 - rate), or in inference, by 1 - rate.',
  }),
  seed: Type.Optional(
    Type.Integer({
      ...Seed,
      description: 'Decides the mask; drawn if absent. One seed, shape and rate give one mask; of use in training.',
      'x-drawn': true,
    }),
  ),
});

export const DropoutOutputs = Type.Object({
  out: FloatTensor('as x', 'what is left of x'),
  mask: Type.Optional(MaskTensor('as x', '1 where x was kept, 0 where it was dropped; in training')),
  seed: Type.Optional(Type.Integer({ ...Seed, description: 'What the mask was made from; in training.' })),
});

export const DropoutUpstream = Type.Object({
  dout: FloatTensor('as out', 'gradient with respect to out'),
});

export const DropoutGradients = Type.Object({
  dx: FloatTensor('as x', 'gradient with respect to x'),
});
