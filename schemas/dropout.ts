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
  training: Type.Boolean({ default: true, description: 'Drop elements (true) or keep all of them (false).' }),
  scaling: Type.Union([Type.Literal('inverted'), Type.Literal('test_time')], {
    default: 'inverted',
    description:
      'Compensate for dropped elements during training, by a factor of 1 / (1 - rate) (inverted), or during inference, by a factor of 1 - rate (test_time).',
  }),
  seed: Type.Optional(
    Type.Integer({
      ...Seed,
      description:
        'Determines the mask, and is drawn at random if absent. The same seed, shape and rate always produce the same mask. Used only in training.',
      'x-drawn': true,
    }),
  ),
});

export const DropoutOutputs = Type.Object({
  out: FloatTensor('as x', 'x with elements dropped and scaled'),
  mask: Type.Optional(MaskTensor('as x', '1 where x was kept, 0 where it was dropped; only in training')),
  seed: Type.Optional(Type.Integer({ ...Seed, description: 'The seed of the mask; only in training.' })),
});

export const DropoutUpstream = Type.Object({
  dout: FloatTensor('as out', 'gradient with respect to out'),
});

export const DropoutGradients = Type.Object({
  dx: FloatTensor('as x', 'gradient with respect to x'),
});
