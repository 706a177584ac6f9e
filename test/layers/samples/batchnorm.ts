import fc, { type Arbitrary } from 'fast-check';
import { sizeOf, tensor } from '../../../src/tensor/tensor.js';
import { batchnorm as implementation } from '../../check/implementations/batchnorm.js';
import { inFloat32 } from '../../check/float32/layers.js';
import { given, seed, size, type Configuration } from '../../support/arbitraries.js';
import { randomNumbers } from '../../support/random.js';
import type { Sample } from './sample.js';

const configuration: Arbitrary<Configuration> = fc
  .record({
    N: size(4),
    C: size(3),
    spatial: fc.array(size(3), { maxLength: 3 }),
    training: fc.boolean(),
    running: fc.boolean(),
    gamma: fc.boolean(),
    beta: fc.boolean(),
    epsilon: fc.constantFrom(0, 1e-12, 1e-8, 1e-5, 1e-3, 0.5),
    momentum: fc.constantFrom(0, 0.1, 0.37, 1),
    center: fc.constantFrom(0, 0, 10),
    seed,
  })
  .map(({ N, C, spatial, training, running, gamma, beta, epsilon, momentum, center, seed }) => {
    const numbers = randomNumbers(seed);
    const S = sizeOf(spatial);
    // Spread values keep the variance of a channel away from 0, where higher derivatives are huge.
    const x = new Float64Array(N * C * S);
    for (let c = 0; c < C; c++)
      numbers.spread(N * S).forEach((value, i) => {
        x[(Math.floor(i / S) * C + c) * S + (i % S)] = center + value;
      });
    // With one value per channel, there is no unbiased variance for running_var.
    const tracked = !training || (running && N * S > 1);
    return {
      inputs: given({
        x: tensor([N, C, ...spatial], x),
        gamma: gamma ? numbers.tensor([C], -2, 2) : undefined,
        beta: beta ? numbers.tensor([C]) : undefined,
        running_mean: tracked ? numbers.tensor([C], center - 1, center + 1) : undefined,
        running_var: tracked ? numbers.tensor([C], 0.5, 2) : undefined,
      }),
      options: { training, epsilon, momentum },
      upstream: ['out'],
      seed,
    };
  });

export const sample: Sample = { configuration, implementation, inFloat32: inFloat32.batchnorm };
