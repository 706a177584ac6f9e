/** Mistakes in the gradients of a convolution, plain or transposed, whose forward pass is right. */
import { sizeOf, tensor } from '../../../tensor/tensor.js';
import type { WindowAxis } from '../../../tensor/windows.js';
import { each, scaled, sumOf } from '../../arrays.js';
import type { Mistake } from '../../definition.js';
import {
  axesWith,
  backward,
  BACKWARD,
  dbiasOf,
  dweightOf,
  dxOf,
  gathered,
  places,
  planeExchanged,
  spatial,
  steps,
  turned,
  walking,
  windows,
  type Given,
  type Made,
  type State,
  type Walk,
} from './walk.js';

/** Divisors that turn sums into means. When transposed, the positions of out are not the windows. */
const COUNTS = [(s: State) => s.N, (s: State) => s.N * places(s), places, (s: State) => s.N * windows(s), windows];

/** dx with `=` instead of `+=`, all channels together: each window overwrites the result of earlier ones. */
function overwritten(s: State): Float64Array {
  const last = new Int32Array(s.x.length).fill(-1);
  const P = windows(s);
  // Windows are in row-major order; the last one that covers a position remains.
  s.walkDx((f, w) => {
    last[f] = Math.max(last[f], w % P);
  });
  return gathered(s.x.length, s.walkDx, (into, f, w, k) => {
    if (w % P === last[f]) into[f] += s.dout[w] * s.weight[k];
  });
}

/** dx of the padded input, with the padding not removed. */
function uncropped(s: State) {
  const axes = s.axes.map((axis) => ({ ...axis, input: axis.input + axis.before + axis.after, before: 0, after: 0 }));
  const shape = [s.N, s.groups * s.A, ...spatial(axes, 'input')];
  const dx = gathered(sizeOf(shape), walking({ ...s, axes }), (into, f, w, k) => (into[f] += s.dout[w] * s.weight[k]));
  return tensor(shape, dx);
}

/** Every channel accumulates from all groups. */
const mixingGroups =
  (s: State): Walk =>
  (visit) => {
    for (let shift = 0; shift < s.groups; shift++)
      walking(s, { foldedChannel: (g, a) => ((g + shift) % s.groups) * s.A + a })(visit);
  };

const PLACE_OF_TAP = 'tap k of window p is at p · stride − before + k · dilation, as in forward';

const forgotten = (option: string, explanation: string, change: Partial<WindowAxis>): Mistake<Given, Made> => ({
  id: `${option}_forgotten_in_backward`,
  tensors: BACKWARD,
  explanation,
  fix: PLACE_OF_TAP,
  hidden: `${option} is ${option === 'padding' ? 0 : 1}`,
  ...backward((s) => axesWith(s, () => change)),
});

