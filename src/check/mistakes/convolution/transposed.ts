/** Known mistakes that only a transposed convolution has: in sizes, inserted zeros, padding and orientation. */
import { outputPaddingOf, setupOf, type Setup } from '../../../formulas/layers/convolution.js';
import type { Program } from '../../../formulas/program.js';
import { positionOf, windowTable } from '../../../formulas/windows.js';
import type { Instance } from '../../../layers/instance.js';
import { sizeOf } from '../../../tensor/tensor.js';
import { outputSize, type WindowAxis } from '../../../tensor/windows.js';
import { indexOf } from '../../compare.js';
import { sharing, type Mistake } from '../../define.js';
import type { Misread, Way } from '../../written.js';
import {
  ALL,
  changed,
  exchangedDweight,
  exchangedWeight,
  lastTaps,
  moved,
  outOver,
  overwritten,
  reread,
  type Change,
} from './tables.js';

/** out of another size. */
const sized =
  (change: Change) =>
  (instance: Instance): Program | undefined => {
    const setup = setupOf(instance);
    return outOver(setup, changed(setup, change));
  };

/** Two ways: out has the changed size, or it is cropped to the right size. */
const resized = (change: Change): Way[] => [{ program: sized(change) }, { given: moved(change), only: 'forward' }];

/** Changes the stride, and the size of out accordingly. */
const strided = (stride: (axis: WindowAxis) => number) =>
  resized((axis) => ({ stride: stride(axis), input: axis.input + (axis.output - 1) * (stride(axis) - axis.stride) }));

/** Planes of `sizes` in which each place holds the element of x that `from` names; none outside of x. */
function placed({ x, axes }: Setup, sizes: readonly number[], from: (index: number, axis: number) => number) {
  const own = axes.map(({ output }) => output);
  const [size, smaller] = [sizeOf(sizes), sizeOf(own)];
  const sources = Array.from({ length: size }, (_, place) => {
    const indices = indexOf(place, sizes).map(from);
    const isInside = indices.every((index, axis) => index >= 0 && index < own[axis]);
    return isInside ? indices.reduce((at, index, axis) => at * own[axis] + index, 0) : -1;
  });
  return Float64Array.from({ length: (x.length / smaller) * size }, (_, i) => {
    const source = sources[i % size];
    return source < 0 ? 0 : x[Math.floor(i / size) * smaller + source];
  });
}

/** out from x padded as for a plain convolution, with no padding removed from the result. */
function padded(instance: Instance): Program | undefined {
  const setup = setupOf(instance);
  const sizes = setup.axes.map(({ output, before, after }) => output + before + after);
  const x = placed(setup, sizes, (index, axis) => index - setup.axes[axis].before);
  const axes = changed(setup, ({ input, output, stride, before, after }) => ({
    input: input + (before + after) * (stride + 1),
    output: output + before + after,
    before: 0,
    after: 0,
  }));
  return outOver(setup, axes, x);
}

/** out from x with each element repeated `stride` times, instead of zeros inserted between the elements. */
const repeated = (isCut: boolean) => (instance: Instance) => {
  const setup = setupOf(instance);
  const sizes = setup.axes.map(({ output, stride }) => output * stride);
  const x = placed(setup, sizes, (index, axis) => Math.floor(index / setup.axes[axis].stride));
  const axes = changed(setup, ({ input, output, stride }) => ({
    input: isCut ? input : input + stride - 1,
    output: output * stride,
    stride: 1,
  }));
  return outOver(setup, axes, x);
};

/** A plain convolution of x with the weight, as it lies or with its channels exchanged; undefined if it has no window. */
const plainly = (isExchanged: boolean) => (instance: Instance) => {
  const setup = setupOf(instance);
  const axes = setup.axes.map((axis) => {
    const over = { ...axis, input: axis.output };
    return { ...over, output: outputSize(over) };
  });
  const plain = { ...setup, transposed: false, axes };
  return outOver(isExchanged ? { ...plain, weight: reread(plain) } : plain, axes);
};

/** Whether a position of out along an axis is one that output_padding adds. */
const isAdded = (axis: WindowAxis, added: number, place: number) => place >= axis.input - added;

/** No tap reaches the elements that output_padding adds. */
function withoutAdded(instance: Instance): Misread {
  const setup = setupOf(instance);
  const added = outputPaddingOf(setup);
  const at = windowTable(setup.axes, (axis, p, k, { axis: i }) => {
    const place = positionOf(axis, p, k);
    return isAdded(axis, added[i], place) ? -1 : place;
  });
  return { given: { at } };
}

/** dout with zeros for the elements that output_padding adds. */
function cutDout(instance: Instance): Misread | undefined {
  const setup = setupOf(instance);
  const { axes, dout } = setup;
  const added = outputPaddingOf(setup);
  if (!dout) return undefined;
  const sizes = axes.map(({ input }) => input);
  const size = sizeOf(sizes);
  const isCut = Array.from({ length: size }, (_, place) =>
    indexOf(place, sizes).some((index, axis) => isAdded(axes[axis], added[axis], index)),
  );
  return { given: { dout: Float64Array.from(dout, (value, i) => (isCut[i % size] ? 0 : value)) } };
}

