/**
 * activation: a nonlinear function of every element.
 *
 * Every derivative follows from out, which is all that backward needs. The loops are here: a kernel would do no more.
 *
 * Source: torch.relu, torch.tanh.
 */
import type { Static } from '@sinclair/typebox';
import {
  ActivationGradients,
  ActivationInputs,
  ActivationOptions,
  ActivationOutputs,
  ActivationUpstream,
} from '../../schemas/activation.js';
import { sizeOf, tensor } from '../tensor/tensor.js';
import { defineLayer, type Plan } from './definition.js';

type FunctionName = Static<typeof ActivationOptions>['function'];

interface ActivationPlan extends Plan {
  readonly function: FunctionName;
}

interface Elementwise {
  readonly out: (x: number) => number;
  readonly dx: (out: number, dout: number) => number;
}

/** relu by comparisons: NaN and −0 stay what they are, as in PyTorch, and an infinite gradient is not multiplied by 0. */
const functions: Readonly<Record<FunctionName, Elementwise>> = {
  relu: { out: (x) => (x < 0 ? 0 : x), dx: (out, dout) => (out <= 0 ? 0 : dout) },
  tanh: { out: Math.tanh, dx: (out, dout) => dout * (1 - out * out) },
};

export const activation = defineLayer({
  name: 'activation',
  reference: {
    summary: 'Applies a nonlinear function to every element.',
    dimensions: { '*': 'any axes' },
    formulas: {
      forward: {
        'relu: out = max(0, x)': String.raw`\text{relu:} \quad \text{out}_i = \max(0, x_i)`,
        'tanh: out = tanh(x)': String.raw`\text{tanh:} \quad \text{out}_i = \tanh(x_i)`,
      },
      backward: {
        'relu: dx = dout where x > 0, 0 elsewhere': String.raw`\text{relu:} \quad \text{dx}_i = \text{dout}_i \text{ where } x_i > 0, \text{ else } 0`,
        'tanh: dx = dout · (1 − out²)': String.raw`\text{tanh:} \quad \text{dx}_i = \text{dout}_i \, (1 - \text{out}_i^2)`,
      },
    },
    conventions: [
      'At 0 the derivative of relu is 0, as in PyTorch.',
      'NaN stays NaN; where out is NaN, relu passes the gradient on, as in PyTorch.',
    ],
    sources: ['torch.relu', 'torch.tanh'],
    example: {
      forward: { x: [-1, 0.5, 2, 0], function: 'relu' },
      backward: { dout: [0.5, 1, -3, 2] },
    },
  },
  schemas: {
    inputs: ActivationInputs,
    options: ActivationOptions,
    outputs: ActivationOutputs,
    upstream: ActivationUpstream,
    gradients: ActivationGradients,
  },

  plan({ x }, options): ActivationPlan {
    const bytes = x.data.byteLength;
    // Math.tanh takes about as long as twenty operations.
    const operations = (options.function === 'tanh' ? 20 : 1) * sizeOf(x.shape);
    return {
      function: options.function,
      outputs: { out: x.shape },
      cost: { forward: { operations, bytes }, backward: { operations: 3 * sizeOf(x.shape), bytes } },
    };
  },

  forward({ x }, plan) {
    const of = functions[plan.function].out;
    const out = x.data.slice();
    for (let i = 0; i < out.length; i++) out[i] = of(out[i]);
    const result = tensor(x.shape, out);
    return { outputs: { out: result }, cache: { out: result } };
  },

  backward({ out }, plan, { dout }) {
    const of = functions[plan.function].dx;
    const dx = dout.data.slice();
    for (let i = 0; i < dx.length; i++) dx[i] = of(out.data[i], dx[i]);
    return { dx: tensor(out.shape, dx) };
  },
});
