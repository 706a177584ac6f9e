/** Mistakes that only a transposed convolution has: in sizes, inserted zeros, padding and orientation. */
import { sizeOf, tensor, type Tensor } from '../../../tensor/tensor.js';
import { outputSize, type WindowAxis } from '../../../tensor/windows.js';
import { sharing, type Mistake } from '../../definition.js';
import {
  ALL,
  axesWith,
  biased,
  channelOf,
  dxOf,
  eachPlace,
  everywhere,
  gathered,
  indexIn,
  places,
  planeExchanged,
  spatial,
  sumsOf,
  turned,
  walking,
  type Given,
  type Habits,
  type Made,
  type State,
} from './walk.js';

/** Changes an axis; `added` is what output_padding adds to its far end. */
type Change = (axis: WindowAxis, added: number) => Partial<WindowAxis>;

const changed = (s: Given, change: Change) =>
  s.axes.map((axis, at) => ({ ...axis, ...change(axis, s.outputPadding[at]) }));

/** out with another size or other taps; undefined if it would have no elements. */
function outOf(s: Given, axes: readonly WindowAxis[], x = s.x, habits: Habits = {}): Tensor | undefined {
  const shape = [...s.outShape.slice(0, 2), ...spatial(axes, 'input')];
  if (shape.some((size) => size < 1)) return undefined;
  const other: Given = { ...s, x, axes, outShape: shape };
  return tensor(shape, biased(other, sumsOf(other, walking(other, habits))));
}

/** Two ways: out has the changed size, or it is cropped to the right size. */
const resized = (change: Change) => [
  { steps: { out: (s: State) => outOf(s, changed(s, change)) } },
  {
    steps: {
      out: (s: State) =>
        outOf(
          s,
          changed(s, (axis, added) => ({ ...change(axis, added), input: axis.input })),
        ),
    },
  },
];

/** Changes the stride, and the size of out accordingly. */
const strided = (stride: (axis: WindowAxis) => number) =>
  resized((axis) => ({ stride: stride(axis), input: axis.input + (axis.output - 1) * (stride(axis) - axis.stride) }));

/** Copies x to planes of `sizes`, each element to the positions that `put` chooses. */
function placed(
  s: Given,
  sizes: readonly number[],
  put: (place: readonly number[], at: (to: number[]) => void) => void,
) {
  const from = spatial(s.axes, 'output');
  const [size, smaller] = [sizeOf(sizes), sizeOf(from)];
  const planes = s.x.length / smaller;
  const values = new Float64Array(planes * size);
  eachPlace(from, (place, p) => {
    put(place, (to) => {
      const at = indexIn(sizes, to);
      for (let plane = 0; plane < planes; plane++) values[plane * size + at] = s.x[plane * smaller + p];
    });
  });
  return values;
}

/** out from x padded as for a plain convolution, with no padding removed from the result. */
function padded(s: State): Tensor | undefined {
  const sizes = s.axes.map(({ output, before, after }) => output + before + after);
  const x = placed(s, sizes, (place, at) => {
    at(place.map((index, axis) => index + s.axes[axis].before));
  });
  const axes = changed(s, ({ input, output, stride, before, after }) => ({
    input: input + (before + after) * (stride + 1),
    output: output + before + after,
    before: 0,
    after: 0,
  }));
  return outOf(s, axes, x);
}

/** out from x with each element repeated `stride` times, instead of zeros inserted between the elements. */
const repeated = (cut: boolean) => (s: State) => {
  const sizes = s.axes.map(({ output, stride }) => output * stride);
  const x = placed(s, sizes, (place, at) => {
    eachPlace(
      s.axes.map(({ stride }) => stride),
      (shift) => {
        at(place.map((index, axis) => index * s.axes[axis].stride + shift[axis]));
      },
    );
  });
  const axes = changed(s, ({ input, output, stride }) => ({
    input: cut ? input : input + stride - 1,
    output: output * stride,
    stride: 1,
  }));
  return outOf(s, axes, x);
};

/** A plain convolution of x with the weight; undefined if it has no window. */
const plainly = (plane?: (s: Given, b: number, a: number) => number) => (s: State) => {
  const axes = s.axes.map((axis) => {
    const over = { ...axis, input: axis.output };
    return { ...over, output: outputSize(over) };
  });
  if (axes.some(({ output }) => output < 1)) return undefined;
  // x is now on the folded side, so A and B are swapped.
  const other: Given = {
    ...s,
    axes,
    transposed: false,
    A: s.B,
    B: s.A,
    outShape: [...s.outShape.slice(0, 2), ...spatial(axes, 'output')],
  };
  const walk = walking(other, { plane: (b, a) => (plane ? plane(other, b, a) : b * s.B + a) });
  return tensor(other.outShape, biased(other, sumsOf(other, walk)));
};

