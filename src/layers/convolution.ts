/**
 * convolution: a kernel slides over one to three spatial axes, and gives its weighted sum at every place.
 *
 * N batch, C channels in, O channels out, G groups, K taps of a kernel, P places of a window, D points of a plane.
 *
 * forward   out[n, o, p] = bias[o] + Σ_c Σ_k x[n, c, p · stride − before + k · dilation] · weight[o, c, k]
 *           (c over the channels of o's group), which is, for each n and group, with columns[C/G · K, P] unfolded
 *           from x[C/G, D]:  out[O/G, P] = weight[O/G, C/G · K] · columns  (the kernel `correlate`)
 * backward  dcolumns = weightᵀ · dout, folded back to dx (`spread`),  dweight = Σ_n dout · columnsᵀ
 *           (`correlateSides`),  dbias = Σ_n Σ_p dout
 * transposed  is that dx as a forward pass: out[O/G, D] is folded from weight[C/G, O/G · K]ᵀ · x[C/G, P], and its
 *           backward is the forward above.
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
import { refuse } from '../refusal.js';
import { bytesPerElement, floatDtypeOf, formatShape, zeros, type Shape } from '../tensor/tensor.js';
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

/** On the folded side of the convolution proper there are A channels a group, on the windowed side B. */
function channelsPerGroup({ C, O, groups, transposed }: Pick<ConvolutionPlan, 'C' | 'O' | 'groups' | 'transposed'>) {
  return transposed ? { A: O / groups, B: C / groups } : { A: C / groups, B: O / groups };
}

function shapeOf(plan: ConvolutionPlan): ConvolutionShape {
  return { N: plan.N, groups: plan.groups, ...channelsPerGroup(plan), axes: threeAxes(plan.axes) };
}

type Options = Static<typeof ConvolutionOptions>;

/** @throws {Refusal} where weight, bias and groups do not fit x */
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
    throw refuse('value-mismatch', ['groups'], `groups is ${groups}; expected a divisor of x's ${C} channels`);
  const kernel = weight.shape.slice(2);
  const O = transposed ? weight.shape[1] * groups : weight.shape[0];
  const ofGroups = groups === 1 ? '' : ` in ${groups} groups`;
  const expected = transposed ? [C, O / groups, ...kernel] : [O, C / groups, ...kernel];
  expectShape('weight', weight, expected, `x has ${C} channels${ofGroups} and weight is ${layout}`);
  if (O % groups)
    throw refuse(
      'value-mismatch',
      ['groups'],
      `groups is ${groups}; expected a divisor of weight's ${O} output channels`,
    );
  expectShape('bias', bias, [O], `weight gives ${O} output channels`);
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
          `the kernel covers ${effectiveKernel(axis.kernel, axis.dilation)} elements of spatial axis ${i}; expected at most ${axis.input + axis.before + axis.after}, because x has ${axis.input} there and the padding is [${axis.before}, ${axis.after}]`,
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
        `the padding [${axis.before}, ${axis.after}] leaves ${size} elements of spatial axis ${i}; expected at least 1, because x has ${axis.input} there`,
      );
    return { ...axis, input: size, output: axis.input };
  });
}

export const convolution = defineLayer({
  name: 'convolution',
  reference: {
    summary: 'A kernel slides over one to three spatial axes, and gives its weighted sum at every place.',
    dimensions: { N: 'batch', C: 'channels in', O: 'channels out', '*': 'one to three spatial axes' },
    formulas: {
      forward: [
        'out[n, o, p] = bias[o] + Σ_c Σ_k x[n, c, p · stride − before + k · dilation] · weight[o, c, k], c over the channels of the group of o',
        'size of out = ⌊(size of x + before + after − dilation · (kernel − 1) − 1) / stride⌋ + 1',
        'transposed: out[n, o, p · stride − before + k · dilation] += x[n, c, p] · weight[c, o, k], then + bias[o]',
        'transposed: size of out = (size of x − 1) · stride − before − after + dilation · (kernel − 1) + output_padding + 1',
      ],
      backward: [
        'dx[n, c, i] = Σ_o Σ_k Σ_p dout[n, o, p] · weight[o, c, k], where p · stride − before + k · dilation = i',
        'dweight[o, c, k] = Σ_n Σ_p dout[n, o, p] · x[n, c, p · stride − before + k · dilation]',
        'dbias[o] = Σ_n Σ_p dout[n, o, p]',
      ],
    },
    conventions: [
      'Cross-correlation, as in every framework: the kernel is not flipped.',
      'weight is [O, C/groups, *kernel]; transposed it is [C, O/groups, *kernel], as in PyTorch.',
      '"same" pads so that the output is ceil(input / stride), an odd pad after the input; "same_lower" before it, as in ONNX.',
      'Transposed takes no "same": PyTorch takes none either, and the output size would be ambiguous.',
      'output_padding is for transposed alone, and less than stride or dilation.',
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
    const element = bytesPerElement(inputs.x.dtype);
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
    const out = zeros(floatDtypeOf(x.data), plan.outputs.out);
    if (plan.transposed) kernels.spread(x.data, weight.data, bias?.data, out.data, shapeOf(plan));
    else kernels.correlate(x.data, weight.data, bias?.data, out.data, shapeOf(plan));
    return { outputs: { out }, cache: { x, weight } };
  },

  backward({ x, weight }, plan, { dout }, kernels) {
    const { N, O, transposed } = plan;
    const dtype = floatDtypeOf(dout.data);
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
