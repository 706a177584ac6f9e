/** Known mistakes in pooling, along one to three axes, in addition to slips in its formulas. */
import { planOf, poolingOver } from '../../formulas/layers/pooling.js';
import { programOf, type Program } from '../../formulas/program.js';
import { positionOf, windowCounts, windowTable, withOneOf } from '../../formulas/windows.js';
import type { Instance, Options } from '../../layers/instance.js';
import { pooling as layer } from '../../layers/pooling.js';
import { sizeOf } from '../../tensor/tensor.js';
import { effectiveKernel, product, type WindowAxis } from '../../tensor/windows.js';
import { pooling as bounds } from '../bounds/pooling.js';
import { asClaimed, numberOfWindows } from './windows.js';
import { defineChecks, type Mistake } from '../define.js';
import { PLACE, idleWindows, type Example } from '../definition.js';
import type { Numbers } from '../random.js';
import type { Misread } from '../written.js';
import { maximumMistakes } from './pooling/maximum.js';

const mistakes: readonly Mistake[] = [
  {
    id: 'dx_assigned',
    tensors: ['dx'],
    explanation:
      'Where windows overlap, the last one overwrites dx: it is assigned (=) where it should be accumulated (+=).',
    fix: 'add the contribution of every window to dx',
    hidden: 'windows do not overlap',
    ways: [
      'dx[n,c,to] = dout',
      // The whole window is written, including zeros.
      'dx[n,c,at] = dout · (1 − positive(tap − best) − positive(best − tap))',
    ].map((ofMaximum) => ({
      formulas: ({ options }) => [options.mode === 'max' ? ofMaximum : 'dx[n,c,at] = dout / count'],
    })),
  },
  {
    id: 'padding_side',
    tensors: ['out', 'dx', 'indices'],
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
    id: 'window_in_the_padding_kept',
    tensors: ['out'],
    explanation: 'With ceil_mode, a last window that starts in the padding after the input was kept.',
    fix: 'drop the last window if it starts past the end of the input',
    hidden: 'no window starts in the padding after the input',
    needs: { ceil_mode: true },
    ways: [-Infinity, 0, NaN].map((value) => ({ program: (instance) => withEmptyWindows(instance, value) })),
  },
  {
    ...numberOfWindows,
    needs: { global: false },
    isFitted: true,
    program: (instance, claims) => {
      const axes = asClaimed(planOf(instance).axes, 'output', claims);
      return axes && poolingOver({ ...instance, upstream: {} }, axes, 0);
    },
  },
  {
    id: 'overhang_forgotten_in_backward',
    tensors: ['dx'],
    explanation: 'Backward ignores the windows past the end that ceil_mode adds.',
    fix: 'pass back the gradient of every window of forward, including the last',
    hidden: 'no window extends past the end',
    needs: { ceil_mode: true },
    given: (instance) => {
      const overhangs = (axis: WindowAxis, p: number) =>
        positionOf(axis, p, axis.kernel - 1) >= axis.input + axis.after;
      const look = (axis: WindowAxis, p: number, k: number) => (overhangs(axis, p) ? -1 : positionOf(axis, p, k));
      return { given: { at: windowTable(planOf(instance).axes, look) } };
    },
    only: 'backward',
  },
  {
    id: 'global_over_other_axes',
    tensors: ['out'],
    explanation:
      'The windows span only one spatial axis, or include the channels, instead of spanning exactly the spatial axes.',
    fix: 'pool over all spatial axes, with one result per sample and channel: out is [N, C, 1, …]',
    hidden: 'the other axes have one element',
    needs: { global: true },
    ways: [
      // The last axis; the channels; all but the batch; all between batch and last, as if channels came last.
      (rank: number) => (rank > 3 ? [rank - 1, rank] : [1, rank]),
      () => [1, 2],
      (rank: number) => [1, rank],
      (rank: number) => [1, rank - 1],
    ].flatMap((range) => [true, false].map((keeps) => ({ program: (instance) => reduced(instance, range, keeps) }))),
  },
  {
    id: 'gradient_to_one_tap',
    tensors: ['dx'],
    explanation: 'The gradient of the average went to only one element of each window.',
    fix: 'each tap gets dout / count',
    hidden: 'a window has one element',
    needs: { mode: 'average' },
    ways: ['dx = dout / count', 'dx = dout'].map((formula) => ({
      formulas: [formula],
      given: (instance) => {
        const { axes } = planOf(instance);
        const taps = product(axes, 'kernel');
        return { given: { at: withOneOf(windowTable(axes), 'first', (_, i) => Math.floor(i / taps)) } };
      },
      only: 'backward',
    })),
  },
];

function padsSwapped(instance: Instance): Misread {
  const { axes, countIncludePad, mode } = planOf(instance);
  const swapped = axes.map((axis) => ({ ...axis, before: axis.after, after: axis.before }));
  const at = windowTable(swapped);
  return { given: mode === 'max' ? { at, index: at } : { at, count: windowCounts(swapped, countIncludePad) } };
}

/** out including the windows that lie in the padding after the input, which are set to `value`. */
function withEmptyWindows(instance: Instance, value: number): Program {
  const axes = planOf(instance).axes.map((axis) => {
    const { input, before, after, stride, kernel, dilation } = axis;
    const room = input + before + after - effectiveKernel(kernel, dilation);
    return { ...axis, output: Math.ceil(room / stride) + 1 };
  });
  return poolingOver({ ...instance, upstream: {} }, axes, value);
}

/** The maximum or the average over a range of axes of x, which are dropped or kept with size 1. */
function reduced(
  { inputs: { x }, options }: Instance,
  range: (rank: number) => readonly number[],
  keeps: boolean,
): Program {
  const [from, to] = range(x.shape.length);
  const [outer, over, inner] = [x.shape.slice(0, from), x.shape.slice(from, to), x.shape.slice(to)];
  const isMax = options.mode === 'max';
  return programOf({
    axes: { n: sizeOf(outer), k: sizeOf(over), q: sizeOf(inner) },
    dims: { n: keeps ? [...outer, ...over.map(() => 1)] : outer, q: inner },
    given: { 'x nkq': x.data, taps: sizeOf(over) },
    forward: isMax ? ['best[n,q] = argmax_k x', 'out[n,q] = x[n,best,q]'] : ['out[n,q] = Σ_k x / taps'],
    backward: [],
  });
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

export const pooling = defineChecks({
  layer,
  bounds,
  mistakes: [...mistakes, ...maximumMistakes],
  slowness: 80,
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
