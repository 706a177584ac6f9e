/**
 * convolution: a kernel slides over one to three spatial axes; each output is its weighted sum at one position.
 *
 * N batch, C channels in, O channels out, G groups, K taps per kernel, P positions of the window, D elements per plane.
 *
 * forward   for each n and group, with columns[C/G · K, P] of x[C/G, D]:
 *           out[O/G, P] = weight[O/G, C/G · K] · columns  (the kernel `correlate`)
 * backward  dcolumns = weightᵀ · dout, added back to dx (`spread`),  dweight = Σ_n dout · columnsᵀ
 *           (`correlateSides`),  dbias = Σ_n Σ_p dout
 * transposed  computes that dx as its forward pass: out[O/G, D] accumulates weight[C/G, O/G · K]ᵀ · x[C/G, P]. Its
 *           backward pass is the forward pass above.
 *
 * Taps in the padding are left out of the sums, so an infinite weight there does not cause NaN. Order of the sums: out
 * is summed like a product of linear, over channels and within each over taps in row-major order, starting with bias. At
 * stride 1, dx (out, when transposed) is summed likewise, over out's channels with the taps in reverse; at other strides
 * over out's channels for each tap, and then over the taps. dweight is summed over the batch and within it over the
 * positions, in lanes if windows are adjacent and either many or of at most 8 channels. Windows that reach over more
 * than 128 MiB of padded planes are summed in float64.
 *
 * Cross-correlation: the kernel is not flipped. Source: torch.nn.functional.conv1d … conv_transpose3d; Dumoulin
 * and Visin (2016), https://arxiv.org/abs/1603.07285.
 */
import type { Static } from '@sinclair/typebox';
import {
  ConvolutionGradients,
  ConvolutionInputs,
  ConvolutionOptions,
  ConvolutionOutputs,
  ConvolutionUpstream,
} from '../../schemas/convolution.js';
import type { ConvolutionShape } from '../kernels/kernels.js';
import { count, refuse } from '../refusal.js';
import { dtypeOf, formatShape, zeros, type Shape } from '../tensor/tensor.js';
import {
  effectiveKernel,
  outputShape,
  outputSize,
  product,
  threeAxes,
  transposedOutputSize,
  type WindowAxis,
} from '../tensor/windows.js';
import { defineLayer, expectShape, present, type Decoded, type Plan } from './definition.js';
import { expectSpatial, perAxis, windowAxes } from './geometry.js';

interface ConvolutionPlan extends Plan {
  readonly N: number;
  readonly C: number;
  readonly O: number;
  readonly groups: number;
  /** Windows of the convolution proper: over x, or, when transposed, over out. */
  readonly axes: readonly WindowAxis[];
  readonly transposed: boolean;
  readonly biased: boolean;
}

/** Channels per group of the convolution proper: A on the folded side, B on the windowed side. */
function channelsPerGroup({ C, O, groups, transposed }: Pick<ConvolutionPlan, 'C' | 'O' | 'groups' | 'transposed'>) {
  return transposed ? { A: O / groups, B: C / groups } : { A: C / groups, B: O / groups };
}

function shapeOf(plan: ConvolutionPlan): ConvolutionShape {
  return { N: plan.N, groups: plan.groups, ...channelsPerGroup(plan), axes: threeAxes(plan.axes) };
}

type Options = Static<typeof ConvolutionOptions>;

/** @throws {Refusal} if weight, bias or groups do not fit x */
function channels({ x, weight, bias }: Decoded<typeof ConvolutionInputs>, { groups, transposed }: Options) {
  const C = x.shape[1];
  const layout = transposed ? '[C, O/groups, *kernel]' : '[O, C/groups, *kernel]';
  if (weight.shape.length !== x.shape.length)
    throw refuse(
      'shape-mismatch',
      ['weight'],
      `weight has shape ${formatShape(weight.shape)}; expected ${layout} with ${x.shape.length - 2} kernel axes, because x has shape ${formatShape(x.shape)}`,
    );
  if (C % groups)
    throw refuse('value-mismatch', ['groups'], `groups is ${groups}; expected a divisor of x's ${count(C, 'channel')}`);
  const kernel = weight.shape.slice(2);
  const O = transposed ? weight.shape[1] * groups : weight.shape[0];
  const ofGroups = groups === 1 ? '' : ` in ${groups} groups`;
  const expected = transposed ? [C, O / groups, ...kernel] : [O, C / groups, ...kernel];
  expectShape('weight', weight, expected, `x has ${count(C, 'channel')}${ofGroups} and weight is ${layout}`);
  if (O % groups)
    throw refuse(
      'value-mismatch',
      ['groups'],
      `groups is ${groups}; expected a divisor of weight's ${count(O, 'output channel')}`,
    );
  expectShape('bias', bias, [O], `weight has ${count(O, 'output channel')}`);
  return { C, O, kernel };
}

