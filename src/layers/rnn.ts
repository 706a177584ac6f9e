/**
 * rnn: each step applies a nonlinearity to a weighted sum of its input and the previous hidden state.
 *
 * N batch, T time steps, I input features, H hidden features.
 *
 * Source: Elman (1990), https://doi.org/10.1207/s15516709cog1402_1; torch.nn.RNN.
 */
import { RnnGradients, RnnInputs, RnnOptions, RnnOutputs, RnnUpstream } from '../../schemas/rnn.js';
import type { Shape } from '../tensor/tensor.js';
import { defineLayer, present, type Plan } from './definition.js';
import {
  backwardRecurrence,
  forwardRecurrence,
  inferRecurrence,
  planRecurrence,
  recurrentConventions,
  type RecurrentCache,
  type RecurrentPlan,
} from './recurrence.js';

interface RnnPlan extends RecurrentPlan, Plan {}

export const rnn = defineLayer({
  name: 'rnn',
  reference: {
    summary: 'Each step applies a nonlinearity to a weighted sum of its input and the previous hidden state.',
    dimensions: { N: 'batch', T: 'time steps', I: 'input features', H: 'hidden features' },
    formulas: {
      forward: {
        'h_t = f(W_ih x_t + b_ih + W_hh h_(t−1) + b_hh), f = tanh or relu': String.raw`h_t = f(W_{ih} \, x_t + b_{ih} + W_{hh} \, h_{t-1} + b_{hh}), \quad f = \tanh \text{ or } \mathrm{relu}`,
        'out_t = h_t, h_n = the last h_t': String.raw`\text{out}_t = h_t, \quad h_n = h_T`,
      },
      backward: {
        'dh_t = dout_t + W_hhᵀ dz_(t+1), and dh_n at the last step': String.raw`\text{dh}_t = \text{dout}_t + W_{hh}^{\mathsf{T}} \, \text{dz}_{t+1}`,
        "dz_t = dh_t · f'(z_t), with f' = 1 − h_t² for tanh, and 1 where h_t > 0 for relu": String.raw`\text{dz}_t = \text{dh}_t \odot f'(z_t)`,
        'dh0 = W_hhᵀ dz_1': String.raw`\text{dh}_0 = W_{hh}^{\mathsf{T}} \, \text{dz}_1`,
        'dx_t = W_ihᵀ dz_t': String.raw`\text{dx}_t = W_{ih}^{\mathsf{T}} \, \text{dz}_t`,
        'dW_ih = Σ_t dz_t x_tᵀ, dW_hh = Σ_t dz_t h_(t−1)ᵀ': String.raw`\text{dW}_{ih} = \sum_t \text{dz}_t \, x_t^{\mathsf{T}}, \quad \text{dW}_{hh} = \sum_t \text{dz}_t \, h_{t-1}^{\mathsf{T}}`,
        'db_ih = db_hh = Σ_t dz_t': String.raw`\text{db}_{ih} = \text{db}_{hh} = \sum_t \text{dz}_t`,
      },
    },
    conventions: recurrentConventions,
    sources: ['Elman (1990), https://doi.org/10.1207/s15516709cog1402_1', 'torch.nn.RNN'],
    example: {
      forward: {
        x: [
          [
            [1, 0],
            [0.5, -1],
          ],
        ],
        weight_ih: [
          [0.1, 0.2],
          [0.3, -0.4],
        ],
        weight_hh: [
          [0.5, 0],
          [0.1, -0.2],
        ],
        bias_ih: [0.1, 0],
      },
      backward: { dh_n: [[1, -0.5]] },
    },
  },
  schemas: {
    inputs: RnnInputs,
    options: RnnOptions,
    outputs: RnnOutputs,
    upstream: RnnUpstream,
    gradients: RnnGradients,
  },

  plan(inputs, options): RnnPlan {
    const plan = planRecurrence(inputs, options, options.nonlinearity);
    const outputs: Record<string, Shape> = { out: plan.shapes.out, h_n: plan.shapes.state };
    return { ...plan, outputs };
  },

  forward(inputs, plan, kernels) {
    const { outputs, cache } = forwardRecurrence(inputs, plan, kernels);
    return { outputs, cache };
  },

  infer(inputs, plan, kernels) {
    return inferRecurrence(inputs, plan, kernels).outputs;
  },

  backward(cache: RecurrentCache, plan, upstream, kernels) {
    const { dc0: _, ...gradients } = backwardRecurrence(cache, plan, upstream, kernels);
    return present(gradients);
  },
});