/** Walks the gradients as for a plain convolution: window p of out reads x at p · stride − before + k · dilation. */
function gradientWalk(s: State, exchanged: boolean, visit: (x: number, dout: number, weight: number) => void): void {
  const axes = s.axes.map((axis) => ({ ...axis, input: axis.output, output: axis.input }));
  const other: Given = { ...s, axes, A: s.B, B: s.A };
  walking(other, exchanged ? {} : { plane: (b, a) => planeExchanged(other, b, a) })(visit);
}

/** Whether element `i` of out is one of those that output_padding adds. */
function isAdded(s: Given): (i: number) => boolean {
  const P = places(s);
  const added = new Uint8Array(P);
  eachPlace(spatial(s.axes, 'input'), (place, p) => {
    if (place.some((index, axis) => index >= s.axes[axis].input - s.outputPadding[axis])) added[p] = 1;
  });
  return (i) => added[i % P] === 1;
}

/** out before the bias, with = instead of +=: only the last, or the first, window that reaches a position remains. */
const overwritten = (later: (window: number, kept: number) => boolean) => (s: State) => {
  const kept = new Int32Array(sizeOf(s.outShape)).fill(-1);
  const P = sizeOf(spatial(s.axes, 'output'));
  s.walk((f, w) => {
    if (kept[f] < 0 || later(w % P, kept[f])) kept[f] = w % P;
  });
  return gathered(kept.length, s.walk, (into, f, w, k) => {
    if (w % P === kept[f]) into[f] += s.x[w] * s.weight[k];
  });
};

const SIZE = 'size of out = (size of x − 1) · stride − before − after + dilation · (kernel − 1) + output_padding + 1';
const SCATTERED = 'out[p · stride − before + k · dilation] += x[p] · weight[k]';
const GATHERED = 'dx[p] = Σ_k dout[p · stride − before + k · dilation] · weight[k]';

