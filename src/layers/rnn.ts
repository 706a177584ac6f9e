/**
 * rnn: the hidden state of each step is a nonlinearity of that step's input and of the state before.
 *
 * N batch, T time steps, I input features, H hidden features.
 *
 * forward   h_t = f(W_ih x_t + b_ih + W_hh h_(t−1) + b_hh), out[:, t] = h_t, h_n the last state; f is tanh or relu
 * backward  dh_t = dout_t + W_hhᵀ dz_(t+1), dz_t = dh_t · f'(z_t): 1 − h_t² for tanh, h_t > 0 for relu
 *           dW_ih = Σ_t dz_t x_tᵀ, dW_hh = Σ_t dz_t h_(t−1)ᵀ, db_ih = db_hh = Σ_t dz_t, dx_t = W_ihᵀ dz_t
 *
 * Source: Elman (1990), https://doi.org/10.1207/s15516709cog1402_1; torch.nn.RNN.
 */
import { RnnGradients, RnnInputs, RnnOptions, RnnOutputs, RnnUpstream } from '../../schemas/rnn.js';
import type { Nonlinearity } from '../kernels/kernels.js';
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

interface RnnPlan extends RecurrentPlan, Plan {
  readonly nonlinearity: Nonlinearity;
}

export const rnn = defineLayer({
  name: 'rnn',
  reference: {
    summary: "The hidden state of each step is a nonlinearity of that step's input and of the state before.",
    dimensions: { N: 'batch', T: 'time steps', I: 'input features', H: 'hidden features' },
    formulas: {
      forward: [
        'h_t = f(W_ih x_t + b_ih + W_hh h_(t−1) + b_hh)',
        'out_t = h_t, h_n = the last h_t',
        'f = tanh or relu',
      ],
      backward: [
        'dh_t = dout_t + W_hhᵀ dz_(t+1), and dh_n at the last step',
        "dz_t = dh_t · f'(z_t), with f' = 1 − h_t² for tanh, and 1 where h_t > 0 for relu",
        'dW_ih = Σ_t dz_t x_tᵀ, dW_hh = Σ_t dz_t h_(t−1)ᵀ, db_ih = db_hh = Σ_t dz_t',
        'dx_t = W_ihᵀ dz_t, dh0 = W_hhᵀ dz_1',
      ],
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
    const plan = planRecurrence(inputs, options, 1);
    const outputs: Record<string, Shape> = { out: plan.shapes.out, h_n: plan.shapes.state };
    return { ...plan, nonlinearity: options.nonlinearity, outputs };
  },

  forward(inputs, plan, kernels) {
    const { outputs, cache } = forwardRecurrence(inputs, plan, plan.nonlinearity, kernels);
    return { outputs, cache };
  },

  infer(inputs, plan, kernels) {
    return inferRecurrence(inputs, plan, plan.nonlinearity, kernels).outputs;
  },

  backward(cache: RecurrentCache, plan, upstream, kernels) {
    const { dc0: _, ...gradients } = backwardRecurrence(cache, plan, upstream, plan.nonlinearity, kernels);
    return present(gradients);
  },
});
