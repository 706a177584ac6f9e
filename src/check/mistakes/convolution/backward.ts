/** Mistakes in the gradients of a convolution, plain or transposed, whose forward is right. */
import { sizeOf, tensor } from '../../../tensor/tensor.js';
import { each, sumOf } from '../../arrays.js';
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
} from './walk.js';

/** What sums are divided by to make means of them: out's places are not its windows when it is transposed. */
const COUNTS = [(s: State) => s.N, (s: State) => s.N * places(s), places, (s: State) => s.N * windows(s), windows];

/** dx with `=` for `+=`, all channels together: each window overwrites what an earlier one left. */
function overwritten(s: State): Float64Array {
  const last = new Int32Array(s.x.length).fill(-1);
  const P = windows(s);
  // Windows in row-major order: the last one that a place lies in stays.
  s.walkDx((f, w) => {
    last[f] = Math.max(last[f], w % P);
  });
  return gathered(s.x.length, s.walkDx, (into, f, w, k) => {
    if (w % P === last[f]) into[f] += s.dout[w] * s.weight[k];
  });
}

/** dx of the padded input, out of which it should have been cut. */
function uncropped(s: State) {
  const axes = s.axes.map((axis) => ({ ...axis, input: axis.input + axis.before + axis.after, before: 0, after: 0 }));
  const shape = [s.N, s.groups * s.A, ...spatial(axes, 'input')];
  const dx = gathered(sizeOf(shape), walking({ ...s, axes }), (into, f, w, k) => (into[f] += s.dout[w] * s.weight[k]));
  return tensor(shape, dx);
}

export const backwardMistakes: readonly Mistake<Given, Made>[] = [
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
    id: 'dx_not_cropped',
    tensors: ['dx'],
    explanation: 'dx is that of the padded input: the padding was left on.',
    fix: 'cut the padding off: dx has the shape of x',
    hidden: 'padding is 0',
    needs: { transposed: false },
    ways: [{ steps: { dx: uncropped } }],
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
    ways: COUNTS.map((count) => ({
      steps: { dweight: (s: State) => steps.dweight(s).map((value) => value / count(s)) },
    })),
  },
  {
    id: 'dx_kernel_flipped',
    tensors: ['dx'],
    explanation: 'dx was computed with the kernel turned where it should not be, or not turned where it should be.',
    fix: 'dx[p · stride − before + k · dilation] += dout[p] · weight[k]; transposed, dx[p] = Σ_k dout[p · stride − before + k · dilation] · weight[k]',
    hidden: 'the kernel is symmetric',
    ways: [{ steps: { walkDx: (s) => walking(s, { tap: turned }) } }],
  },
  {
    id: 'dweight_reversed',
    tensors: ['dweight'],
    explanation: 'dweight is turned by 180°.',
    fix: 'dweight[k] = Σ_p dout[p] · x[p · stride − before + k · dilation]; transposed, x and dout change places',
    hidden: 'dweight is symmetric',
    ways: [{ steps: { walkDweight: (s) => walking(s, { tap: turned }) } }],
  },
  {
    id: 'dweight_channels_exchanged',
    tensors: ['dweight'],
    explanation: 'In- and out-channels of dweight were exchanged.',
    fix: 'dweight is of the shape of weight: [O, C/groups, *kernel], and [C, O/groups, *kernel] when transposed',
    hidden: 'there is one channel on one of the sides',
    ways: [{ steps: { walkDweight: (s) => walking(s, { plane: (b, a) => planeExchanged(s, b, a) }) } }],
  },
  {
    id: 'groups_ignored_in_backward',
    tensors: BACKWARD,
    explanation: 'The gradients mix the groups: every group adds to the channels of the first one, or reads them.',
    fix: 'group g gives to the channels from g · C/groups on alone, and reads those from g · O/groups on',
    hidden: 'groups is 1',
    ways: [
      backward(() => ({ foldedChannel: (_, a) => a })),
      backward(() => ({ windowedChannel: (_, b) => b })),
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
    id: 'padding_side_in_backward',
    tensors: BACKWARD,
    explanation: 'Backward takes the pad after the input for the one before it.',
    fix: 'the place of tap k of window p is p · stride − before + k · dilation, as in forward',
    hidden: 'both pads are alike',
    ways: [backward((s) => axesWith(s, ({ before, after }) => ({ before: after, after: before })))],
  },
  {
    id: 'dbias_averaged',
    tensors: ['dbias'],
    explanation: 'dbias is a mean over the batch, or over the places, and not a sum.',
    fix: 'dbias = Σ dout over every axis but the channels',
    ways: COUNTS.map((count) => ({
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
