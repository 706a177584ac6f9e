/**
 * How convolution goes wrong. Everything is a walk over taps: each tap joins a place of the folded side (x, or out
 * when transposed), a window of the other side and an entry of the weight.
 */
import type { Static } from '@sinclair/typebox';
import type { ConvolutionInputs, ConvolutionOptions, ConvolutionUpstream } from '../../../schemas/convolution.js';
import { convolution as layer } from '../../layers/convolution.js';
import type { Decoded } from '../../layers/definition.js';
import { sizeOf, tensor, type FloatArray, type Shape, type Tensor } from '../../tensor/tensor.js';
import type { WindowAxis } from '../../tensor/windows.js';
import { each, sumOf } from '../arrays.js';
import { defineChecks, type Call, type Mistake, type Options } from '../definition.js';

/** Folded side, windowed side and weight, as indices; and which tap and window it is. */
type Visit = (folded: number, windowed: number, weight: number) => void;
type Walk = (visit: Visit) => void;

interface Given {
  readonly N: number;
  readonly groups: number;
  /** Channels a group on the folded and on the windowed side. */
  readonly A: number;
  readonly B: number;
  readonly axes: readonly WindowAxis[];
  readonly transposed: boolean;
  readonly x: FloatArray;
  readonly weight: FloatArray;
  readonly bias: FloatArray;
  readonly dout: FloatArray;
  readonly outShape: Shape;
}

interface Made {
  readonly walk: Walk;
  /** Of the way back; each may be wrong by itself. */
  readonly walkDx: Walk;
  readonly walkDweight: Walk;
  readonly sums: FloatArray;
  readonly out: FloatArray;
  readonly dx: FloatArray;
  readonly dweight: FloatArray;
  readonly dbias: FloatArray | Tensor;
}

type State = Given & Made;

/** How taps are looked for; the right ways unless a mistake has another one. */
interface Habits {
  readonly axes?: readonly WindowAxis[];
  /** Where a tap that falls outside an axis reads; nothing there by default. */
  readonly outside?: (place: number, size: number) => number | undefined;
  /** Which tap of the weight stands for tap k of the window. */
  readonly tap?: (k: readonly number[], kernel: readonly number[]) => readonly number[];
  /** Channel of the folded side, of group g and channel a of it. */
  readonly foldedChannel?: (g: number, a: number) => number;
  /** Index of a weight's [b, a] plane, for the windowed channel b. */
  readonly plane?: (b: number, a: number) => number;
}

/** Calls `visit` for every place of a grid, the last axis fastest. */
function eachPlace(sizes: readonly number[], visit: (place: readonly number[], index: number) => void): void {
  const place = sizes.map(() => 0);
  const total = sizeOf(sizes);
  for (let index = 0; index < total; index++) {
    visit(place, index);
    for (let axis = sizes.length - 1; axis >= 0 && ++place[axis] === sizes[axis]; axis--) place[axis] = 0;
  }
}

function indexIn(sizes: readonly number[], place: readonly number[]): number {
  return place.reduce((at, index, axis) => at * sizes[axis] + index, 0);
}

function walking(s: Given, habits: Habits = {}): Walk {
  const { N, groups, A, B } = s;
  const { axes = s.axes, outside, tap, foldedChannel, plane } = habits;
  const [input, kernel, output] = [
    s.axes.map((axis) => axis.input),
    axes.map((axis) => axis.kernel),
    s.axes.map((axis) => axis.output),
  ];
  const [D, K, P] = [sizeOf(input), sizeOf(kernel), sizeOf(output)];
  return (visit) => {
    for (let n = 0; n < N; n++)
      for (let g = 0; g < groups; g++)
        for (let b = 0; b < B; b++)
          for (let a = 0; a < A; a++) {
            const channel = foldedChannel ? foldedChannel(g, a) : g * A + a;
            const windowed = (n * groups * B + g * B + b) * P;
            const weight = (plane ? plane(g * B + b, a) : (g * B + b) * A + a) * K;
            eachPlace(output, (window, p) => {
              eachPlace(kernel, (k, at) => {
                let folded = 0;
                for (let axis = 0; axis < axes.length; axis++) {
                  const { stride, before, dilation } = axes[axis];
                  let place: number | undefined = window[axis] * stride - before + k[axis] * dilation;
                  if (place < 0 || place >= input[axis]) place = outside?.(place, input[axis]);
                  if (place === undefined) return;
                  folded = folded * input[axis] + place;
                }
                const entry = tap ? indexIn(kernel, tap(k, kernel)) : at;
                visit((n * groups * A + channel) * D + folded, windowed + p, weight + entry);
              });
            });
          }
  };
}