/** The windows of the convolution proper. */
function windows(spatial: Shape, kernel: Shape, options: Options): WindowAxis[] {
  const { transposed, padding } = options;
  const axes = windowAxes(spatial, { ...options, kernel });
  if (!transposed) {
    return axes.map((axis, i) => {
      const output = outputSize(axis);
      if (output < 1)
        throw refuse(
          'shape-mismatch',
          ['weight'],
          `the kernel covers ${count(effectiveKernel(axis.kernel, axis.dilation), 'element')} of spatial axis ${i}; expected at most ${axis.input + axis.before + axis.after}, because x has ${axis.input} there and the padding is [${axis.before}, ${axis.after}]`,
        );
      return { ...axis, output };
    });
  }
  if (padding === 'same' || padding === 'same_lower')
    throw refuse(
      'value-mismatch',
      ['padding'],
      `padding is "${padding}"; expected integers or "valid", because transposed is true and its output size would be ambiguous`,
    );
  const outputPaddings = perAxis('output_padding', options.output_padding, spatial.length);
  return axes.map((axis, i) => {
    const outputPadding = outputPaddings[i];
    const bound = Math.max(axis.stride, axis.dilation);
    if (outputPadding >= bound)
      throw refuse(
        'value-mismatch',
        ['output_padding'],
        `output_padding is ${outputPadding} on spatial axis ${i}; expected less than ${bound}, the larger of stride and dilation there`,
      );
    const size = transposedOutputSize(axis, outputPadding);
    if (size < 1)
      throw refuse(
        'shape-mismatch',
        ['padding'],
        `the padding [${axis.before}, ${axis.after}] leaves ${count(size, 'element')} of spatial axis ${i}; expected at least 1, because x has ${axis.input} there`,
      );
    return { ...axis, input: size, output: axis.input };
  });
}

