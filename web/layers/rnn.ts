import { explainRecurrence } from '../explain/recurrence.js';
import { randomTensor, seeded } from '../tensors/random.js';
import type { LayerPage } from './page.js';
import { added, impulse, lastStepOf, sine, upstreamOf, weights } from './recurrent.js';

export const rnn: LayerPage = {
  name: 'rnn',
  purpose:
    'A recurrent layer reads a sequence step by step and keeps a state: each step sees its input and what the step before left. One set of weights serves all steps, so sequences of any length will do. Backward goes through time, from the last step to the first, and the gradient is multiplied by the same matrix each time: it fades, or it explodes.',
  forward: [
    String.raw`h_t = f(W_{ih} \, x_t + b_{ih} + W_{hh} \, h_{t-1} + b_{hh}), \quad f = \tanh \text{ or } \mathrm{relu}`,
  ],
  backward: [
    String.raw`\text{dh}_t = \text{dout}_t + W_{hh}^{\mathsf{T}} \, \text{dz}_{t+1}, \quad \text{dz}_t = \text{dh}_t \odot f'(z_t)`,
    String.raw`\text{dx}_t = W_{ih}^{\mathsf{T}} \, \text{dz}_t`,
    String.raw`\text{dW}_{ih} = \sum_t \text{dz}_t \, x_t^{\mathsf{T}}, \quad \text{dW}_{hh} = \sum_t \text{dz}_t \, h_{t-1}^{\mathsf{T}}`,
  ],
  examples: [
    {
      name: 'A sine wave',
      inputs: {
        x: sine(16),
        weight_ih: [[0.9], [-0.6], [0.4]],
        weight_hh: weights([3, 3], 51),
        bias_ih: [0, 0.1, -0.1],
      },
      upstream: { dout: upstreamOf(16, 3, 52) },
    },
    {
      name: 'An impulse, and its gradient through time',
      inputs: {
        x: impulse(12),
        weight_ih: [[1], [0.5]],
        weight_hh: [
          [0.8, -0.3],
          [0.3, 0.8],
        ],
      },
      upstream: { dout: lastStepOf(12, 2) },
    },
    {
      name: 'Both ways, two lengths',
      inputs: {
        x: randomTensor([2, 5, 1], seeded(53)),
        weight_ih: weights([2, 2, 1], 54),
        weight_hh: weights([2, 2, 2], 55),
        sequence_lengths: [5, 3],
      },
      options: { direction: 'bidirectional' },
      upstream: { dout: randomTensor([2, 5, 4], seeded(56)) },
    },
  ],
  added,
  explain: explainRecurrence,
};