export const backwardMistakes: readonly Mistake<Given, Made>[] = [
  forgotten('stride', 'Backward places window p at p, not at p · stride.', { stride: 1 }),
  forgotten('padding', 'Backward ignores the padding: the gradient is shifted.', { before: 0 }),
  forgotten('dilation', 'Backward treats the taps of the kernel as adjacent.', { dilation: 1 }),
  {
    id: 'dx_assigned',
    tensors: ['dx'],
    explanation:
      'Where windows overlap, the last one overwrites dx: it is assigned (=) where it should be accumulated (+=).',
    fix: 'add the contribution of every window to dx',
    hidden: 'windows do not overlap',
    needs: { transposed: false },
    ways: [{ steps: { dx: overwritten } }, { steps: { dx: (s) => dxOf(s, s.walkDx, true) } }],
  },
  {
    id: 'dx_not_cropped',
    tensors: ['dx'],
    explanation: 'dx is the gradient of the padded input: the padding was not removed.',
    fix: 'remove the padding: dx has the shape of x',
    hidden: 'padding is 0',
    needs: { transposed: false },
    steps: { dx: uncropped },
  },
  {
    id: 'dweight_assigned',
    tensors: ['dweight'],
    explanation:
      'dweight was computed from the last window only: it is assigned (=) where it should be accumulated (+=).',
    fix: 'dweight = Σ dout · x, over batch and windows',
    steps: { dweight: (s) => dweightOf(s, s.walkDweight, true) },
  },
  {
    id: 'dweight_of_one_sample',
    tensors: ['dweight'],
    explanation: 'dweight was computed from one sample of the batch.',
    fix: 'dweight = Σ dout · x, over batch and windows',
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
    fix: 'dweight = Σ dout · x, over batch and windows; averaging belongs to the loss, not to the layer',
    hidden: 'the batch has one sample',
    ways: COUNTS.map((count) => ({ steps: scaled(steps, ['dweight'], (s: State) => 1 / count(s)) })),
  },
  {
    id: 'dx_kernel_flipped',
    tensors: ['dx'],
    explanation: 'dx was computed with the kernel in the wrong orientation: it is rotated by 180°.',
    fix: 'pair tap k of the window with the same element of the kernel as in forward',
    hidden: 'the kernel is symmetric',
    steps: { walkDx: (s) => walking(s, { tap: turned }) },
  },
  {
    id: 'dweight_reversed',
    tensors: ['dweight'],
    explanation: 'dweight is rotated by 180°.',
    fix: 'pair tap k of the window with the same element of the kernel as in forward',
    hidden: 'dweight is symmetric',
    steps: { walkDweight: (s) => walking(s, { tap: turned }) },
  },
  {
    id: 'dweight_channels_exchanged',
    tensors: ['dweight'],
    explanation: 'The input and output channels of dweight were swapped.',
    fix: 'dweight has the axes of weight, in the same order',
    hidden: 'weight has one input channel or one output channel',
    steps: { walkDweight: (s) => walking(s, { plane: (b, a) => planeExchanged(s, b, a) }) },
  },
  {
    id: 'groups_ignored_in_backward',
    tensors: BACKWARD,
    explanation: 'The gradients mix the groups: every group writes to, or reads, the channels of the first group.',
    fix: 'group g writes only to the channels starting at g · C/groups, and reads those starting at g · O/groups',
    hidden: 'groups is 1',
    ways: [
      backward(() => ({ foldedChannel: (_, a) => a })),
      backward(() => ({ windowedChannel: (_, b) => b })),
      { steps: { walkDx: mixingGroups, walkDweight: mixingGroups } },
    ],
  },
  {
    id: 'padding_side_in_backward',
    tensors: BACKWARD,
    explanation: 'Backward uses the pad after the input as the one before it.',
    fix: PLACE_OF_TAP,
    hidden: 'both pads are equal',
    ...backward((s) => axesWith(s, ({ before, after }) => ({ before: after, after: before }))),
  },
  {
    id: 'dbias_averaged',
    tensors: ['dbias'],
    explanation: 'dbias is a mean over the batch or over the spatial positions, not a sum.',
    fix: 'dbias = Σ dout, over every axis except the channels',
    ways: COUNTS.map((count) => ({ steps: scaled({ dbias: dbiasOf }, ['dbias'], (s: State) => 1 / count(s)) })),
  },
  {
    id: 'dbias_over_batch_alone',
    tensors: ['dbias'],
    explanation: 'dbias was summed only over the batch: it has one value per spatial position.',
    fix: 'dbias = Σ dout, over every axis except the channels',
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
  {
    id: 'dbias_over_other_axes',
    tensors: ['dbias'],
    explanation:
      'dbias was summed over the wrong axes: it has one value per sample, per spatial position or per plane.',
    fix: 'dbias = Σ dout, over every axis except the channels',
    ways: [
      // Axes that remain: the batch; the spatial axes; batch and channels.
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
    explanation: 'dbias was computed from one sample of the batch, or from one spatial position.',
    fix: 'dbias = Σ dout, over every axis except the channels',
    hidden: 'the batch has one sample',
    ways: [
      (s: State, o: number) => sumOf(places(s), (p) => s.dout[((s.N - 1) * s.outShape[1] + o) * places(s) + p]),
      (s: State, o: number) => sumOf(places(s), (p) => s.dout[o * places(s) + p]),
      (s: State, o: number) => s.dout[((s.N - 1) * s.outShape[1] + o) * places(s) + places(s) - 1],
    ].map((of) => ({ steps: { dbias: (s: State) => each(s.outShape[1], (o) => of(s, o)) } })),
  },
];
