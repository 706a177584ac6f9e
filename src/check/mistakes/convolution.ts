/** Known mistakes in convolution, plain and transposed, along one to three axes. */
import type { Static } from '@sinclair/typebox';
import type { ConvolutionInputs, ConvolutionOptions, ConvolutionUpstream } from '../../../schemas/convolution.js';
import { convolution as layer } from '../../layers/convolution.js';
import type { Decoded } from '../../layers/definition.js';
import { sizeOf } from '../../tensor/tensor.js';
import { transposedOutputSize } from '../../tensor/windows.js';
import { convolution as bounds } from '../bounds/convolution.js';
import type { Instance } from '../../layers/instance.js';
import { defineChecks, PLACE, idleWindows } from '../definition.js';
import { backwardMistakes } from './convolution/backward.js';
import { forwardMistakes } from './convolution/forward.js';
import { transposedMistakes } from './convolution/transposed.js';
import { steps, type Given, type Made } from './convolution/walk.js';

const planOf = ({ inputs, options }: Instance) =>
  layer.plan(inputs as Decoded<typeof ConvolutionInputs>, options as Static<typeof ConvolutionOptions>);

function given(instance: Instance): Given {
  const { x, weight, bias } = instance.inputs as Decoded<typeof ConvolutionInputs>;
  const { dout } = instance.upstream as Partial<Decoded<typeof ConvolutionUpstream>>;
  const { N, C, O, groups, axes, transposed, outputs } = planOf(instance);
  return {
    N,
    groups,
    A: (transposed ? O : C) / groups,
    B: (transposed ? C : O) / groups,
    axes,
    transposed,
    outputPadding: axes.map((axis) =>
      transposed ? axis.input - transposedOutputSize({ ...axis, input: axis.output }, 0) : 0,
    ),
    x: x.data,
    weight: weight.data,
    bias: bias?.data ?? new Float64Array(O),
    dout: dout?.data ?? new Float64Array(sizeOf(outputs.out)),
    outShape: outputs.out,
  };
}

/**
 * One example per number of axes. Windows overlap, padding is asymmetric, and dilation never equals stride, which would
 * leave every other position of a transposed output empty.
 */
const EXAMPLES = [
  {
    options: { stride: 2, padding: [[3, 1]], dilation: 3 },
    kernel: [3],
    plain: [10],
    transposed: [5],
    transposedStride: 2,
    output_padding: 1,
  },
  {
    options: {
      stride: 2,
      padding: [
        [2, 1],
        [1, 2],
      ],
      dilation: [2, 1],
    },
    kernel: [3, 3],
    plain: [5, 6],
    transposed: [3, 3],
    transposedStride: [3, 2],
    output_padding: 1,
  },
  {
    options: {
      stride: [2, 1, 2],
      padding: [
        [1, 0],
        [0, 1],
        [0, 1],
      ],
      dilation: [1, 2, 1],
    },
    kernel: [3, 2, 2],
    plain: [5, 3, 4],
    transposed: [2, 2, 2],
    transposedStride: [2, 1, 2],
    output_padding: [1, 0, 1],
  },
];

export const convolution = defineChecks<Given, Made>({
  layer,
  bounds,
  given,
  steps,
  mistakes: [...backwardMistakes, ...forwardMistakes, ...transposedMistakes],
  axes: (name, { transposed }) => {
    if (name === 'dbias') return ['channel'];
    if (name !== 'dweight') return ['batch', 'channel', PLACE];
    const channels = ['output channel', 'input channel'];
    return [...(transposed === true ? channels.reverse() : channels), 'tap'];
  },
  constants({ inputs: { x, weight }, options }) {
    const [N, C] = x.shape;
    const taps = sizeOf(weight.shape.slice(2));
    return { N, C, taps, groups: options.groups as number };
  },
  readings: () => [
    ...['valid', 'same', 'same_lower'].map((value) => ({ option: 'padding', value })),
    ...[1, 2].map((value) => ({ option: 'dilation', value })),
    { option: 'groups', value: 1, because: 'every output channel sees every input channel' },
  ],
  idle: {
    ...idleWindows((instance) => planOf(instance).axes),
    groups: ({ options }) => options.groups === 1,
    output_padding: (instance) => given(instance).outputPadding.every((size) => size === 0),
  },
  spatial: true,
  kind: ({ transposed }) => (transposed === true ? { transposed } : {}),
  example(numbers, needs, axes = 2) {
    const [N, C, O, groups] = [2, 4, 4, 2];
    const transposed = needs.transposed === true;
    const { options, kernel, ...sizes } = EXAMPLES[axes - 1];
    // The output padding fits the stride and dilation of the example, and may not fit others.
    const stepped = !('stride' in needs || 'dilation' in needs);
    return {
      inputs: {
        x: numbers.tensor([N, C, ...(transposed ? sizes.transposed : sizes.plain)]),
        weight: numbers.tensor([transposed ? C : O, (transposed ? O : C) / groups, ...kernel]),
        bias: numbers.tensor([O]),
      },
      options: {
        ...options,
        stride: transposed ? sizes.transposedStride : options.stride,
        groups,
        transposed,
        output_padding: transposed && stepped ? sizes.output_padding : 0,
        ...needs,
      },
      upstream: ['out'],
    };
  },
});
