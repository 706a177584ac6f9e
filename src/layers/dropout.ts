/**
 * dropout: sets a random fraction of the elements to zero in training, and scales to compensate.
 *
 * All tensors have x's shape; mask is 1 where an element is kept, with probability 1 − rate.
 *
 * What is dropped is 0 even where x is infinite or NaN, and rate 1 gives zeros. Source: Srivastava et al. (2014),
 * https://jmlr.org/papers/v15/srivastava14a.html; the mask comes from Philox4x32-10 under the seed.
 */
import {
  DropoutGradients,
  DropoutInputs,
  DropoutOptions,
  DropoutOutputs,
  DropoutUpstream,
} from '../../schemas/dropout.js';
import { refuse } from '../refusal.js';
import { floatArray, dtypeOf, tensor, type FloatArray, type Shape } from '../tensor/tensor.js';
import type { Kernels } from '../kernels/kernels.js';
import { defineLayer, present, type Plan } from './definition.js';

interface DropoutPlan extends Plan {
  readonly xShape: Shape;
  readonly training: boolean;
  readonly rate: number;
  readonly scaling: 'inverted' | 'test_time';
  readonly seed: number | undefined;
}

/** Applied by forward to x, and by backward to dout. */
function pass(x: FloatArray, mask: Uint8Array | undefined, plan: DropoutPlan, kernels: Kernels): FloatArray {
  const { rate, scaling } = plan;
  const out = floatArray(dtypeOf(x), x.length);
  if (mask) kernels.applyMask(x, mask, scaling === 'inverted' ? 1 - rate : 1, out);
  else if (scaling === 'inverted') out.set(x);
  else if (rate < 1) for (let i = 0; i < x.length; i++) out[i] = x[i] * (1 - rate);
  return out;
}

export const dropout = defineLayer({
  name: 'dropout',
  reference: {
    summary: 'Sets a random fraction of the elements to zero in training, and scales to compensate.',
    dimensions: { '*': 'any axes' },
    formulas: {
      forward: {
        'mask = 1 with probability 1 − rate, 0 with probability rate': String.raw`\text{mask}_i \sim \text{Bernoulli}(1 - \text{rate})`,
        'inverted: training out = x · mask / (1 − rate); inference out = x': String.raw`\text{inverted:} \quad \text{out}_i = \frac{x_i \, \text{mask}_i}{1 - \text{rate}} \; \text{(training)}, \quad \text{out}_i = x_i \; \text{(inference)}`,
        'test_time: training out = x · mask; inference out = x · (1 − rate)': String.raw`\text{test\_time:} \quad \text{out}_i = x_i \, \text{mask}_i \; \text{(training)}, \quad \text{out}_i = x_i \, (1 - \text{rate}) \; \text{(inference)}`,
      },
      backward: {
        'inverted: training dx = dout · mask / (1 − rate); inference dx = dout': String.raw`\text{inverted:} \quad \text{dx}_i = \frac{\text{dout}_i \, \text{mask}_i}{1 - \text{rate}} \; \text{(training)}, \quad \text{dx}_i = \text{dout}_i \; \text{(inference)}`,
        'test_time: training dx = dout · mask; inference dx = dout · (1 − rate)': String.raw`\text{test\_time:} \quad \text{dx}_i = \text{dout}_i \, \text{mask}_i \; \text{(training)}, \quad \text{dx}_i = \text{dout}_i \, (1 - \text{rate}) \; \text{(inference)}`,
      },
    },
    conventions: [
      'rate is the fraction that is dropped, as in PyTorch and Keras; some texts use the fraction that is kept.',
      'rate 1 results in zeros, never NaN; dropped elements are 0 even where x is not finite.',
      'The same seed, shape and rate result in the same mask, on every machine and in every release: element i is kept if word i mod 4 of Philox4x32-10 at counter i div 4, with the seed as key, is at least rate · 2³².',
      'Inference has no mask and ignores the seed.',
    ],
    sources: [
      'Srivastava et al. (2014), https://jmlr.org/papers/v15/srivastava14a.html',
      'Salmon et al. (2011), Parallel random numbers: as easy as 1, 2, 3 (Philox)',
    ],
    example: {
      forward: {
        x: [
          [1, 2],
          [3, 4],
        ],
        rate: 0.5,
        seed: 7,
      },
      backward: {
        dout: [
          [0.1, 0.2],
          [0.3, 0.4],
        ],
      },
    },
  },
  schemas: {
    inputs: DropoutInputs,
    options: DropoutOptions,
    outputs: DropoutOutputs,
    upstream: DropoutUpstream,
    gradients: DropoutGradients,
  },

  plan({ x }, { rate, training, scaling, seed }): DropoutPlan {
    if (training && seed === undefined)
      throw refuse('value-mismatch', ['seed'], 'seed is missing; expected an integer, because training is true');
    const size = x.data.length;
    const bytes = size * (x.data.BYTES_PER_ELEMENT + 1);
    return {
      xShape: x.shape,
      training,
      rate,
      scaling,
      seed,
      outputs: { out: x.shape },
      // Ten rounds of Philox produce four elements; ten operations per element is a good enough estimate.
      cost: { forward: { operations: 10 * size, bytes }, backward: { operations: size, bytes } },
    };
  },

  forward({ x }, plan, kernels) {
    let mask: Uint8Array | undefined;
    if (plan.training && plan.seed !== undefined) {
      mask = new Uint8Array(x.data.length);
      kernels.dropoutMask(plan.seed, plan.rate, mask);
    }
    const kept = mask && tensor(x.shape, mask);
    return {
      outputs: present({
        out: tensor(x.shape, pass(x.data, mask, plan, kernels)),
        mask: kept,
        seed: mask && plan.seed,
      }),
      cache: present({ mask: kept }),
    };
  },

  backward({ mask }, plan, { dout }, kernels) {
    return { dx: tensor(plan.xShape, pass(dout.data, mask?.data, plan, kernels)) };
  },
});
