import fc, { type Arbitrary } from 'fast-check';
import { linear as implementation } from '../../check/implementations/linear.js';
import { inFloat32 } from '../../check/float32/layers.js';
import { given, seed, size, type Configuration } from '../../support/arbitraries.js';
import { randomNumbers } from '../../support/random.js';
import type { Sample } from './sample.js';

const configuration: Arbitrary<Configuration> = fc
  .record({
    batch: fc.array(size(3), { minLength: 1, maxLength: 4 }),
    I: size(5),
    O: size(5),
    bias: fc.boolean(),
    seed,
  })
  .map(({ batch, I, O, bias, seed }) => {
    const numbers = randomNumbers(seed);
    return {
      inputs: given({
        x: numbers.tensor([...batch, I]),
        weight: numbers.tensor([O, I]),
        bias: bias ? numbers.tensor([O]) : undefined,
      }),
      options: {},
      upstream: ['out'],
      seed,
    };
  });

export const sample: Sample = { configuration, implementation, inFloat32: inFloat32.linear };
