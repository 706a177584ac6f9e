import { explainBatchnorm } from '../explain/batchnorm.js';
import { randomTensor, seeded } from '../tensors/random.js';
import type { Nested } from '../tensors/tensor.js';
import { rounded, shapesOf, type LayerPage } from './page.js';

/** Twelve rows: one channel is skewed to the right, one is far from zero, one hardly varies. */
function skewed(): Nested {
  const random = seeded(11);
  return Array.from({ length: 12 }, () => [
    rounded(-2 * Math.log(1 - random())),
    rounded(20 + 4 * (random() + random() - 1)),
    rounded(-1 + 0.1 * random()),
  ]);
}

export const batchnorm: LayerPage = {
  name: 'batchnorm',
  purpose:
    'Batch normalisation gives each channel mean 0 and variance 1 over the batch, then lets the network choose a scale γ and a shift β. The layers after it get inputs of a stable scale, so deep networks train faster and tolerate larger learning rates. Its backward pass is the hard part: mean and variance depend on every row, so the upstream gradient of each row affects every other row.',
  examples: [
    {
      name: 'A skewed batch',
      inputs: { x: skewed(), gamma: [1, 1.5, 0.5], beta: [0, -1, 1] },
      options: { epsilon: 1e-5 },
      upstream: { dout: randomTensor([12, 3], seeded(12)) },
    },
    {
      name: 'Four rows, by hand',
      inputs: {
        x: [
          [4, 1],
          [-1, 8],
          [0, -3],
          [1, 2],
        ],
        gamma: [4, 2],
        beta: [1, -0.5],
      },
      options: { epsilon: 0.5 },
      upstream: {
        dout: [
          [1, 2],
          [-2, -1],
          [3, 0],
          [0.5, 3],
        ],
      },
    },
    {
      name: 'Inference',
      inputs: {
        x: randomTensor([4, 2], seeded(13)),
        gamma: [1, 2],
        beta: [0, 1],
        running_mean: [0.2, -0.1],
        running_var: [1.5, 0.8],
      },
      options: { training: false, epsilon: 1e-5 },
      upstream: { dout: randomTensor([4, 2], seeded(14)) },
    },
  ],
  added: (name, inputs) => ({
    shape: [shapesOf(inputs).x[1]],
    value: name === 'gamma' || name === 'running_var' ? 1 : 0,
  }),
  explain: explainBatchnorm,
};
