/** Known mistakes in pooling, along one to three axes. */
import type { Static } from '@sinclair/typebox';
import type { PoolingInputs, PoolingOptions, PoolingUpstream } from '../../../schemas/pooling.js';
import type { Decoded } from '../../layers/definition.js';
import { pooling as layer } from '../../layers/pooling.js';
import { sizeOf } from '../../tensor/tensor.js';
import { pooling as bounds } from '../bounds/pooling.js';
import type { Instance, Options } from '../../layers/instance.js';
import { defineChecks, PLACE, idleWindows, type Example } from '../definition.js';
import type { Numbers } from '../random.js';
import { averageMistakes } from './pooling/average.js';
import { maximumMistakes } from './pooling/maximum.js';
import { placeMistakes } from './pooling/places.js';
import { steps, type Given, type Made } from './pooling/window.js';

const planOf = ({ inputs, options }: Instance) =>
  layer.plan(inputs as Decoded<typeof PoolingInputs>, options as Static<typeof PoolingOptions>);

function given(instance: Instance): Given {
  const { x } = instance.inputs as Decoded<typeof PoolingInputs>;
  const { dout } = instance.upstream as Partial<Decoded<typeof PoolingUpstream>>;
  const { planes, axes, mode, countIncludePad, outputs } = planOf(instance);
  return {
    planes,
    xShape: x.shape,
    axes,
    mode,
    countIncludePad,
    x: x.data,
    dout: dout?.data ?? new Float64Array(sizeOf(outputs.out)),
  };
}

/**
 * One example per number of axes. Windows overlap, and the pads before and after differ. Each plane has two equal
 * elements, as far apart along the last axis as two adjacent taps; the first is at one of the indices in `ties`.
 */
const EXAMPLES = [
  { x: [9], kernel_size: [3], stride: [2], padding: [[2, 1]], dilation: [2], ties: [2, 4] },
  {
    x: [6, 6],
    kernel_size: [4, 2],
    stride: [2, 1],
    padding: [
      [1, 2],
      [1, 0],
    ],
    dilation: [1, 2],
    ties: [1, 2, 3],
  },
  {
    x: [3, 5, 4],
    kernel_size: [2, 3, 2],
    stride: [2, 2, 1],
    padding: [
      [1, 1],
      [0, 1],
      [1, 0],
    ],
    dilation: [1, 1, 2],
    ties: [0, 1],
  },
];

/**
 * With ceil_mode, one window extends past the end, and one that would start in the padding after the input is dropped.
 * An example along one axis can have only one of the two.
 */
const CEIL = [
  [{}, { stride: [6] }],
  [
    {
      stride: [2, 4],
      padding: [
        [1, 2],
        [1, 1],
      ],
      ties: [3],
    },
  ],
  [{}],
];

function defaults(needs: Options) {
  const max = (needs.mode ?? (needs.count_include_pad === false ? 'average' : 'max')) === 'max';
  return {
    mode: max ? 'max' : 'average',
    dilation: 1,
    padding: 0,
    ceil_mode: false,
    count_include_pad: true,
    global: false,
    return_indices: max,
  };
}

function windowed(numbers: Numbers, needs: Options, axes: number): Example {
  const ceil = needs.ceil_mode === true ? numbers.pick(CEIL[axes - 1]) : {};
  const { x: spatial, ties, ...options } = { ...EXAMPLES[axes - 1], ...ceil };
  const x = numbers.tensor([2, 2, ...spatial], -2, 1);
  const size = sizeOf(spatial);
  const last = spatial[axes - 1];
  const rows = size / last;
  for (let plane = 0; plane < 4; plane++) {
    // Not at the border, if there is an inner row.
    const row = rows > 2 ? numbers.integer(1, rows - 2) : 0;
    const first = plane * size + row * last + numbers.pick(ties);
    for (const at of [first, first + 2]) x.data[at] = 1.5;
  }
  return { inputs: { x }, options: { ...defaults(needs), ...options, ...needs }, upstream: ['out'] };
}

/** One window over each plane. */
function whole(numbers: Numbers, needs: Options, axes: number): Example {
  const x = numbers.tensor([2, 3, ...[2, 4, 3].slice(3 - axes)], -2, 1);
  const size = sizeOf(x.shape.slice(2));
  // In every other plane, the maximum also has the largest magnitude.
  for (let plane = 0; plane < 6; plane++) {
    const first = numbers.integer(0, size - 2);
    for (const at of [first, numbers.integer(first + 1, size - 1)]) x.data[plane * size + at] = plane % 2 ? 1.5 : 2.5;
  }
  return { inputs: { x }, options: { ...defaults(needs), ...needs }, upstream: ['out'] };
}

export const pooling = defineChecks<Given, Made>({
  layer,
  bounds,
  given,
  steps,
  mistakes: [...placeMistakes, ...maximumMistakes, ...averageMistakes],
  slowness: 2200,
  spatial: true,
  idle: {
    ...idleWindows(({ options, ...instance }) =>
      options.global === true ? [] : planOf({ options, ...instance }).axes,
    ),
    kernel_size: ({ options }) => options.global === true,
    ceil_mode: ({ options }) => options.ceil_mode !== true,
    return_indices: ({ options }) => options.return_indices !== true,
    count_include_pad: ({ options }) => options.mode === 'max',
  },
  kind: ({ mode }) => ({ mode }),
  axes: () => ['batch', 'channel', PLACE],
  constants({ inputs: { x } }) {
    return { N: x.shape[0], C: x.shape[1], places: sizeOf(x.shape.slice(2)) };
  },
  readings: ({ mode, ceil_mode, kernel_size = 1 }) => [
    { option: 'mode', value: mode === 'max' ? 'average' : 'max', because: 'the other kind of pooling' },
    { option: 'ceil_mode', value: ceil_mode !== true, because: 'only the last window differs' },
    { option: 'padding', value: 'valid', because: 'no padding' },
    { option: 'padding', value: 'same', because: 'padding that keeps the size, with an odd pad after the input' },
    {
      option: 'padding',
      value: 'same_lower',
      because: 'padding that keeps the size, with an odd pad before the input',
    },
    { option: 'stride', value: kernel_size, because: 'adjacent windows' },
    { option: 'stride', value: 1, because: 'windows one step apart' },
    ...[1, 2].map((value) => ({ option: 'dilation', value })),
  ],
  example: (numbers, needs, axes = 2) => (needs.global === true ? whole : windowed)(numbers, needs, axes),
});