export const transposedMistakes: readonly Mistake<Given, Made>[] = sharing({ needs: { transposed: true } }, [
  {
    id: 'output_padding_forgotten',
    tensors: ['out'],
    explanation: 'output_padding was left out of the output size.',
    fix: SIZE,
    hidden: 'output_padding is 0',
    steps: {
      out: (s) =>
        outOf(
          s,
          changed(s, ({ input }, added) => ({ input: input - added })),
        ),
    },
  },
  {
    id: 'output_padding_before',
    tensors: ALL,
    explanation: 'output_padding was added at the start: everything is shifted.',
    fix: 'extend only the far end by output_padding; the start of out does not move',
    hidden: 'output_padding is 0',
    ...everywhere((s) => axesWith(s, ({ before }, at) => ({ before: before - s.outputPadding[at] }))),
  },
  {
    id: 'output_padding_without_taps',
    tensors: ['out'],
    explanation: 'The elements that output_padding adds were filled with zeros, or only with the bias.',
    fix: 'extend the result before accumulating: taps that reach the added elements contribute to them',
    hidden: 'output_padding is 0, or no tap reaches the added elements',
    ways: [() => 0, (s: State, i: number) => s.bias[channelOf(s, i)]].map((fill) => ({
      steps: {
        out: (s: State) => {
          const added = isAdded(s);
          return biased(s, s.sums).map((value, i) => (added(i) ? fill(s, i) : value));
        },
      },
    })),
  },
  {
    id: 'output_padding_forgotten_in_backward',
    tensors: ['dx', 'dweight', 'dbias'],
    explanation: 'The gradients ignore the elements that output_padding adds to the result.',
    fix: 'use every element of dout, including those at the far end',
    hidden: 'output_padding is 0',
    given: (given) => {
      const added = isAdded(given);
      return { dout: given.dout.map((value, i) => (added(i) ? 0 : value)) };
    },
  },
  {
    id: 'padding_not_cropped',
    tensors: ['out'],
    explanation: 'The padding was not removed from the result.',
    fix: `${SIZE}: padding is removed at both ends`,
    hidden: 'padding is 0',
    ways: [
      (axis: WindowAxis) => axis.input + axis.before + axis.after,
      (axis: WindowAxis, added: number) => axis.input + axis.before + axis.after - added,
    ].map((input) => ({
      steps: {
        out: (s: State) =>
          outOf(
            s,
            changed(s, (axis, added) => ({ input: input(axis, added), before: 0, after: 0 })),
          ),
      },
    })),
  },
  {
    id: 'padding_cropped_at_one_end',
    tensors: ALL,
    explanation: 'The padding of both ends was removed from one of them: everything is shifted.',
    fix: 'remove the first pad from the start of the result, and the second from its end',
    hidden: 'padding is 0',
    ways: [
      everywhere((s) => axesWith(s, () => ({ before: 0 }))),
      everywhere((s) => axesWith(s, ({ before, after }) => ({ before: before + after }))),
    ],
  },
  {
    id: 'padding_added',
    tensors: ['out'],
    explanation: 'x was padded as in a regular convolution; in a transposed one, padding is removed from the result.',
    fix: `${SIZE}: padding makes the result smaller`,
    hidden: 'padding is 0',
    steps: { out: padded },
  },
  {
    id: 'inserted_zeros_padded_by_padding',
    tensors: ['out'],
    explanation: 'x with zeros inserted got a border of zeros of the wrong width.',
    fix: 'make it dilation · (kernel − 1) − padding zeros wide on each side',
    hidden: 'both amounts are equal',
    concerns: [],
    ways: resized(({ input, before, after, kernel, dilation }) => {
      const reach = dilation * (kernel - 1);
      return { before: reach - before, after: reach - after, input: input + 2 * (before + after - reach) };
    }),
  },
  {
    id: 'zeros_not_inserted',
    tensors: ['out'],
    explanation: 'Stride was ignored: no zeros were inserted between the elements of x.',
    fix: SCATTERED,
    hidden: 'stride is 1',
    ways: strided(() => 1),
  },
  {
    id: 'one_zero_too_many',
    tensors: ['out'],
    explanation: 'One zero too many was inserted between the elements of x.',
    fix: SCATTERED,
    hidden: 'x has one element along every axis',
    ways: strided(({ stride }) => stride + 1),
  },
  {
    id: 'repeated_for_inserted',
    tensors: ['out'],
    explanation: 'Each element of x was repeated stride times; zeros should be inserted between the elements instead.',
    fix: SCATTERED,
    hidden: 'stride is 1',
    ways: [{ steps: { out: repeated(false) } }, { steps: { out: repeated(true) } }],
  },
  {
    id: 'transposed_ignored',
    tensors: ['out'],
    explanation: 'A regular convolution was computed, not a transposed one.',
    fix: SCATTERED,
    ways: [{ steps: { out: plainly(planeExchanged) } }, { steps: { out: plainly() } }],
  },
  {
    id: 'out_assigned',
    tensors: ['out'],
    explanation:
      'Where the taps of neighbours overlap, the last one overwrites the result: it is assigned (=) where it should be accumulated (+=).',
    fix: SCATTERED,
    hidden: 'no two taps overlap',
    ways: [
      { steps: { sums: overwritten((window, kept) => window > kept) } },
      { steps: { sums: overwritten((window, kept) => window < kept) } },
      // Only the last channel remains, too.
      {
        steps: {
          sums: (s) => gathered(sizeOf(s.outShape), s.walk, (into, f, w, k) => (into[f] = s.x[w] * s.weight[k])),
        },
      },
    ],
  },
  {
    id: 'kernel_not_turned',
    tensors: ALL,
    explanation:
      'The kernel is rotated by 180°: it was slid over x with zeros inserted without rotating it, or was rotated once too often.',
    fix: `${SCATTERED}; to slide the kernel over x with zeros inserted, rotate it by 180° first`,
    hidden: 'the kernel is symmetric',
    ...everywhere(() => ({ tap: turned })),
  },
  {
    id: 'weight_read_as_plain',
    tensors: ALL,
    explanation: 'The weight was read as [O, C/groups, …], which is the layout of a regular convolution.',
    fix: 'transposed, weight is [C, O/groups, *kernel]',
    hidden: 'weight has one input channel or one output channel',
    ...everywhere((s) => ({ plane: (b, a) => planeExchanged(s, b, a) })),
  },
  {
    id: 'dx_of_last_tap',
    tensors: ['dx'],
    explanation:
      'dx is the contribution of only the last tap and channel: it is assigned (=) where it should be accumulated (+=).',
    fix: `${GATHERED}, summed over the channels of out too`,
    hidden: 'each element of dx is a sum of one term',
    steps: { dx: (s) => dxOf(s, s.walkDx, true) },
  },
  {
    id: 'dx_of_plain_convolution',
    tensors: ['dx'],
    explanation: 'dx was scattered, as in a regular convolution.',
    fix: `${GATHERED}, a regular convolution of dout`,
    ways: [false, true].map((exchanged) => ({
      steps: {
        dx: (s: State) => {
          const dx = new Float64Array(s.x.length);
          gradientWalk(s, exchanged, (x, dout, weight) => (dx[x] += s.dout[dout] * s.weight[weight]));
          return dx;
        },
      },
    })),
  },
  {
    id: 'dweight_of_plain_convolution',
    tensors: ['dweight'],
    explanation: 'dweight was computed over windows of x, as in a regular convolution.',
    fix: 'dweight[c, o, k] = Σ_n Σ_p x[n, c, p] · dout[n, o, p · stride − before + k · dilation]',
    ways: [false, true].map((exchanged) => ({
      steps: {
        dweight: (s: State) => {
          const dweight = new Float64Array(s.weight.length);
          gradientWalk(s, exchanged, (x, dout, weight) => (dweight[weight] += s.dout[dout] * s.x[x]));
          return dweight;
        },
      },
    })),
  },
]);
