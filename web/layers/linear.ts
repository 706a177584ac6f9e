import { explainLinear } from '../explain/linear.js';
import { randomTensor, seeded } from '../tensors/random.js';
import { shapesOf, type LayerPage } from './page.js';

export const linear: LayerPage = {
  name: 'linear',
  purpose:
    'A linear (fully connected, dense) layer gives every output its own weighted sum of all inputs, plus a bias. It is the plainest way to go from one set of features to another, and the last layer of most classifiers: one output per class.',
  forward: [String.raw`\text{out} = x \, W^{\mathsf{T}} + b`],
  backward: [
    String.raw`\text{dx} = \text{dout} \; W`,
    String.raw`\text{dW} = \text{dout}^{\mathsf{T}} \, x`,
    String.raw`\text{db} = \sum_n \text{dout}_n`,
  ],
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
  added: (_, inputs) => ({ shape: [shapesOf(inputs).weight[0]], value: 0 }),
  explain: explainLinear,
};
