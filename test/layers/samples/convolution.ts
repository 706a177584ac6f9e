import fc, { type Arbitrary } from 'fast-check';
import { convolution as implementation } from '../../check/implementations/convolution.js';
import { inFloat32 } from '../../check/float32/layers.js';
import {
  given,
  LARGEST_KERNEL,
  LARGEST_SIDE,
  padding,
  perAxis,
  seed,
  size,
  type Configuration,
} from '../../support/arbitraries.js';
import { randomNumbers } from '../../support/random.js';
import type { Sample } from './sample.js';

const configuration: Arbitrary<Configuration> = size(3).chain((axes) =>
  fc
    .record({
      N: size(2),
      groups: size(2),
      inGroup: size(2),
      outGroup: size(2),
      spatial: fc.array(size(LARGEST_SIDE[axes]), { minLength: axes, maxLength: axes }),
      kernel: fc.array(size(LARGEST_KERNEL[axes]), { minLength: axes, maxLength: axes }),
      stride: perAxis(axes, 1, 3),
      dilation: perAxis(axes, 1, 2),
      padding: padding(axes, 2),
      transposed: fc.boolean(),
      output_padding: perAxis(axes, 0, 2),
      bias: fc.boolean(),
      seed,
    })
    .map(({ N, groups, inGroup, outGroup, spatial, kernel, bias, seed, output_padding, ...options }) => {
      const numbers = randomNumbers(seed);
      const [C, O] = [groups * inGroup, groups * outGroup];
      return {
        inputs: given({
          x: numbers.tensor([N, C, ...spatial]),
          weight: numbers.tensor(options.transposed ? [C, outGroup, ...kernel] : [O, inGroup, ...kernel]),
          bias: bias ? numbers.tensor([O]) : undefined,
        }),
        options: { ...options, groups, output_padding: options.transposed ? output_padding : 0 },
        upstream: ['out'],
        seed,
      };
    }),
);

export const sample: Sample = { configuration, implementation, inFloat32: inFloat32.convolution };
