import { explainConvolution } from '../explain/convolution.js';
import { randomTensor, seeded } from '../tensors/random.js';
import { digit } from './digit.js';
import { shapesOf, type LayerPage } from './page.js';

export const convolution: LayerPage = {
  name: 'convolution',
  purpose:
    'A convolution slides one small kernel over a picture (or a signal, or a volume) and asks at every place how well it fits: the weighted sum of what lies under it. The same few weights serve everywhere, so a feature is found wherever it stands. As in every framework the kernel is not turned round (cross-correlation).',
  forward: [
    String.raw`\text{out}_{n,o,p} = b_o + \sum_c \sum_k x_{n,c,\,p s - a + k d} \; w_{o,c,k}`,
    String.raw`s \text{ stride}, \; a \text{ padding before}, \; d \text{ dilation}`,
  ],
  backward: [
    String.raw`\text{dx}_{n,c,i} = \sum_o \sum_{p,k:\; p s - a + k d = i} \text{dout}_{n,o,p} \; w_{o,c,k}`,
    String.raw`\text{dw}_{o,c,k} = \sum_n \sum_p \text{dout}_{n,o,p} \; x_{n,c,\,p s - a + k d}, \quad \text{db}_o = \sum_n \sum_p \text{dout}_{n,o,p}`,
  ],
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
  added: (_, inputs) => ({ shape: [shapesOf(inputs).weight[0]], value: 0 }),
  explain: explainConvolution,
};