/** Σ over the taps of what `term` gives for each, at the index that `at` picks. */
function gathered(size: number, walk: Walk, add: (into: Float64Array, f: number, w: number, k: number) => void) {
  const sums = new Float64Array(size);
  walk((f, w, k) => {
    add(sums, f, w, k);
  });
  return sums;
}

const places = (s: Given) => sizeOf(s.outShape.slice(2));
const channelOf = (s: Given, i: number) => Math.floor(i / places(s)) % s.outShape[1];

const dxOf = (s: State, walk: Walk, assign = false) =>
  gathered(s.x.length, walk, (into, f, w, k) => {
    // Transposed, x is on the windowed side and dout on the folded one.
    const [to, from] = s.transposed ? [w, f] : [f, w];
    const term = s.dout[from] * s.weight[k];
    into[to] = assign ? term : into[to] + term;
  });

const dweightOf = (s: State, walk: Walk, assign = false) =>
  gathered(s.weight.length, walk, (into, f, w, k) => {
    const term = s.transposed ? s.x[w] * s.dout[f] : s.x[f] * s.dout[w];
    into[k] = assign ? term : into[k] + term;
  });

const dbiasOf = (s: State) => {
  const [N, O] = s.outShape;
  const P = places(s);
  return each(O, (o) => sumOf(N, (n) => sumOf(P, (p) => s.dout[(n * O + o) * P + p])));
};

const steps = {
  walk: (s: State) => walking(s),
  walkDx: (s: State) => s.walk,
  walkDweight: (s: State) => s.walk,
  sums: (s: State) =>
    gathered(sizeOf(s.outShape), s.walk, (into, f, w, k) => {
      if (s.transposed) into[f] += s.x[w] * s.weight[k];
      else into[w] += s.x[f] * s.weight[k];
    }),
  out: (s: State) => s.sums.map((value, i) => value + s.bias[channelOf(s, i)]),
  dx: (s: State) => dxOf(s, s.walkDx),
  dweight: (s: State) => dweightOf(s, s.walkDweight),
  dbias: (s: State): FloatArray | Tensor => dbiasOf(s),
};

const turned: Habits['tap'] = (k, kernel) => k.map((index, axis) => kernel[axis] - 1 - index);

const axesWith = (s: Given, change: (axis: WindowAxis) => Partial<WindowAxis>): Habits => ({
  axes: s.axes.map((axis) => ({ ...axis, ...change(axis) })),
});

/** Everything walks so, or dx and dweight alone, or one of the two. */
const everywhere = (habits: (s: State) => Habits) => ({
  steps: { walk: (s: State) => walking(s, habits(s)) },
});
const backward = (habits: (s: State) => Habits) => ({
  steps: {
    walkDx: (s: State) => walking(s, habits(s)),
    walkDweight: (s: State) => walking(s, habits(s)),
  },
});

const ALL = ['out', 'dx', 'dweight'];
const BACKWARD = ['dx', 'dweight'];

/** dx with `=` for `+=`: each window overwrites what an earlier one left, tap by tap or all channels together. */
function overwritten(s: State): Float64Array {
  const dx = new Float64Array(s.x.length);
  const last = new Int32Array(s.x.length).fill(-1);
  const P = s.transposed ? 1 : places(s);
  // Windows in row-major order: the last one that a place lies in stays.
  s.walkDx((f, w) => {
    if (!s.transposed) last[f] = Math.max(last[f], w % P);
  });
  s.walkDx((f, w, k) => {
    if (!s.transposed && w % P === last[f]) dx[f] += s.dout[w] * s.weight[k];
  });
  return s.transposed ? dxOf(s, s.walkDx) : dx;
}

