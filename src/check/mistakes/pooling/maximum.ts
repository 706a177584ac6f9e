/** Mistakes of a maximum, and of where it stood. */
import { sizeOf } from '../../../tensor/tensor.js';
import { each } from '../../arrays.js';
import { indexOf } from '../../compare.js';
import type { Mistake } from '../../definition.js';
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

const needs = { mode: 'max' };
const INDICES = { ...needs, return_indices: true };

export const maximumMistakes: readonly Mistake<Given, Made>[] = [
  {
    id: 'ties_all_take_the_gradient',
    tensors: ['dx'],
    explanation: 'Every one of equal maxima got the whole gradient, as with x == max: Σ dx is larger than Σ dout.',
    fix: 'give the gradient to the first maximum of the window alone',
    hidden: 'no window has two equal maxima',
    needs,
    ways: [{ steps: { shares: (s) => s.windows.map((window) => tied(s, window).map((tap) => [tap, 1] as const)) } }],
  },
  {
    id: 'ties_share_the_gradient',
    tensors: ['dx'],
    explanation: 'Equal maxima shared the gradient.',
    fix: 'give the gradient to the first maximum of the window alone',
    hidden: 'no window has two equal maxima',
    needs,
    ways: [
      {
        steps: {
          shares: (s) =>
            s.windows.map((window) => {
              const taps = tied(s, window);
              return taps.map((tap) => [tap, 1 / taps.length] as const);
            }),
        },
      },
    ],
  },
  {
    id: 'last_tie_wins',
    tensors: ['dx', 'indices'],
    explanation: 'The last of equal maxima was taken, as with >= for >.',
    fix: 'take the first maximum of the window: compare with >',
    hidden: 'no window has two equal maxima',
    needs,
    ways: [{ steps: { maxima: maximaBy((a, b) => a >= b || Number.isNaN(a)) } }],
  },
  {
    id: 'maximum_over_zero_padding',
    tensors: ['out', 'dx'],
    explanation: 'The padding was filled with zeros, which beat negative values at the border.',
    fix: 'padding counts as −∞ for a maximum',
    hidden: 'padding is 0, or no window at the border is all negative',
    needs,
    ways: [
      // What hangs over the end filled with zeros too, or left out.
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
    needs,
    ways: [{ steps: { maxima: maximaBy((a, b) => a < b) } }],
  },
  {
    id: 'largest_magnitude',
    tensors: ['out', 'dx', 'indices'],
    explanation: 'The value of largest magnitude was taken, whatever its sign.',
    fix: 'take the maximum; −2 is less than 1',
    hidden: 'no value is negative',
    needs,
    ways: [{ steps: { maxima: maximaBy((a, b) => Math.abs(a) > Math.abs(b)) } }],
  },
  {
    id: 'gradient_to_the_whole_window',
    tensors: ['dx'],
    explanation: 'Every element of a window got the gradient of its maximum.',
    fix: 'give the gradient to the first maximum of the window alone',
    hidden: 'a window has one element',
    needs,
    ways: [{ steps: { shares: (s) => s.windows.map(({ taps }) => taps.map((_, tap) => [tap, 1] as const)) } }],
  },
  {
    id: 'gradient_of_the_average',
    tensors: ['dx'],
    explanation: 'The gradient was spread evenly over each window, as for an average.',
    fix: 'give the gradient to the first maximum of the window alone',
    hidden: 'a window has one element',
    needs,
    ways: [
      {
        steps: {
          shares: (s) => s.windows.map(({ taps }) => taps.map((_, tap) => [tap, 1 / taps.length] as const)),
        },
      },
    ],
  },
  {
    id: 'gradient_to_the_first_tap',
    tensors: ['dx'],
    explanation: 'The gradient went to the start of each window, wherever its maximum is.',
    fix: 'the place of the maximum is p · stride − before + k · dilation, k its tap',
    hidden: 'every maximum is the first of its window',
    needs,
    ways: [
      { steps: { shares: (s) => s.windows.map(() => [[0, 1] as const]) } },
      { steps: { shares: (s) => s.windows.map((window) => [[inside(window)[0] ?? 0, 1] as const]) } },
    ],
  },
  {
    id: 'gradient_times_the_maximum',
    tensors: ['dx'],
    explanation: 'dout was multiplied by the maximum itself.',
    fix: 'the derivative of a maximum by what it is taken from is 1',
    needs,
    ways: [
      {
        steps: {
          shares: (s) =>
            s.windows.map((window) => {
              const tap = s.maxima[window.at];
              return tap < 0 ? [] : [[tap, valueAt(s, window, tap)] as const];
            }),
        },
      },
    ],
  },
  {
    id: 'indices_in_the_window',
    tensors: ['indices'],
    explanation: 'indices count the taps of the window, not the places of the plane.',
    fix: 'row-major in the unpadded plane',
    hidden: 'one window covers the plane',
    needs: INDICES,
    ways: [{ steps: { indices: (s) => each(s.windows.length, (i) => s.maxima[i]) } }],
  },
  {
    id: 'indices_in_the_padded_plane',
    tensors: ['indices'],
    explanation: 'indices count the places of the padded plane.',
    fix: 'row-major in the unpadded plane',
    hidden: 'padding is 0',
    needs: INDICES,
    ways: [{ steps: { indices: (s) => each(s.windows.length, (i) => s.windows[i].places[s.maxima[i]]) } }],
  },
  {
    id: 'indices_in_the_slice',
    tensors: ['indices'],
    explanation: 'indices count the places of a slice: the first spatial axis was left out of them.',
    fix: 'row-major in the unpadded plane, over all spatial axes',
    hidden: 'the first spatial axis has one element',
    needs: INDICES,
    axes: 2,
    ways: [
      {
        steps: {
          indices: (s) => {
            const slice = sizeOf(s.xShape.slice(3));
            return each(s.windows.length, (i) => s.windows[i].taps[s.maxima[i]] % slice);
          },
        },
      },
    ],
  },
  {
    id: 'indices_from_one',
    tensors: ['indices'],
    explanation: 'indices count from 1, as MATLAB, Julia and R do.',
    fix: 'count from 0',
    needs: INDICES,
    ways: [{ steps: { indices: (s) => steps.indices(s).map((index) => index + 1) } }],
  },
  {
    id: 'indices_in_columns',
    tensors: ['indices'],
    explanation: 'indices count down the columns of the plane: its first spatial axis fastest.',
    fix: 'row-major in the unpadded plane: the last axis fastest',
    hidden: 'every maximum stands where both orders count alike',
    needs: INDICES,
    axes: 2,
    ways: [
      {
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
    ],
  },
  {
    id: 'indices_in_the_tensor',
    tensors: ['indices'],
    explanation: 'indices count through the whole tensor, batch and channels too.',
    fix: 'row-major in the unpadded plane, from 0 in every plane',
    hidden: 'there is one plane',
    needs: INDICES,
    ways: [
      {
        steps: { indices: (s) => each(s.windows.length, (i) => s.windows[i].plane + s.windows[i].taps[s.maxima[i]]) },
      },
    ],
  },
];
