import fc, { type Arbitrary } from 'fast-check';
import { dropout as implementation } from '../../check/implementations/dropout.js';
import { seed, size, type Configuration } from '../../support/arbitraries.js';
import { randomNumbers } from '../../support/random.js';
import type { Sample } from './sample.js';

const configuration: Arbitrary<Configuration> = fc
  .record({
    shape: fc.array(size(4), { minLength: 1, maxLength: 4 }),
    rate: fc.oneof(fc.constantFrom(0, 1, 0.5), fc.double({ min: 0, max: 1, noNaN: true })),
    training: fc.boolean(),
    scaling: fc.constantFrom('inverted', 'test_time'),
    maskSeed: fc.maxSafeNat(),
    seed,
  })
  .map(({ shape, maskSeed, seed, ...options }) => {
    const numbers = randomNumbers(seed);
    return { inputs: { x: numbers.tensor(shape) }, options: { ...options, seed: maskSeed }, upstream: ['out'], seed };
  });

export const sample: Sample = { configuration, implementation };