const mistakes: readonly Mistake<Given, Made>[] = [
  {
    id: 'stride_forgotten_in_backward',
    tensors: BACKWARD,
    explanation: 'Backward looks for window p at p, not at p · stride.',
    fix: 'the place of tap k of window p is p · stride − before + k · dilation, as in forward',
    hidden: 'stride is 1',
    ways: [backward((s) => axesWith(s, () => ({ stride: 1 })))],
  },
  {
    id: 'padding_forgotten_in_backward',
    tensors: BACKWARD,
    explanation: 'Backward leaves the padding out of the place of a tap: the gradient is shifted.',
    fix: 'the place of tap k of window p is p · stride − before + k · dilation, as in forward',
    hidden: 'padding is 0',
    ways: [backward((s) => axesWith(s, () => ({ before: 0 })))],
  },
  {
    id: 'dilation_forgotten_in_backward',
    tensors: BACKWARD,
    explanation: 'Backward takes the taps of a kernel to lie side by side.',
    fix: 'the place of tap k of window p is p · stride − before + k · dilation, as in forward',
    hidden: 'dilation is 1',
    ways: [backward((s) => axesWith(s, () => ({ dilation: 1 })))],
  },
  {
    id: 'dx_assigned',
    tensors: ['dx'],
    explanation: 'Where windows overlap the later one overwrites dx: = stands where += belongs.',
    fix: 'add to dx what each window gives',
    hidden: 'windows do not overlap: stride is not less than the kernel',
    needs: { transposed: false },
    ways: [{ steps: { dx: overwritten } }, { steps: { dx: (s) => dxOf(s, s.walkDx, true) } }],
  },
  {
    id: 'dweight_assigned',
    tensors: ['dweight'],
    explanation: 'dweight is that of the last window alone: = stands where += belongs.',
    fix: 'dweight = Σ over windows and batch of dout · x',
    ways: [{ steps: { dweight: (s) => dweightOf(s, s.walkDweight, true) } }],
  },
  {
    id: 'dweight_of_one_sample',
    tensors: ['dweight'],
    explanation: 'dweight is that of one sample of the batch.',
    fix: 'dweight = Σ over windows and batch of dout · x',
    hidden: 'the batch has one sample',
    ways: [(s: State) => s.N - 1, () => 0].map((sample) => ({
      steps: {
        dweight: (s: State) => {
          const size = s.dout.length / s.N;
          const dout = s.dout.map((value, i) => (Math.floor(i / size) === sample(s) ? value : 0));
          return gathered(s.weight.length, s.walkDweight, (into, f, w, k) => {
            into[k] += s.transposed ? s.x[w] * dout[f] : s.x[f] * dout[w];
          });
        },
      },
    })),
  },
  {
    id: 'dweight_averaged',
    tensors: ['dweight'],
    explanation: 'dweight was divided by the batch size, or by the number of windows.',
    fix: 'dweight = Σ over windows and batch of dout · x; what divides by the batch size is the loss',
    hidden: 'the batch has one sample',
    ways: [(s: State) => s.N, (s: State) => s.N * places(s), places].map((count) => ({
      steps: { dweight: (s: State) => steps.dweight(s).map((value) => value / count(s)) },
    })),
  },
  {
    id: 'kernel_flipped',
    tensors: ALL,
    explanation: 'The kernel was turned by 180°: this is convolution in the sense of mathematics.',
    fix: 'out[p] = Σ_k x[p · stride − before + k · dilation] · weight[k], which is cross-correlation',
    hidden: 'the kernel is symmetric',
    ways: [everywhere(() => ({ tap: turned }))],
  },
  {
    id: 'dx_kernel_flipped',
    tensors: ['dx'],
    explanation: 'dx was computed with the kernel turned where it should not be, or not turned where it should be.',
    fix: 'dx[p · stride − before + k · dilation] += dout[p] · weight[k]',
    hidden: 'the kernel is symmetric',
    ways: [{ steps: { walkDx: (s) => walking(s, { tap: turned }) } }],
  },
  {
    id: 'dweight_reversed',
    tensors: ['dweight'],
    explanation: 'dweight is turned by 180°.',
    fix: 'dweight[k] = Σ_p dout[p] · x[p · stride − before + k · dilation]',
    hidden: 'dweight is symmetric',
    ways: [{ steps: { walkDweight: (s) => walking(s, { tap: turned }) } }],
  },
  {
    id: 'kernel_axes_exchanged',
    tensors: ALL,
    explanation: 'The kernel was transposed: its spatial axes are exchanged.',
    fix: 'weight is [O, C/groups, height, width]',
    hidden: 'there is one spatial axis, or the kernel is symmetric',
    ways: [
      everywhere(() => ({ tap: (k, kernel) => (kernel.every((size) => size === kernel[0]) ? [...k].reverse() : k) })),
    ],
  },
  {
    id: 'channels_exchanged',
    tensors: ALL,
    explanation: 'In- and out-channels of the weight were exchanged: it was read as [C, O, …].',
    fix: 'weight is [O, C/groups, *kernel], and [C, O/groups, *kernel] when transposed',
    hidden: 'there is one channel on one of the sides',
    ways: [
      everywhere((s) => ({
        plane: (b, a) => {
          const group = Math.floor(b / s.B);
          return group * s.A * s.B + a * s.B + (b % s.B);
        },
      })),
    ],
  },
  {
    id: 'dweight_channels_exchanged',
    tensors: ['dweight'],
    explanation: 'In- and out-channels of dweight were exchanged.',
    fix: 'dweight is of the shape of weight, [O, C/groups, *kernel]',
    hidden: 'there is one channel on one of the sides',
    ways: [
      {
        steps: {
          walkDweight: (s) => walking(s, { plane: (b, a) => Math.floor(b / s.B) * s.A * s.B + a * s.B + (b % s.B) }),
        },
      },
    ],
  },
  {
    id: 'groups_ignored',
    tensors: ALL,
    explanation: 'Every group read the channels of the first one.',
    fix: 'group g reads the channels from g · C/groups on',
    hidden: 'groups is 1',
    ways: [everywhere(() => ({ foldedChannel: (_, a) => a }))],
  },
  {
    id: 'groups_interleaved',
    tensors: ALL,
    explanation: 'Channels were dealt to the groups in turn: channel c to group c mod groups.',
    fix: 'a group is a block of neighbouring channels: group g has those from g · C/groups on',
    hidden: 'groups is 1, or as many as there are channels',
    ways: [everywhere((s) => ({ foldedChannel: (g, a) => a * s.groups + g }))],
  },
  {
    id: 'groups_ignored_in_backward',
    tensors: BACKWARD,
    explanation: 'The gradients mix the groups: every group adds to the channels of the first one.',
    fix: 'group g gives to the channels from g · C/groups on alone',
    hidden: 'groups is 1',
    ways: [
      backward(() => ({ foldedChannel: (_, a) => a })),
      {
        steps: {
          // Every channel takes from all groups.
          walkDx: (s) => (visit) => {
            for (let shift = 0; shift < s.groups; shift++)
              walking(s, { foldedChannel: (g, a) => ((g + shift) % s.groups) * s.A + a })(visit);
          },
          walkDweight: (s) => (visit) => {
            for (let shift = 0; shift < s.groups; shift++)
              walking(s, { foldedChannel: (g, a) => ((g + shift) % s.groups) * s.A + a })(visit);
          },
        },
      },
    ],
  },
  {
    id: 'padding_side',
    tensors: ALL,
    explanation: 'The pad that should stand before the input stands after it: an odd pad is on the wrong side.',
    fix: 'padding "same" puts an odd pad after the input, "same_lower" before it',
    hidden: 'both pads are alike',
    ways: [everywhere((s) => axesWith(s, ({ before, after }) => ({ before: after, after: before })))],
  },
  {
    id: 'padding_side_in_backward',
    tensors: BACKWARD,
    explanation: 'Backward takes the pad after the input for the one before it.',
    fix: 'the place of tap k of window p is p · stride − before + k · dilation, as in forward',
    hidden: 'both pads are alike',
    ways: [backward((s) => axesWith(s, ({ before, after }) => ({ before: after, after: before })))],
  },
  {
    id: 'padding_replicated',
    tensors: ALL,
    explanation: 'The padding repeats the border of the input, where it should be zeros.',
    fix: 'taps in the padding count as 0',
    hidden: 'padding is 0',
    needs: { transposed: false },
    ways: [everywhere(() => ({ outside: (place, size) => Math.min(Math.max(place, 0), size - 1) }))],
  },
  {
    id: 'padding_reflected',
    tensors: ALL,
    explanation: 'The padding mirrors the input at its border, where it should be zeros.',
    fix: 'taps in the padding count as 0',
    hidden: 'padding is 0',
    needs: { transposed: false },
    ways: [
      everywhere(() => ({
        outside: (place, size) => {
          const mirrored = place < 0 ? -place : 2 * (size - 1) - place;
          return mirrored >= 0 && mirrored < size ? mirrored : undefined;
        },
      })),
    ],
  },
  {
    id: 'padding_wrapped',
    tensors: ALL,
    explanation: 'The input was taken for a ring: a negative index reads from its far end.',
    fix: 'taps in the padding count as 0',
    hidden: 'padding is 0',
    needs: { transposed: false },
    ways: [
      everywhere(() => ({ outside: (place, size) => ((place % size) + size) % size })),
      everywhere(() => ({ outside: (place, size) => (place < 0 && place + size >= 0 ? place + size : undefined) })),
    ],
  },
  {
    id: 'bias_missing',
    tensors: ['out'],
    explanation: 'The bias was not added.',
    fix: 'out[n, o, p] = bias[o] + …',
    hidden: 'bias is 0',
    ways: [{ given: ({ bias }) => ({ bias: new Float64Array(bias.length) }) }],
  },
  {
    id: 'bias_at_every_tap',
    tensors: ['out'],
    explanation: 'The bias was added for every channel or tap of the sum, not once for each result.',
    fix: 'out[n, o, p] = bias[o] + …',
    hidden: 'bias is 0',
    ways: [
      (s: State) => s.A * s.axes.reduce((all, { kernel }) => all * kernel, 1),
      (s: State) => s.A,
      (s: State) => s.axes.reduce((all, { kernel }) => all * kernel, 1),
    ].map((times) => ({
      steps: { out: (s: State) => s.sums.map((value, i) => value + times(s) * s.bias[channelOf(s, i)]) },
    })),
  },
  {
    id: 'dbias_averaged',
    tensors: ['dbias'],
    explanation: 'dbias is a mean over the batch, or over the places, and not a sum.',
    fix: 'dbias = Σ dout over every axis but the channels',
    ways: [(s: State) => s.N, (s: State) => s.N * places(s), places].map((count) => ({
      steps: { dbias: (s: State) => dbiasOf(s).map((value) => value / count(s)) },
    })),
  },
  {
    id: 'dbias_over_batch_alone',
    tensors: ['dbias'],
    explanation: 'dbias was summed over the batch alone: it has a value for every place.',
    fix: 'dbias = Σ dout over every axis but the channels',
    ways: [
      {
        steps: {
          dbias: (s) => {
            const shape = s.outShape.slice(1);
            const size = sizeOf(shape);
            return tensor(
              shape,
              each(size, (i) => sumOf(s.N, (n) => s.dout[n * size + i])),
            );
          },
        },
      },
    ],
  },
  {
    id: 'dbias_over_other_axes',
    tensors: ['dbias'],
    explanation: 'dbias was summed over other axes: it has a value for each sample, each place, or each plane.',
    fix: 'dbias = Σ dout over every axis but the channels',
    ways: [
      // Kept: the batch; the places; batch and channels.
      (s: State) => ({ shape: s.outShape.slice(0, 1), of: (i: number) => Math.floor(i / (s.outShape[1] * places(s))) }),
      (s: State) => ({ shape: s.outShape.slice(2), of: (i: number) => i % places(s) }),
      (s: State) => ({ shape: s.outShape.slice(0, 2), of: (i: number) => Math.floor(i / places(s)) }),
    ].map((kept) => ({
      steps: {
        dbias: (s: State) => {
          const { shape, of } = kept(s);
          const sums = new Float64Array(sizeOf(shape));
          s.dout.forEach((value, i) => (sums[of(i)] += value));
          return tensor(shape, sums);
        },
      },
    })),
  },
  {
    id: 'dbias_of_one_sample',
    tensors: ['dbias'],
    explanation: 'dbias is that of one sample of the batch, or of one place.',
    fix: 'dbias = Σ dout over every axis but the channels',
    hidden: 'the batch has one sample',
    ways: [
      (s: State, o: number) => sumOf(places(s), (p) => s.dout[((s.N - 1) * s.outShape[1] + o) * places(s) + p]),
      (s: State, o: number) => sumOf(places(s), (p) => s.dout[o * places(s) + p]),
      (s: State, o: number) => s.dout[((s.N - 1) * s.outShape[1] + o) * places(s) + places(s) - 1],
    ].map((of) => ({ steps: { dbias: (s: State) => each(s.outShape[1], (o) => of(s, o)) } })),
  },
];

