/** Mistakes that a transposed convolution alone has: what it inserts, adds and cuts off, and what is turned about. */
import { sizeOf, tensor, type Tensor } from '../../../tensor/tensor.js';
import { outputSize, type WindowAxis } from '../../../tensor/windows.js';
import type { Mistake } from '../../definition.js';
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

/** Added by the request to the far end of axis `at`. */
type Change = (axis: WindowAxis, added: number) => Partial<WindowAxis>;

const changed = (s: Given, change: Change) =>
  s.axes.map((axis, at) => ({ ...axis, ...change(axis, s.outputPadding[at]) }));

/** Out in another size, or with taps elsewhere; nothing where no element is left of it. */
function outOf(s: Given, axes: readonly WindowAxis[], x = s.x, habits: Habits = {}): Tensor | undefined {
  const shape = [...s.outShape.slice(0, 2), ...spatial(axes, 'input')];
  if (shape.some((size) => size < 1)) return undefined;
  const other: Given = { ...s, x, axes, outShape: shape };
  return tensor(shape, biased(other, sumsOf(other, walking(other, habits))));
}

/** The size is that of the other steps, or the right one, with what lies beyond cut off. */
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

/** What a stride of another size makes of the size. */
const strided = (stride: (axis: WindowAxis) => number) =>
  resized((axis) => ({ stride: stride(axis), input: axis.input + (axis.output - 1) * (stride(axis) - axis.stride) }));

/** x in planes of `sizes`, each element at the places that `put` gives for it. */
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

/** x padded as for a plain convolution; nothing is cut off the result. */
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

/** x with each of its elements repeated `stride` times, where zeros belong between them. */
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

