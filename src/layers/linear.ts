/**
 * linear: every output is a weighted sum of all inputs.
 *
 * N batch (all leading axes of x as one; 1 if there are none), I input features, O output features.
 *
 * A product over K is summed in blocks of at most 256 terms, as even as possible: each block from first to last (with
 * fused multiply-add if the build has it), and the blocks in order, starting from bias or 0.
 *
 * Source: torch.nn.functional.linear; gradients by the chain rule.
 */
import { LinearGradients, LinearInputs, LinearOptions, LinearOutputs, LinearUpstream } from '../../schemas/linear.js';
import { count, refuse } from '../refusal.js';
import { floatArray, dtypeOf, formatShape, sizeOf, tensor, type Shape } from '../tensor/tensor.js';
import { defineLayer, expectShape, present, type Plan } from './definition.js';

interface LinearPlan extends Plan {
  readonly N: number;
  readonly I: number;
  readonly O: number;
  readonly xShape: Shape;
  readonly biased: boolean;
}

export const linear = defineLayer({
  name: 'linear',
  reference: {
    summary: 'Every output is a weighted sum of all inputs.',
    dimensions: { N: 'batch', I: 'input features', O: 'output features', '…': 'any axes between' },
    formulas: {
      forward: { 'out = x · weightᵀ + bias': String.raw`\text{out} = x \, W^{\mathsf{T}} + b` },
      backward: {
        'dx = dout · weight': String.raw`\text{dx} = \text{dout} \; W`,
        'dweight = doutᵀ · x': String.raw`\text{dW} = \text{dout}^{\mathsf{T}} \, x`,
        'dbias = Σ dout, over every axis but the last': String.raw`\text{db} = \sum_n \text{dout}_n`,
      },
    },
    conventions: [
      'weight is [O, I], as in PyTorch; Keras stores it as [I, O].',
      'dweight and dbias are sums over the batch, not means.',
      'x of shape [I] is one input without a batch, as in PyTorch: out is [O].',
    ],
    sources: ['torch.nn.functional.linear'],
    example: {
      forward: {
        x: [
          [1, 2, 3],
          [4, 5, 6],
        ],
        weight: [
          [0.1, 0.2, 0.3],
          [-0.1, 0, 0.1],
        ],
        bias: [0.5, -0.5],
      },
      backward: {
        dout: [
          [1, 0.5],
          [-0.5, 2],
        ],
      },
    },
  },
  schemas: {
    inputs: LinearInputs,
    options: LinearOptions,
    outputs: LinearOutputs,
    upstream: LinearUpstream,
    gradients: LinearGradients,
  },

  plan({ x, weight, bias }): LinearPlan {
    if (x.shape.length < 1)
      throw refuse('shape-mismatch', ['x'], `x has shape ${formatShape(x.shape)}; expected [I], [N, I] or [N, …, I]`);
    if (weight.shape.length !== 2)
      throw refuse('shape-mismatch', ['weight'], `weight has shape ${formatShape(weight.shape)}; expected [O, I]`);
    const I = x.shape[x.shape.length - 1];
    const N = sizeOf(x.shape) / I;
    const O = weight.shape[0];
    expectShape('weight', weight, [O, I], `x has ${count(I, 'feature')}`);
    expectShape('bias', bias, [O], `weight has ${count(O, 'output')}`);
    const element = x.data.BYTES_PER_ELEMENT;
    return {
      N,
      I,
      O,
      xShape: x.shape,
      biased: bias !== undefined,
      outputs: { out: [...x.shape.slice(0, -1), O] },
      cost: {
        forward: { operations: 2 * N * I * O, bytes: N * O * element },
        backward: { operations: 4 * N * I * O + N * O, bytes: (N * I + O * I + O) * element },
      },
    };
  },

  forward({ x, weight, bias }, { N, I, O, outputs }, kernels) {
    const out = floatArray(dtypeOf(x.data), N * O);
    kernels.matmul(x.data, weight.data, out, { M: N, N: O, K: I, transposeB: true, bias: bias?.data });
    return { outputs: { out: tensor(outputs.out, out) }, cache: { x, weight } };
  },

  backward({ x, weight }, { N, I, O, xShape, biased }, { dout }, kernels) {
    const dtype = dtypeOf(dout.data);
    const dx = floatArray(dtype, N * I);
    kernels.matmul(dout.data, weight.data, dx, { M: N, N: I, K: O });
    const dweight = floatArray(dtype, O * I);
    kernels.matmul(dout.data, x.data, dweight, { M: O, N: I, K: N, transposeA: true });
    const dbias = biased ? floatArray(dtype, O) : undefined;
    if (dbias) kernels.sumPerChannel(dout.data, dbias, { N, C: O, S: 1 });
    return present({
      dx: tensor(xShape, dx),
      dweight: tensor(weight.shape, dweight),
      dbias: dbias && tensor([O], dbias),
    });
  },
});