const SIZE = 'size of out = (size of x − 1) · stride − before − after + dilation · (kernel − 1) + output_padding + 1';
const SCATTERED = 'out[p · stride − before + k · dilation] += x[p] · weight[k]';
const GATHERED = 'dx[p] = Σ_k dout[p · stride − before + k · dilation] · weight[k]';

export const transposedMistakes: readonly Mistake[] = sharing({ needs: { transposed: true } }, [
  {
    id: 'output_padding_forgotten',
    tensors: ['out'],
    explanation: 'output_padding was left out of the output size.',
    fix: SIZE,
    hidden: 'output_padding is 0',
    program: sized(({ input }, added) => ({ input: input - added })),
  },
  {
    id: 'output_padding_without_taps',
    tensors: ['out'],
    explanation: 'The elements that output_padding adds were filled with zeros, or only with the bias.',
    fix: 'extend the result before accumulating: taps that reach the added elements contribute to them',
    hidden: 'output_padding is 0, or no tap reaches the added elements',
    ways: [{ formulas: ['out = inner · (sums + bias)'] }, { given: withoutAdded, only: 'forward' }],
  },
  {
    id: 'output_padding_forgotten_in_backward',
    tensors: ['dx', 'dweight', 'dbias'],
    explanation: 'The gradients ignore the elements that output_padding adds to the result.',
    fix: 'use every element of dout, including those at the far end',
    hidden: 'output_padding is 0',
    given: cutDout,
    only: 'backward',
  },
  {
    id: 'padding_not_cropped',
    tensors: ['out'],
    explanation: 'The padding was not removed from the result.',
    fix: `${SIZE}: padding is removed at both ends`,
    hidden: 'padding is 0',
    ways: [false, true].map((isCut) => ({
      program: sized(({ input, before, after }, added) => {
        return { input: input + before + after - (isCut ? added : 0), before: 0, after: 0 };
      }),
    })),
  },
  {
    id: 'padding_added',
    tensors: ['out'],
    explanation: 'x was padded as in a regular convolution; in a transposed one, padding is removed from the result.',
    fix: `${SIZE}: padding makes the result smaller`,
    hidden: 'padding is 0',
    program: padded,
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
    ways: [{ program: repeated(false) }, { program: repeated(true) }],
  },
  {
    id: 'transposed_ignored',
    tensors: ['out'],
    explanation: 'A regular convolution was computed, not a transposed one.',
    fix: SCATTERED,
    ways: [{ program: plainly(true) }, { program: plainly(false) }],
  },
  {
    id: 'out_assigned',
    tensors: ['out'],
    explanation:
      'Where the taps of neighbours overlap, the last one overwrites the result: it is assigned (=) where it should be accumulated (+=).',
    fix: SCATTERED,
    hidden: 'no two taps overlap',
    ways: [
      { given: overwritten('last'), only: 'forward' },
      { given: overwritten('first'), only: 'forward' },
      // Only the last channel remains, too.
      { formulas: ({ inputs }) => [`${'bias' in inputs ? 'sums' : 'out'}[n,from,at] = x · weight`] },
    ],
  },
  {
    id: 'weight_read_as_plain',
    tensors: ALL,
    explanation: 'The weight was read as [O, C/groups, …], which is the layout of a regular convolution.',
    fix: 'transposed, weight is [C, O/groups, *kernel]',
    hidden: 'weight has one input channel or one output channel',
    given: exchangedWeight,
    formulas: exchangedDweight,
  },
  {
    id: 'dx_of_last_tap',
    tensors: ['dx'],
    explanation:
      'dx is the contribution of only the last tap and channel: it is assigned (=) where it should be accumulated (+=).',
    fix: `${GATHERED}, summed over the channels of out too`,
    hidden: 'each element of dx is a sum of one term',
    given: lastTaps,
    formulas: ['dx = last_a Σ_k dout[n,from,at] · weight'],
    only: 'backward',
  },
  {
    id: 'dx_of_plain_convolution',
    tensors: ['dx'],
    explanation: 'dx was scattered, as in a regular convolution.',
    fix: `${GATHERED}, a regular convolution of dout`,
    ways: ['weight', 'weight[row,column,k]'].map((weight) => ({
      formulas: [`dx[n,o,seen] += dout[n,from,q] · ${weight}`],
    })),
  },
  {
    id: 'dweight_of_plain_convolution',
    tensors: ['dweight'],
    explanation: 'dweight was computed over windows of x, as in a regular convolution.',
    fix: 'dweight[c, o, k] = Σ_n Σ_p x[n, c, p] · dout[n, o, p · stride − before + k · dilation]',
    ways: ['dweight[o,a,k] = Σ_nq', 'dweight[row,column,k] +='].map((sum) => ({
      formulas: [`${sum} dout[n,from,q] · x[n,o,seen]`],
    })),
  },
]);
