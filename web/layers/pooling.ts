import { explainPooling } from '../explain/pooling.js';
import { randomTensor, seeded } from '../tensors/random.js';
import { digit } from './digit.js';
import type { LayerPage } from './page.js';

export const pooling: LayerPage = {
  name: 'pooling',
  purpose:
    'Pooling makes a picture smaller: of each window it keeps the largest value, or the average. What is left matters less for where exactly a thing stands than for whether it is there. It has no weights. Backward, a maximum hands the whole gradient to the cell that won; an average hands each cell an equal part.',
  forward: [
    String.raw`\text{max:} \quad \text{out}_{n,c,p} = \max_k \, x_{n,c,\,p s - a + k d}`,
    String.raw`\text{average:} \quad \text{out}_{n,c,p} = \frac{1}{\text{count}_p} \sum_k x_{n,c,\,p s - a + k d}`,
  ],
  backward: [
    String.raw`\text{max:} \quad \text{dx}_{n,c,i} = \sum_{p:\; \mathrm{argmax}_p = i} \text{dout}_{n,c,p}`,
    String.raw`\text{average:} \quad \text{dx}_{n,c,i} = \sum_{p \ni i} \frac{\text{dout}_{n,c,p}}{\text{count}_p}`,
  ],
  examples: [
    {
      name: 'Maximum over a digit',
      inputs: { x: [[digit]] },
      options: { mode: 'max', kernel_size: 2 },
      upstream: { dout: randomTensor([1, 1, 4, 4], seeded(41)) },
    },
    {
      name: 'Average, overlapping, padded',
      inputs: { x: [[digit]] },
      options: { mode: 'average', kernel_size: 3, stride: 2, padding: 1, count_include_pad: false },
      upstream: { dout: randomTensor([1, 1, 4, 4], seeded(42)) },
    },
    {
      name: 'One value a plane',
      inputs: { x: randomTensor([2, 2, 3, 3], seeded(43)) },
      options: { mode: 'average', global: true },
      upstream: { dout: randomTensor([2, 2, 1, 1], seeded(44)) },
    },
  ],
  added: () => ({ shape: [1], value: 0 }),
  explain: explainPooling,
};
