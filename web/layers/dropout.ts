import { explainDropout } from '../explain/dropout.js';
import { filled, randomTensor, seeded } from '../tensors/random.js';
import type { LayerPage } from './page.js';

export const dropout: LayerPage = {
  name: 'dropout',
  purpose:
    'Dropout sets a random fraction of the values to zero while a network trains, so that no unit can rely on another one being present. The remaining values are multiplied by 1 / (1 − rate): each value keeps its expectation, and nothing has to change at inference. Backward drops and scales with the same mask.',
  examples: [
    {
      name: 'Rising values',
      inputs: { x: Array.from({ length: 4 }, (_, i) => Array.from({ length: 6 }, (__, j) => i * 6 + j + 1)) },
      options: { rate: 0.3, seed: 7 },
      upstream: { dout: randomTensor([4, 6], seeded(21)) },
    },
    {
      name: 'All ones, half dropped',
      inputs: { x: filled([6, 6], 1) },
      options: { rate: 0.5, seed: 1 },
      upstream: { dout: randomTensor([6, 6], seeded(22)) },
    },
    {
      name: 'Scaling at inference',
      inputs: { x: randomTensor([3, 4], seeded(23)) },
      options: { rate: 0.25, scaling: 'test_time', training: false },
      upstream: { dout: randomTensor([3, 4], seeded(24)) },
    },
  ],
  explain: explainDropout,
};
