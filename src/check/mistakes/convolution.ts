/** Known mistakes in convolution, plain and transposed, along one to three axes, in addition to slips in formulas. */
import { outputPaddingOf, setupOf } from '../../formulas/layers/convolution.js';
import { convolution as layer } from '../../layers/convolution.js';
import { sizeOf } from '../../tensor/tensor.js';
import { convolution as bounds } from '../bounds/convolution.js';
import { numberOfWindows } from './windows.js';
import { defineChecks, type Mistake } from '../define.js';
import { PLACE, idleWindows } from '../definition.js';
import {
  ALL,
  biasOfTaps,
  biasTimes,
  exchangedDweight,
  exchangedWeight,
  lastWindows,
  overwritten,
  padsSwapped,
  summed,
  uncropped,
  withSizeOfClaim,
  withStepsExchanged,
} from './convolution/tables.js';
import { transposedMistakes } from './convolution/transposed.js';

const mistakes: readonly Mistake[] = [
  {
    id: 'dx_assigned',
    tensors: ['dx'],
    explanation:
      'Where windows overlap, the last one overwrites dx: it is assigned (=) where it should be accumulated (+=).',
    fix: 'add the contribution of every window to dx',
    hidden: 'windows do not overlap',
    needs: { transposed: false },
    ways: [
      // All channels together; or each channel overwrites those before.
      { given: overwritten('last'), only: 'backward' },
      { formulas: ['dx[n,from,at] = dout · weight'] },
    ],
  },
  {
    id: 'dx_not_cropped',
    tensors: ['dx'],
    explanation: 'dx is the gradient of the padded input: the padding was not removed.',
    fix: 'remove the padding: dx has the shape of x',
    hidden: 'padding is 0',
    needs: { transposed: false },
    program: uncropped,
  },
  {
    id: 'dweight_assigned',
    tensors: ['dweight'],
    explanation:
      'dweight was computed from the last window only: it is assigned (=) where it should be accumulated (+=).',
    fix: 'dweight = Σ dout · x, over batch and windows',
    given: lastWindows,
    only: 'backward',
  },
  {
    id: 'dweight_channels_exchanged',
    tensors: ['dweight'],
    explanation: 'The input and output channels of dweight were swapped.',
    fix: 'dweight has the axes of weight, in the same order',
    hidden: 'weight has one input channel or one output channel',
    formulas: exchangedDweight,
  },
  {
    id: 'dbias_over_other_axes',
    tensors: ['dbias'],
    explanation:
      'dbias was summed over the wrong axes: it has one value per sample, per spatial position or per plane.',
    fix: 'dbias = Σ dout, over every axis except the channels',
    ways: [
      {
        explanation: 'dbias was summed only over the batch: it has one value per spatial position.',
        formulas: summed((o, p) => `dbias[${o},${p}] = Σ_n dout`),
      },
      { formulas: summed((o, p) => `dbias[n] = Σ_${o}${p} dout`) },
      { formulas: summed((o, p) => `dbias[${p}] = Σ_n${o} dout`) },
      { formulas: summed((o, p) => `dbias[n,${o}] = Σ_${p} dout`) },
    ],
  },
  {
    id: 'channels_exchanged',
    tensors: ALL,
    explanation: 'The input and output channels of weight were swapped: it was read as [C, O, …].',
    fix: 'weight is [O, C/groups, *kernel]',
    hidden: 'weight has one input channel or one output channel',
    needs: { transposed: false },
    given: exchangedWeight,
    formulas: exchangedDweight,
  },
  {
    id: 'padding_side',
    tensors: ALL,
    explanation: 'The pads before and after the input were swapped: an odd pad is on the wrong side.',
    fix: 'padding "same" puts an odd pad after the input, "same_lower" before it',
    hidden: 'both pads are equal',
    ways: [
      { given: padsSwapped },
      {
        explanation: 'In backward, the pads before and after the input were swapped: an odd pad is on the wrong side.',
        given: padsSwapped,
        only: 'backward',
      },
    ],
  },
  {
    id: 'stride_and_dilation_exchanged',
    tensors: ['out'],
    explanation: 'stride and dilation were exchanged, also in the size of out.',
    fix: 'stride is the step from window to window, dilation the step from tap to tap',
    hidden: 'both are equal',
    program: withStepsExchanged,
  },
  {
    id: 'bias_at_every_tap',
    tensors: ['out'],
    explanation: 'The bias was added for every channel or tap of the sum, not once per output.',
    fix: 'out[n, o, p] = bias[o] + …',
    hidden: 'bias is 0',
    ways: [
      ...['channels · taps', 'channels', 'taps'].map((times) => ({ formulas: biasTimes(times) })),
      { formulas: biasOfTaps },
    ],
  },
];

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

export const convolution = defineChecks({
  layer,
  bounds,
  mistakes: [...mistakes, ...transposedMistakes, { ...numberOfWindows, isFitted: true, program: withSizeOfClaim }],
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
    ...idleWindows((instance) => setupOf(instance).axes),
    groups: ({ options }) => options.groups === 1,
    output_padding: (instance) => outputPaddingOf(setupOf(instance)).every((size) => size === 0),
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
