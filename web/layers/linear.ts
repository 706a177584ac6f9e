import { explainLinear } from '../explain/linear.js';
import { randomTensor, seeded } from '../tensors/random.js';
import type { LayerPage } from './page.js';

export const linear: LayerPage = {
  name: 'linear',
  purpose:
    'In a linear (fully connected, dense) layer, each output is a weighted sum of all inputs, plus a bias. It is the simplest way to map one set of features to another, and the last layer of most classifiers, with one output per class.',
  examples: [
    {
      name: 'Two rows, three features',
      inputs: {
        x: [
          [1, 2, 3],
          [-1, 0.5, 1],
        ],
        weight: [
          [0.5, 0, -0.5],
          [1, -1, 0.25],
          [0.2, 0.4, 0.1],
          [-0.3, 0.8, 0.6],
        ],
        bias: [1, 0, -0.5, 0.2],
      },
      upstream: {
        dout: [
          [0.1, -0.2, 0.4, 0.3],
          [0.5, 0.3, -0.1, -0.6],
        ],
      },
    },
    {
      name: 'A sequence: [N, T, I]',
      inputs: {
        x: randomTensor([2, 3, 2], seeded(5)),
        weight: [
          [1, -1],
          [0.5, 2],
        ],
      },
      upstream: { dout: randomTensor([2, 3, 2], seeded(6)) },
    },
  ],
  explain: explainLinear,
};
