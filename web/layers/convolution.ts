import { explainConvolution } from '../explain/convolution.js';
import { randomTensor, seeded } from '../tensors/random.js';
import { digit } from './digit.js';
import type { LayerPage } from './page.js';

export const convolution: LayerPage = {
  name: 'convolution',
  purpose:
    'A convolution slides a small kernel over an image (or a signal, or a volume) and computes at every position how well it matches: the weighted sum of the values under it. The same few weights are used everywhere, so a feature is found wherever it is. As in every framework, the kernel is not flipped (cross-correlation).',
  examples: [
    {
      name: 'Edges of a digit',
      inputs: {
        x: [[digit]],
        weight: [
          [
            [
              [1, 2, 1],
              [0, 0, 0],
              [-1, -2, -1],
            ],
          ],
        ],
        bias: [0],
      },
      upstream: { dout: randomTensor([1, 1, 6, 6], seeded(37)) },
    },
    {
      name: 'Stride 2, padding 1, two kernels',
      inputs: {
        x: [[digit]],
        weight: randomTensor([2, 1, 3, 3], seeded(32)),
        bias: [0.5, -0.5],
      },
      options: { stride: 2, padding: 1 },
      upstream: { dout: randomTensor([1, 2, 4, 4], seeded(33)) },
    },
    {
      name: 'A signal, dilated',
      inputs: {
        x: [[[0, 1, 2, 3, 4, 4, 3, 2, 1, 0]]],
        weight: [[[-1, 0, 1]]],
      },
      options: { dilation: 2, padding: 'same' },
      upstream: { dout: randomTensor([1, 1, 10], seeded(34)) },
    },
    {
      name: 'Transposed: upsampling',
      inputs: {
        x: randomTensor([1, 1, 3, 3], seeded(35)),
        weight: [
          [
            [
              [0.25, 0.5, 0.25],
              [0.5, 1, 0.5],
              [0.25, 0.5, 0.25],
            ],
          ],
        ],
      },
      options: { transposed: true, stride: 2 },
      upstream: { dout: randomTensor([1, 1, 7, 7], seeded(36)) },
    },
  ],
  explain: explainConvolution,
};