/** A plain convolution of x with the weight; nothing where it has no window. */
const plainly = (plane?: (s: Given, b: number, a: number) => number) => (s: State) => {
  const axes = s.axes.map((axis) => {
    const over = { ...axis, input: axis.output };
    return { ...over, output: outputSize(over) };
  });
  if (axes.some(({ output }) => output < 1)) return undefined;
  // x is on the folded side now: the channels of the two change places.
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

/** Taps of the gradients as those of a plain convolution: a window of out reads x at p · stride − before + k · dilation. */
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

/** Out with = for +=, before the bias: of the windows that reach a place the last one stays, or the first. */
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

const needs = { transposed: true };

const SIZE = 'size of out = (size of x − 1) · stride − before − after + dilation · (kernel − 1) + output_padding + 1';
const SCATTERED = 'out[p · stride − before + k · dilation] += x[p] · weight[k]';
const GATHERED = 'dx[p] = Σ_k dout[p · stride − before + k · dilation] · weight[k]';

export const transposedMistakes: readonly Mistake<Given, Made>[] = [
  {
    id: 'output_padding_forgotten',
    tensors: ['out'],
    explanation: 'output_padding was left out of the size of the result.',
    fix: SIZE,
    hidden: 'output_padding is 0',
    needs,
    ways: [
      {
        steps: {
          out: (s) =>
            outOf(
              s,
              changed(s, ({ input }, added) => ({ input: input - added })),
            ),
        },
      },
    ],
  },
  {
    id: 'output_padding_before',
    tensors: ALL,
    explanation: 'output_padding was added before the first element: everything is shifted.',
    fix: 'output_padding adds to the far end: out begins where it would without',
    hidden: 'output_padding is 0',
    needs,
    ways: [everywhere((s) => axesWith(s, ({ before }, at) => ({ before: before - s.outputPadding[at] })))],
  },
  {
    id: 'output_padding_without_taps',
    tensors: ['out'],
    explanation: 'What output_padding adds was filled with zeros, or with the bias alone.',
    fix: 'output_padding makes the result longer, before it is filled: taps that reach so far count there too',
    hidden: 'output_padding is 0, or no tap reaches what it adds',
    needs,
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
    explanation: 'The gradients leave out what output_padding added to the result.',
    fix: 'every element of dout counts, those at the far end too',
    hidden: 'output_padding is 0',
    needs,
    ways: [
      {
        given: (given) => {
          const added = isAdded(given);
          return { dout: given.dout.map((value, i) => (added(i) ? 0 : value)) };
        },
      },
    ],
  },
  {
    id: 'padding_not_cropped',
    tensors: ['out'],
    explanation: 'The padding was not cut off the result.',
    fix: `${SIZE}: padding is what is cut off at both ends`,
    hidden: 'padding is 0',
    needs,
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
    explanation: 'The padding of both ends was cut off one of them: everything is shifted.',
    fix: 'cut the first pad off the beginning of the result, and the second off its end',
    hidden: 'padding is 0',
    needs,
    ways: [
      everywhere((s) => axesWith(s, () => ({ before: 0 }))),
      everywhere((s) => axesWith(s, ({ before, after }) => ({ before: before + after }))),
    ],
  },
  {
    id: 'padding_added',
    tensors: ['out'],
    explanation: 'x was padded as for a plain convolution, where the padding is cut off the result.',
    fix: `${SIZE}: padding makes the result smaller`,
    hidden: 'padding is 0',
    needs,
    ways: [{ steps: { out: padded } }],
  },
  {
    id: 'inserted_zeros_padded_by_padding',
    tensors: ['out'],
    explanation: 'x with zeros inserted was padded by padding itself before the kernel slid over it.',
    fix: 'pad by dilation · (kernel − 1) − padding, and by output_padding more after it',
    hidden: 'padding is half of dilation · (kernel − 1)',
    needs,
    ways: resized(({ input, before, after, kernel, dilation }) => {
      const reach = dilation * (kernel - 1);
      return { before: reach - before, after: reach - after, input: input + 2 * (before + after - reach) };
    }),
  },
  {
    id: 'zeros_not_inserted',
    tensors: ['out'],
    explanation: 'Stride was ignored: no zeros were inserted between the elements of x.',
    fix: `${SCATTERED}: stride − 1 zeros stand between the elements of x`,
    hidden: 'stride is 1',
    needs,
    ways: strided(() => 1),
  },
  {
    id: 'one_zero_too_many',
    tensors: ['out'],
    explanation: 'stride zeros were inserted between the elements of x, which is one too many.',
    fix: `${SCATTERED}: stride − 1 zeros stand between the elements of x`,
    hidden: 'x has one element along every axis',
    needs,
    ways: strided(({ stride }) => stride + 1),
  },
  {
    id: 'repeated_for_inserted',
    tensors: ['out'],
    explanation: 'Each element of x was repeated stride times, where zeros belong between them.',
    fix: `${SCATTERED}: stride − 1 zeros stand between the elements of x`,
    hidden: 'stride is 1',
    needs,
    ways: [{ steps: { out: repeated(false) } }, { steps: { out: repeated(true) } }],
  },
  {
    id: 'transposed_ignored',
    tensors: ['out'],
    explanation: 'A plain convolution was computed.',
    fix: SCATTERED,
    needs,
    ways: [{ steps: { out: plainly(planeExchanged) } }, { steps: { out: plainly() } }],
  },
  {
    id: 'out_assigned',
    tensors: ['out'],
    explanation: 'Where the taps of neighbours meet, the later one overwrites the result: = stands where += belongs.',
    fix: SCATTERED,
    hidden: 'no two taps meet: stride is not less than the kernel',
    needs,
    ways: [
      { steps: { sums: overwritten((window, kept) => window > kept) } },
      { steps: { sums: overwritten((window, kept) => window < kept) } },
      // Of the channels too the last one stays.
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
      'The kernel lies turned by 180°: it slid over x with zeros inserted as it is, or was turned once too often.',
    fix: `${SCATTERED}; as a kernel that slides over x with zeros inserted, it has to be turned by 180°`,
    hidden: 'the kernel is symmetric',
    needs,
    ways: [everywhere(() => ({ tap: turned }))],
  },
  {
    id: 'weight_read_as_plain',
    tensors: ALL,
    explanation: 'The weight was read as [O, C/groups, …], which is the layout of a plain convolution.',
    fix: 'transposed, weight is [C, O/groups, *kernel]',
    hidden: 'there is one channel on one of the sides',
    needs,
    ways: [everywhere((s) => ({ plane: (b, a) => planeExchanged(s, b, a) }))],
  },
  {
    id: 'dx_of_last_tap',
    tensors: ['dx'],
    explanation: 'dx is what its last tap and channel give alone: = stands where += belongs.',
    fix: `${GATHERED}, over the channels of out too`,
    hidden: 'the kernel has one tap, and a group one output channel',
    needs,
    ways: [{ steps: { dx: (s) => dxOf(s, s.walkDx, true) } }],
  },
  {
    id: 'dx_of_plain_convolution',
    tensors: ['dx'],
    explanation: 'dx was spread over places as that of a plain convolution is.',
    fix: `${GATHERED}: it is a plain convolution of dout`,
    needs,
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
    explanation: 'dweight was taken over windows of x, as that of a plain convolution is.',
    fix: 'dweight[c, o, k] = Σ_n Σ_p x[n, c, p] · dout[n, o, p · stride − before + k · dilation]',
    needs,
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
];
