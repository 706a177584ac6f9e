import { explainRecurrence } from '../explain/recurrence.js';
import { randomTensor, seeded } from '../tensors/random.js';
import type { LayerPage } from './page.js';
import { added, impulse, lastStepOf, sine, upstreamOf, weights } from './recurrent.js';

/** Rows of weights and biases are in four blocks, whose order is easily confused. */
function gateOf(tensor: string, row: number, rows: number): string | undefined {
  if (!/^d?(weight|bias)_/.test(tensor)) return undefined;
  const H = rows / 4;
  return Number.isInteger(H) ? 'ifgo'.charAt(Math.floor(row / H)) : undefined;
}

export const lstm: LayerPage = {
  name: 'lstm',
  purpose:
    'An LSTM carries two states: its output, h, and its memory, c. At each step, gates between 0 and 1 decide how much of c is kept (f), how much new input is added to it (i), and how much of it is output (o). While the forget gate f stays near 1, the gradient flows back along c almost undiminished, so an LSTM can learn from steps far in the past.',
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
      name: 'Bidirectional, two lengths',
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
