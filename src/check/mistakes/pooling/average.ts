/** Mistakes in average pooling, mostly in the divisor. */
import { effectiveKernel } from '../../../tensor/windows.js';
import { sharing, type Mistake } from '../../definition.js';
import { inside, type Given, type Made, type State } from './window.js';

export const averageMistakes: readonly Mistake<Given, Made>[] = sharing({ needs: { mode: 'average' } }, [
  {
    id: 'pad_counted',
    tensors: ['out', 'dx'],
    explanation:
      'The sum was divided by the number of all taps, including those in the padding, although count_include_pad is false.',
    fix: 'divide by the number of taps in the input',
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
    explanation: 'The sum was divided only by the number of taps in the input, although count_include_pad is true.',
    fix: 'divide by the number of taps in the padded input',
    hidden: 'padding is 0',
    needs: { mode: 'average', count_include_pad: true },
    given: () => ({ countIncludePad: false }),
  },
  {
    id: 'divided_by_the_full_window',
    tensors: ['out', 'dx'],
    explanation: 'The sum was divided by the kernel size, even where a window extends past the end.',
    fix: 'clip the window at the end, then divide by its size',
    hidden: 'no window extends past the end',
    needs: { mode: 'average', count_include_pad: true, ceil_mode: true },
    steps: { counts: (s) => s.windows.map(({ taps }) => taps.length) },
  },
  {
    id: 'divided_by_the_span',
    tensors: ['out', 'dx'],
    explanation: 'The sum was divided by the span of the window, including the gaps between its taps.',
    fix: 'divide by the number of taps that count',
    hidden: 'dilation is 1',
    steps: {
      counts: (s) => {
        const span = s.axes.reduce((all, { kernel, dilation }) => all * effectiveKernel(kernel, dilation), 1);
        return s.windows.map(() => span);
      },
    },
  },
  {
    id: 'not_divided',
    tensors: ['out', 'dx'],
    explanation: 'The sum of each window was returned, not its average.',
    fix: 'divide by the number of taps that count',
    hidden: 'a window has one element',
    steps: { counts: (s) => s.windows.map(() => 1) },
  },
  {
    id: 'gradient_not_divided',
    tensors: ['dx'],
    explanation: 'The gradient of the average was not divided by the number of taps.',
    fix: 'each tap gets dout / count',
    hidden: 'a window has one element',
    steps: { shares: (s) => s.windows.map(({ taps }) => taps.map((_, tap) => [tap, 1] as const)) },
  },
  {
    id: 'gradient_divided_by_another_count',
    tensors: ['dx'],
    explanation: 'At the border, backward divided by a different number of taps than forward.',
    fix: 'divide by the same count as forward',
    hidden: 'every window lies within the input',
    concerns: [['padding', 'ceil_mode']],
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
    explanation: 'The gradient of the average went to only one element of each window.',
    fix: 'each tap gets dout / count',
    hidden: 'a window has one element',
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
]);
