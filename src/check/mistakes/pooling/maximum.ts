/** Mistakes in a maximum, and in its position. */
import { sizeOf } from '../../../tensor/tensor.js';
import { each } from '../../arrays.js';
import { indexOf } from '../../compare.js';
import { sharing, type Mistake } from '../../definition.js';
import {
  best,
  greater,
  inside,
  maximaBy,
  steps,
  tied,
  valueAt,
  type Given,
  type Made,
  type State,
  type Window,
} from './window.js';

const valueMistakes: readonly Mistake<Given, Made>[] = sharing({ needs: { mode: 'max' } }, [
  {
    id: 'ties_all_take_the_gradient',
    tensors: ['dx'],
    explanation:
      'Each of several equal maxima received the full gradient, as with x == max: it is counted more than once.',
    fix: 'pass the gradient only to the first maximum of the window',
    hidden: 'no window has two equal maxima',
    steps: { shares: (s) => s.windows.map((window) => tied(s, window).map((tap) => [tap, 1] as const)) },
  },
  {
    id: 'ties_share_the_gradient',
    tensors: ['dx'],
    explanation: 'Equal maxima share the gradient.',
    fix: 'pass the gradient only to the first maximum of the window',
    hidden: 'no window has two equal maxima',
    steps: {
      shares: (s) =>
        s.windows.map((window) => {
          const taps = tied(s, window);
          return taps.map((tap) => [tap, 1 / taps.length] as const);
        }),
    },
  },
  {
    id: 'last_tie_wins',
    tensors: ['dx', 'indices'],
    explanation: 'The last of several equal maxima was selected, as with >= instead of >.',
    fix: 'select the first maximum of the window: compare with >',
    hidden: 'no window has two equal maxima',
    steps: { maxima: maximaBy((a, b) => a >= b || Number.isNaN(a)) },
  },
  {
    id: 'maximum_over_zero_padding',
    tensors: ['out', 'dx'],
    explanation: 'Taps outside the input counted as zeros, which exceed negative values at the border.',
    fix: 'taps outside the input count as −∞ for a maximum',
    hidden: 'no window at the border is all negative',
    concerns: [['padding', 'ceil_mode']],
    ways: [
      // With taps past the end counted as zeros, too, or left out.
      ({ taps }: Window) => taps.includes(-1),
      (window: Window) => window.padded > inside(window).length,
    ].map((hasPad) => ({
      steps: {
        maxima: (s: State) =>
          s.windows.map((window) => {
            const winner = best(s, window, greater);
            return hasPad(window) && valueAt(s, window, winner) < 0 ? -1 : winner;
          }),
      },
    })),
  },
  {
    id: 'minimum',
    tensors: ['out', 'dx', 'indices'],
    explanation: 'The minimum of each window was taken.',
    fix: 'take the maximum',
    steps: { maxima: maximaBy((a, b) => a < b) },
  },
  {
    id: 'largest_magnitude',
    tensors: ['out', 'dx', 'indices'],
    explanation: 'The value of largest magnitude was selected, regardless of its sign.',
    fix: 'take the maximum; −2 is less than 1',
    hidden: 'no value is negative',
    steps: { maxima: maximaBy((a, b) => Math.abs(a) > Math.abs(b)) },
  },
  {
    id: 'gradient_to_the_whole_window',
    tensors: ['dx'],
    explanation: 'Every element of a window received the gradient of its maximum.',
    fix: 'pass the gradient only to the first maximum of the window',
    hidden: 'a window has one element',
    steps: { shares: (s) => s.windows.map(({ taps }) => taps.map((_, tap) => [tap, 1] as const)) },
  },
  {
    id: 'gradient_of_the_average',
    tensors: ['dx'],
    explanation: 'The gradient was spread evenly over each window, as in average pooling.',
    fix: 'pass the gradient only to the first maximum of the window',
    hidden: 'a window has one element',
    steps: {
      shares: (s) => s.windows.map(({ taps }) => taps.map((_, tap) => [tap, 1 / taps.length] as const)),
    },
  },
  {
    id: 'gradient_to_the_first_tap',
    tensors: ['dx'],
    explanation: 'The gradient went to the start of each window, not to its maximum.',
    fix: 'if the maximum of window p is tap k, its position is p · stride − before + k · dilation',
    hidden: 'every maximum is the first of its window',
    ways: [
      { steps: { shares: (s) => s.windows.map(() => [[0, 1] as const]) } },
      { steps: { shares: (s) => s.windows.map((window) => [[inside(window)[0] ?? 0, 1] as const]) } },
    ],
  },
  {
    id: 'gradient_times_the_maximum',
    tensors: ['dx'],
    explanation: 'dout was multiplied by the maximum itself.',
    fix: 'do not multiply: the derivative of a maximum with respect to the largest element is 1',
    steps: {
      shares: (s) =>
        s.windows.map((window) => {
          const tap = s.maxima[window.at];
          return tap < 0 ? [] : [[tap, valueAt(s, window, tap)] as const];
        }),
    },
  },
]);

const INDICES = { tensors: ['indices'], needs: { mode: 'max', return_indices: true } };

const indexMistakes: readonly Mistake<Given, Made>[] = sharing(INDICES, [
  {
    id: 'indices_in_the_window',
    explanation: 'indices number the taps of the window, not the elements of the plane.',
    fix: 'index row-major in the plane of x',
    hidden: 'one window covers the plane',
    steps: { indices: (s) => each(s.windows.length, (i) => s.maxima[i]) },
  },
  {
    id: 'indices_in_the_padded_plane',
    explanation: 'indices number the elements of the padded plane.',
    fix: 'index row-major in the plane of x',
    hidden: 'padding is 0',
    steps: { indices: (s) => each(s.windows.length, (i) => s.windows[i].places[s.maxima[i]]) },
  },
  {
    id: 'indices_in_the_slice',
    explanation: 'indices number the elements of a slice: the first spatial axis was left out.',
    fix: 'index row-major in the plane of x, over all spatial axes',
    hidden: 'the first spatial axis has one element',
    axes: 2,
    steps: {
      indices: (s) => {
        const slice = sizeOf(s.xShape.slice(3));
        return each(s.windows.length, (i) => s.windows[i].taps[s.maxima[i]] % slice);
      },
    },
  },
  {
    id: 'indices_from_one',
    explanation: 'indices start at 1, as in MATLAB, Julia and R.',
    fix: 'start at 0',
    steps: { indices: (s) => steps.indices(s).map((index) => index + 1) },
  },
  {
    id: 'indices_in_columns',
    explanation: 'indices are column-major: the first spatial axis varies fastest.',
    fix: 'index row-major in the plane of x: the last axis varies fastest',
    hidden: 'both orders give every maximum the same index',
    axes: 2,
    steps: {
      indices: (s) => {
        const sizes = s.xShape.slice(2);
        return each(s.windows.length, (i) => {
          const place = indexOf(s.windows[i].taps[s.maxima[i]], sizes);
          return place.reduceRight((at, index, axis) => at * sizes[axis] + index, 0);
        });
      },
    },
  },
  {
    id: 'indices_in_the_tensor',
    explanation: 'indices run through the whole tensor, including batch and channels.',
    fix: 'index row-major within each plane of x, starting at 0',
    hidden: 'there is one plane',
    steps: { indices: (s) => each(s.windows.length, (i) => s.windows[i].plane + s.windows[i].taps[s.maxima[i]]) },
  },
]);

export const maximumMistakes = [...valueMistakes, ...indexMistakes];
