import { explainRecurrence } from '../explain/recurrence.js';
import { randomTensor, seeded } from '../tensors/random.js';
import type { LayerPage } from './page.js';
import { added, impulse, lastStepOf, sine, upstreamOf, weights } from './recurrent.js';

export const rnn: LayerPage = {
  name: 'rnn',
  purpose:
    'A recurrent layer processes a sequence step by step and carries a state: each step combines its input with the state after the previous step. All steps share one set of weights, so a sequence can have any length. Backward goes through time, from the last step to the first, and multiplies the gradient by the same matrix at each step, so the gradient tends to vanish or explode.',
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
      name: 'Bidirectional, two lengths',
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
