import fc, { type Arbitrary } from 'fast-check';
import { sizeOf, tensor } from '../../../src/tensor/tensor.js';
import { pooling as implementation } from '../../check/implementations/pooling.js';
import { inFloat32 } from '../../check/float32/layers.js';
import { LARGEST_SIDE, padding, perAxis, seed, size, type Configuration } from '../../support/arbitraries.js';
import { randomNumbers } from '../../support/random.js';
import type { Sample } from './sample.js';

const configuration: Arbitrary<Configuration> = size(3).chain((axes) =>
  fc
    .record({
      N: size(2),
      C: size(2),
      spatial: fc.array(size(LARGEST_SIDE[axes]), { minLength: axes, maxLength: axes }),
      mode: fc.constantFrom('max', 'average'),
      flag: fc.boolean(),
      window: fc.oneof(
        { weight: 1, arbitrary: fc.constant({ global: true }) },
        {
          weight: 5,
          arbitrary: fc.record(
            {
              kernel_size: perAxis(axes, 1, 3),
              stride: perAxis(axes, 1, 4),
              padding: padding(axes, 1),
              dilation: perAxis(axes, 1, 2),
              ceil_mode: fc.boolean(),
            },
            { requiredKeys: ['kernel_size', 'padding', 'dilation', 'ceil_mode'] },
          ),
        },
      ),
      seed,
    })
    .map(({ N, C, spatial, mode, flag, window, seed }) => {
      const numbers = randomNumbers(seed);
      const shape = [N, C, ...spatial];
      // Spread values have no near ties, at which a maximum has no derivative.
      const x = tensor(shape, Float64Array.from(numbers.spread(sizeOf(shape))));
      const ofMode = mode === 'max' ? { return_indices: flag } : { count_include_pad: flag };
      return { inputs: { x }, options: { mode, ...ofMode, ...window }, upstream: ['out'], seed };
    }),
);

export const sample: Sample = { configuration, implementation, inFloat32: inFloat32.pooling };
