import { explainBatchnorm } from '../explain/batchnorm.js';
import { randomTensor, seeded } from '../tensors/random.js';
import type { Nested } from '../tensors/tensor.js';
import { rounded, shapesOf, type LayerPage } from './page.js';

/** Twelve rows: one channel leans to the right, one is far off, one hardly varies. */
function skewed(): Nested {
  const random = seeded(11);
  return Array.from({ length: 12 }, () => [
    rounded(-2 * Math.log(1 - random())),
    rounded(20 + 4 * (random() + random() - 1)),
    rounded(-1 + 0.1 * random()),
  ]);
}

export const batchnorm: LayerPage = {
  name: 'batchnorm',
  purpose:
    'Batch normalisation brings each channel to mean 0 and variance 1 over the batch, then lets the network choose a scale γ and a shift β. Layers behind it see inputs of a steady size, so deep networks train faster and stand larger steps. Its backward pass is the hard part: mean and variance depend on every row, so every row’s gradient reaches every other.',
  forward: [
    String.raw`\mu_c = \frac{1}{m} \sum_n x_{n,c}, \quad \sigma_c^2 = \frac{1}{m} \sum_n (x_{n,c} - \mu_c)^2`,
    String.raw`\hat{x}_{n,c} = \frac{x_{n,c} - \mu_c}{\sqrt{\sigma_c^2 + \epsilon}}, \quad \text{out}_{n,c} = \gamma_c \, \hat{x}_{n,c} + \beta_c`,
  ],
  backward: [
    String.raw`\text{d}\beta_c = \sum_n \text{dout}_{n,c}, \quad \text{d}\gamma_c = \sum_n \text{dout}_{n,c} \, \hat{x}_{n,c}`,
    String.raw`\text{dx}_{n,c} = \frac{\gamma_c}{\sqrt{\sigma_c^2 + \epsilon}} \left( \text{dout}_{n,c} - \frac{\text{d}\beta_c}{m} - \hat{x}_{n,c} \frac{\text{d}\gamma_c}{m} \right)`,
  ],
  examples: [
    {
      name: 'A skewed batch',
      inputs: { x: skewed(), gamma: [1, 1.5, 0.5], beta: [0, -1, 1] },
      options: { epsilon: 1e-5 },
      upstream: { dout: randomTensor([12, 3], seeded(12)) },
    },
    {
      name: 'Four rows, by hand',
      inputs: {
        x: [
          [4, 1],
          [-1, 8],
          [0, -3],
          [1, 2],
        ],
        gamma: [4, 2],
        beta: [1, -0.5],
      },
      options: { epsilon: 0.5 },
      upstream: {
        dout: [
          [1, 2],
          [-2, -1],
          [3, 0],
          [0.5, 3],
        ],
      },
    },
    {
      name: 'Inference',
      inputs: {
        x: randomTensor([4, 2], seeded(13)),
        gamma: [1, 2],
        beta: [0, 1],
        running_mean: [0.2, -0.1],
        running_var: [1.5, 0.8],
      },
      options: { training: false, epsilon: 1e-5 },
      upstream: { dout: randomTensor([4, 2], seeded(14)) },
    },
  ],
  added: (name, inputs) => ({
    shape: [shapesOf(inputs).x[1]],
    value: name === 'gamma' || name === 'running_var' ? 1 : 0,
  }),
  explain: explainBatchnorm,
};