function given({ inputs, options, upstream }: Call): Given {
  const { x, weight, bias } = inputs as Decoded<typeof ConvolutionInputs>;
  const { dout } = upstream as Partial<Decoded<typeof ConvolutionUpstream>>;
  const { N, C, O, groups, axes, transposed, outputs } = layer.plan(
    inputs as Decoded<typeof ConvolutionInputs>,
    options as Static<typeof ConvolutionOptions>,
  );
  return {
    N,
    groups,
    A: (transposed ? O : C) / groups,
    B: (transposed ? C : O) / groups,
    axes,
    transposed,
    x: x.data,
    weight: weight.data,
    bias: bias?.data ?? new Float64Array(O),
    dout: dout?.data ?? new Float64Array(sizeOf(outputs.out)),
    outShape: outputs.out,
  };
}

export const convolution = defineChecks<Given, Made>({
  layer,
  given,
  steps,
  mistakes,
  axes: (name) => {
    if (name === 'dbias') return ['channel'];
    return name === 'dweight' ? ['output channel', 'input channel', 'tap'] : ['batch', 'channel', 'place'];
  },
  constants({ inputs: { x, weight }, options }) {
    const [N, C] = x.shape;
    const taps = sizeOf(weight.shape.slice(2));
    return { N, C, taps, groups: options.groups as number };
  },
  readings: () => [
    ...['valid', 'same', 'same_lower'].map((value) => ({
      option: 'padding',
      value,
      because: 'a padding of that name',
    })),
    ...[1, 2].map((value) => ({ option: 'dilation', value, because: 'another dilation' })),
    { option: 'groups', value: 1, because: 'all channels see each other' },
  ],
  example(numbers, needs: Options) {
    const [N, C, O, groups, K] = [2, 4, 4, 2, 3];
    const transposed = needs.transposed === true;
    return {
      inputs: {
        x: numbers.tensor([N, C, 5, 6]),
        weight: numbers.tensor([transposed ? C : O, (transposed ? O : C) / groups, K, K]),
        bias: numbers.tensor([O]),
      },
      options: {
        stride: 2,
        padding: [
          [2, 1],
          [1, 2],
        ],
        dilation: [2, 1],
        groups,
        transposed: false,
        output_padding: 0,
        ...needs,
      },
      upstream: ['out'],
    };
  },
});