export const convolution = defineLayer({
  name: 'convolution',
  reference: {
    summary: 'A kernel slides over one to three spatial axes; each output is its weighted sum at one position.',
    dimensions: {
      N: 'batch',
      C: 'channels in',
      O: 'channels out',
      '*': 'one to three spatial axes',
      'D, K, P': 'elements of x, taps of a kernel and windows along an axis',
      's, d': 'stride, dilation',
      'a, e': 'padding before and after x',
      f: 'output_padding',
    },
    formulas: {
      forward: {
        'out[n, o, p] = bias[o] + Σ_c Σ_k x[n, c, p · stride − before + k · dilation] · weight[o, c, k], c over the channels of the group of o': String.raw`\text{out}_{n,o,p} = b_o + \sum_c \sum_k x_{n,c,\,p s - a + k d} \; w_{o,c,k}`,
        'size of out = ⌊(size of x + before + after − dilation · (kernel − 1) − 1) / stride⌋ + 1': String.raw`P = \left\lfloor \frac{D + a + e - d (K - 1) - 1}{s} \right\rfloor + 1`,
        'transposed: out[n, o, p · stride − before + k · dilation] += x[n, c, p] · weight[c, o, k], then + bias[o]': String.raw`\text{transposed:} \quad \text{out}_{n,o,i} = b_o + \sum_c \sum_{p s - a + k d = i} x_{n,c,p} \; w_{c,o,k}`,
        'transposed: size of out = (size of x − 1) · stride − before − after + dilation · (kernel − 1) + output_padding + 1': String.raw`\text{transposed:} \quad D = (P - 1) s - a - e + d (K - 1) + 1 + f`,
      },
      backward: {
        'dx[n, c, i] = Σ_o Σ_k Σ_p dout[n, o, p] · weight[o, c, k], where p · stride − before + k · dilation = i': String.raw`\text{dx}_{n,c,i} = \sum_o \sum_{p,k:\; p s - a + k d = i} \text{dout}_{n,o,p} \; w_{o,c,k}`,
        'dweight[o, c, k] = Σ_n Σ_p dout[n, o, p] · x[n, c, p · stride − before + k · dilation], dbias[o] = Σ_n Σ_p dout[n, o, p]': String.raw`\text{dw}_{o,c,k} = \sum_n \sum_p \text{dout}_{n,o,p} \; x_{n,c,\,p s - a + k d}, \quad \text{db}_o = \sum_n \sum_p \text{dout}_{n,o,p}`,
      },
    },
    conventions: [
      'Cross-correlation, as in every framework: the kernel is not flipped.',
      'Taps in the padding are left out, not multiplied by 0: an infinite weight there does not cause NaN.',
      'weight is [O, C/groups, *kernel]; transposed it is [C, O/groups, *kernel], as in PyTorch.',
      '"same" pads so that the output size is ceil(input / stride), with an odd pad after the input; "same_lower" puts it before, as in ONNX.',
      'A transposed convolution does not accept "same", because the output size would be ambiguous; PyTorch has no such option.',
      'output_padding is only for transposed convolution, and must be less than the larger of stride and dilation.',
    ],
    sources: [
      'torch.nn.functional.conv1d … conv3d, conv_transpose1d … conv_transpose3d',
      'Dumoulin and Visin (2016), https://arxiv.org/abs/1603.07285',
    ],
    example: {
      forward: { x: [[[1, 2, 3, 4]]], weight: [[[1, 0, -1]]], bias: [0.5], padding: 1 },
      backward: { dout: [[[0.1, -0.2, 0.3, 0.4]]] },
    },
  },
  schemas: {
    inputs: ConvolutionInputs,
    options: ConvolutionOptions,
    outputs: ConvolutionOutputs,
    upstream: ConvolutionUpstream,
    gradients: ConvolutionGradients,
  },

  plan(inputs, options): ConvolutionPlan {
    const { groups, transposed } = options;
    const spatial = expectSpatial(inputs.x);
    const { C, O, kernel } = channels(inputs, options);
    const axes = windows(spatial, kernel, options);
    if (!transposed && perAxis('output_padding', options.output_padding, spatial.length).some((pad) => pad > 0))
      throw refuse(
        'value-mismatch',
        ['output_padding'],
        'output_padding is not 0; expected 0, because transposed is false',
      );
    const N = inputs.x.shape[0];
    const element = inputs.x.data.BYTES_PER_ELEMENT;
    const { A, B } = channelsPerGroup({ C, O, groups, transposed });
    const [K, D, P] = [product(axes, 'kernel'), product(axes, 'input'), product(axes, 'output')];
    const operations = 2 * N * groups * A * B * K * P;
    const columns = A * K * P;
    const [xSize, outSize] = [N * C * (transposed ? P : D), N * O * (transposed ? D : P)];
    return {
      N,
      C,
      O,
      groups,
      axes,
      transposed,
      biased: inputs.bias !== undefined,
      outputs: { out: [N, O, ...(transposed ? axes.map((axis) => axis.input) : outputShape(axes))] },
      cost: {
        forward: { operations: operations + outSize, bytes: (outSize + columns) * element },
        backward: {
          operations: 2 * operations + outSize,
          bytes: (xSize + groups * A * B * K + O + columns) * element,
        },
      },
    };
  },

  forward({ x, weight, bias }, plan, kernels) {
    const out = zeros(dtypeOf(x.data), plan.outputs.out);
    if (plan.transposed) kernels.spread(x.data, weight.data, bias?.data, out.data, shapeOf(plan));
    else kernels.correlate(x.data, weight.data, bias?.data, out.data, shapeOf(plan));
    return { outputs: { out }, cache: { x, weight } };
  },

  backward({ x, weight }, plan, { dout }, kernels) {
    const { N, O, transposed } = plan;
    const dtype = dtypeOf(dout.data);
    const shape = shapeOf(plan);
    const dx = zeros(dtype, x.shape);
    const dweight = zeros(dtype, weight.shape);
    if (transposed) {
      kernels.correlate(dout.data, weight.data, undefined, dx.data, shape);
      kernels.correlateSides(dout.data, x.data, dweight.data, shape);
    } else {
      kernels.spread(dout.data, weight.data, undefined, dx.data, shape);
      kernels.correlateSides(x.data, dout.data, dweight.data, shape);
    }
    const dbias = plan.biased ? zeros(dtype, [O]) : undefined;
    if (dbias) kernels.sumPerChannel(dout.data, dbias.data, { N, C: O, S: dout.data.length / (N * O) });
    return present({ dx, dweight, dbias });
  },
});
