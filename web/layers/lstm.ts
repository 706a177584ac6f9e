import { explainRecurrence } from '../explain/recurrence.js';
import { randomTensor, seeded } from '../tensors/random.js';
import type { LayerPage } from './page.js';
import { added, impulse, lastStepOf, sine, upstreamOf, weights } from './recurrent.js';

/** Rows of weights and biases stand in four blocks, and people mistake their order more than anything else. */
function gateOf(tensor: string, row: number, rows: number): string | undefined {
  if (!/^d?(weight|bias)_/.test(tensor)) return undefined;
  const H = rows / 4;
  return Number.isInteger(H) ? 'ifgo'.charAt(Math.floor(row / H)) : undefined;
}

export const lstm: LayerPage = {
  name: 'lstm',
  purpose:
    'An LSTM carries two states: what it shows, h, and what it remembers, c. Gates between 0 and 1 decide at each step what of c is forgotten (f), what is taken in (i) and what is shown (o). While the forget gate stays near 1 the gradient runs back along c almost undiminished, which is how it learns what lies far back.',
  forward: [
    String.raw`z = W_{ih} \, x_t + b_{ih} + W_{hh} \, h_{t-1} + b_{hh}`,
    String.raw`i, f, o = \sigma(z_i), \sigma(z_f), \sigma(z_o), \quad g = \tanh(z_g)`,
    String.raw`c_t = f \odot c_{t-1} + i \odot g, \quad h_t = o \odot \tanh(c_t)`,
  ],
  backward: [
    String.raw`\text{dh}_t = \text{dout}_t + W_{hh}^{\mathsf{T}} \, \text{dz}_{t+1}`,
    String.raw`\text{dc}_t = \text{dc}_{t+1} \odot f_{t+1} + \text{dh}_t \odot o \odot (1 - \tanh^2 c_t)`,
    String.raw`\text{dz}_i = \text{dc}_t \, g \, i (1 - i), \quad \text{dz}_f = \text{dc}_t \, c_{t-1} \, f (1 - f)`,
    String.raw`\text{dz}_g = \text{dc}_t \, i \, (1 - g^2), \quad \text{dz}_o = \text{dh}_t \tanh(c_t) \, o (1 - o)`,
    String.raw`\text{dx}_t = W_{ih}^{\mathsf{T}} \, \text{dz}_t, \quad \text{dW}_{ih} = \sum_t \text{dz}_t \, x_t^{\mathsf{T}}`,
  ],
  examples: [
    {
      name: 'A sine wave',
      inputs: {
        x: sine(16),
        weight_ih: weights([8, 1], 61),
        weight_hh: weights([8, 2], 62),
        bias_ih: [0, 0, 1, 1, 0, 0, 0, 0],
      },
      upstream: { dout: upstreamOf(16, 2, 63) },
    },
    {
      name: 'An impulse, and its gradient through time',
      inputs: {
        x: impulse(12),
        weight_ih: [[2], [0], [2], [1]],
        weight_hh: [[0.2], [0.1], [0.2], [0.1]],
        bias_ih: [-1, 3, 0, 1],
      },
      upstream: { dout: lastStepOf(12, 1) },
    },
    {
      name: 'Both ways, two lengths',
      inputs: {
        x: randomTensor([2, 5, 1], seeded(64)),
        weight_ih: weights([2, 4, 1], 65),
        weight_hh: weights([2, 4, 1], 66),
        sequence_lengths: [5, 3],
      },
      options: { direction: 'bidirectional' },
      upstream: { dout: randomTensor([2, 5, 2], seeded(67)) },
    },
  ],
  added,
  label: gateOf,
  explain: explainRecurrence,
};
