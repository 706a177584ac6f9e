/**
 * lstm: gates control what each step removes from a cell state, adds to it, and outputs.
 *
 * N batch, T time steps, I input features, H hidden features. Rows of weights and biases: input, forget, cell,
 * output gate, H each.
 *
 * Source: Hochreiter and Schmidhuber (1997), https://doi.org/10.1162/neco.1997.9.8.1735, with the forget gate of
 * Gers et al. (2000); torch.nn.LSTM.
 */
import { LstmGradients, LstmInputs, LstmOptions, LstmOutputs, LstmUpstream } from '../../schemas/lstm.js';
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

interface LstmPlan extends RecurrentPlan, Plan {}

export const lstm = defineLayer({
  name: 'lstm',
  reference: {
    summary: 'Gates control what each step removes from a cell state, adds to it, and outputs.',
    dimensions: { N: 'batch', T: 'time steps', I: 'input features', H: 'hidden features' },
    formulas: {
      forward: {
        'z = W_ih x_t + b_ih + W_hh h_(t−1) + b_hh, in blocks z_i, z_f, z_g, z_o': String.raw`z = W_{ih} \, x_t + b_{ih} + W_{hh} \, h_{t-1} + b_{hh}`,
        'i = σ(z_i), f = σ(z_f), o = σ(z_o), g = tanh(z_g)': String.raw`i, f, o = \sigma(z_i), \sigma(z_f), \sigma(z_o), \quad g = \tanh(z_g)`,
        'c_t = f · c_(t−1) + i · g, h_t = o · tanh(c_t)': String.raw`c_t = f \odot c_{t-1} + i \odot g, \quad h_t = o \odot \tanh(c_t)`,
        'out_t = h_t; h_n and c_n are the last states': String.raw`\text{out}_t = h_t, \quad h_n = h_T, \quad c_n = c_T`,
      },
      backward: {
        'dh_t = dout_t + W_hhᵀ dz_(t+1), and dh_n at the last step': String.raw`\text{dh}_t = \text{dout}_t + W_{hh}^{\mathsf{T}} \, \text{dz}_{t+1}`,
        'dc_t = dc_(t+1) · f_(t+1) + dh_t · o · (1 − tanh²(c_t)), and dc_n at the last step': String.raw`\text{dc}_t = \text{dc}_{t+1} \odot f_{t+1} + \text{dh}_t \odot o \odot (1 - \tanh^2 c_t)`,
        'dz_i = dc_t · g · i (1 − i), dz_f = dc_t · c_(t−1) · f (1 − f)': String.raw`\text{dz}_i = \text{dc}_t \, g \, i (1 - i), \quad \text{dz}_f = \text{dc}_t \, c_{t-1} \, f (1 - f)`,
        'dz_g = dc_t · i · (1 − g²), dz_o = dh_t · tanh(c_t) · o (1 − o)': String.raw`\text{dz}_g = \text{dc}_t \, i \, (1 - g^2), \quad \text{dz}_o = \text{dh}_t \tanh(c_t) \, o (1 - o)`,
        'dx_t = W_ihᵀ dz_t, dW_ih = Σ_t dz_t x_tᵀ': String.raw`\text{dx}_t = W_{ih}^{\mathsf{T}} \, \text{dz}_t, \quad \text{dW}_{ih} = \sum_t \text{dz}_t \, x_t^{\mathsf{T}}`,
        'dW_hh = Σ_t dz_t h_(t−1)ᵀ, db_ih = db_hh = Σ_t dz_t': String.raw`\text{dW}_{hh} = \sum_t \text{dz}_t \, h_{t-1}^{\mathsf{T}}, \quad \text{db}_{ih} = \text{db}_{hh} = \sum_t \text{dz}_t`,
        'dh0 = W_hhᵀ dz_1, dc0 = dc_1 · f_1': String.raw`\text{dh}_0 = W_{hh}^{\mathsf{T}} \, \text{dz}_1, \quad \text{dc}_0 = \text{dc}_1 \odot f_1`,
      },
    },
    conventions: [
      'The gates are stacked in the order input, forget, cell, output, as in PyTorch and Keras; ONNX has input, output, forget, cell.',
      ...recurrentConventions,
    ],
    sources: [
      'Hochreiter and Schmidhuber (1997), https://doi.org/10.1162/neco.1997.9.8.1735',
      'Gers, Schmidhuber and Cummins (2000), https://doi.org/10.1162/089976600300015015 (forget gate)',
      'torch.nn.LSTM',
    ],
    example: {
      forward: {
        x: [[[1], [0.5]]],
        weight_ih: [[0.1], [0.2], [0.3], [-0.4]],
        weight_hh: [[0.5], [0], [0.1], [-0.2]],
        bias_ih: [0, 1, 0, 0],
      },
      backward: { dout: [[[0.5], [1]]], dc_n: [[0.25]] },
    },
  },
  schemas: {
    inputs: LstmInputs,
    options: LstmOptions,
    outputs: LstmOutputs,
    upstream: LstmUpstream,
    gradients: LstmGradients,
  },

  plan(inputs, options): LstmPlan {
    const plan = planRecurrence(inputs, options, 'lstm');
    const outputs: Record<string, Shape> = { out: plan.shapes.out, h_n: plan.shapes.state, c_n: plan.shapes.state };
    return { ...plan, outputs };
  },

  forward(inputs, plan, kernels) {
    const { outputs, c_n, cache } = forwardRecurrence(inputs, plan, kernels);
    return { outputs: { ...outputs, c_n }, cache };
  },

  infer(inputs, plan, kernels) {
    const { outputs, c_n } = inferRecurrence(inputs, plan, kernels);
    return { ...outputs, c_n };
  },

  backward(cache: RecurrentCache, plan, upstream, kernels) {
    return present(backwardRecurrence(cache, plan, upstream, kernels));
  },
});
