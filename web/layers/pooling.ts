import { explainPooling } from '../explain/pooling.js';
import { randomTensor, seeded } from '../tensors/random.js';
import { digit } from './digit.js';
import type { LayerPage } from './page.js';

export const pooling: LayerPage = {
  name: 'pooling',
  purpose:
    'Pooling makes an image smaller: it reduces each window to its largest value or its average. The result depends less on exactly where a feature is than on whether it is there. Pooling has no weights. In backward, a maximum passes the whole gradient to the cell with the largest value; an average passes an equal share to each cell.',
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
      name: 'One value per plane',
      inputs: { x: randomTensor([2, 2, 3, 3], seeded(43)) },
      options: { mode: 'average', global: true },
      upstream: { dout: randomTensor([2, 2, 1, 1], seeded(44)) },
    },
  ],
  explain: explainPooling,
};
