/** Mistakes of an average: mostly of what its sum is divided by. */
import { effectiveKernel } from '../../../tensor/windows.js';
import type { Mistake } from '../../definition.js';
import { inside, type Given, type Made, type State } from './window.js';

const needs = { mode: 'average' };

export const averageMistakes: readonly Mistake<Given, Made>[] = [
  {
    id: 'pad_counted',
    tensors: ['out', 'dx'],
    explanation: 'The average was divided by all taps, those in the padding too, though count_include_pad is false.',
    fix: 'divide by the taps that lie in the input',
    hidden: 'padding is 0',
    needs: { mode: 'average', count_include_pad: false },
    ways: [
      { given: () => ({ countIncludePad: true }) },
      { steps: { counts: (s) => s.windows.map(({ taps }) => taps.length) } },
    ],
  },
  {
    id: 'pad_not_counted',
    tensors: ['out', 'dx'],
    explanation: 'The average was divided by the taps in the input alone, though count_include_pad is true.',
    fix: 'divide by the taps that lie in the padded input',
    hidden: 'padding is 0',
    needs: { mode: 'average', count_include_pad: true },
    ways: [{ given: () => ({ countIncludePad: false }) }],
  },
  {
    id: 'divided_by_the_full_window',
    tensors: ['out', 'dx'],
    explanation: 'The average was divided by the size of the kernel, where a window hangs over the end.',
    fix: 'divide by the window clipped to the padded input',
    hidden: 'no window hangs over the end: try ceil_mode',
    needs: { mode: 'average', count_include_pad: true, ceil_mode: true },
    ways: [{ steps: { counts: (s) => s.windows.map(({ taps }) => taps.length) } }],
  },
  {
    id: 'divided_by_the_span',
    tensors: ['out', 'dx'],
    explanation: 'The average was divided by what the window spans, the gaps between its taps too.',
    fix: 'divide by the number of taps that count',
    hidden: 'dilation is 1',
    needs,
    ways: [
      {
        steps: {
          counts: (s) => {
            const span = s.axes.reduce((all, { kernel, dilation }) => all * effectiveKernel(kernel, dilation), 1);
            return s.windows.map(() => span);
          },
        },
      },
    ],
  },
  {
    id: 'not_divided',
    tensors: ['out', 'dx'],
    explanation: 'The sum of each window was given, not its average.',
    fix: 'divide by the number of taps that count',
    hidden: 'a window has one element',
    needs,
    ways: [{ steps: { counts: (s) => s.windows.map(() => 1) } }],
  },
  {
    id: 'gradient_not_divided',
    tensors: ['dx'],
    explanation: 'The gradient of the average was not divided by the number of taps.',
    fix: 'each tap gets dout / count',
    hidden: 'a window has one element',
    needs,
    ways: [{ steps: { shares: (s) => s.windows.map(({ taps }) => taps.map((_, tap) => [tap, 1] as const)) } }],
  },
  {
    id: 'gradient_divided_by_another_count',
    tensors: ['dx'],
    explanation: 'Backward divides by another number of taps at the border than forward did.',
    fix: 'divide by the count of forward',
    hidden: 'padding is 0',
    needs,
    ways: [
      (s: State) => s.windows.map((window) => inside(window).length),
      (s: State) => s.windows.map(({ padded }) => padded),
      (s: State) => s.windows.map(({ taps }) => taps.length),
    ].map((counts) => ({
      steps: {
        shares: (s: State) => {
          const all = counts(s);
          return s.windows.map(({ at, taps }) => taps.map((_, tap) => [tap, 1 / all[at]] as const));
        },
      },
    })),
  },
  {
    id: 'gradient_to_one_tap',
    tensors: ['dx'],
    explanation: 'The gradient of the average went to one element of each window.',
    fix: 'each tap gets dout / count',
    hidden: 'a window has one element',
    needs,
    ways: [0, 1].map((undivided) => ({
      steps: {
        shares: (s: State) =>
          s.windows.map((window) =>
            inside(window)
              .slice(0, 1)
              .map((tap) => [tap, undivided || 1 / s.counts[window.at]] as const),
          ),
      },
    })),
  },
];
