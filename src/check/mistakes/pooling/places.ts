/** Mistakes in the positions of windows, in either mode. */
import { sizeOf, tensor } from '../../../tensor/tensor.js';
import { effectiveKernel, type WindowAxis } from '../../../tensor/windows.js';
import { each } from '../../arrays.js';
import { indexOf } from '../../compare.js';
import { sharing, type Mistake } from '../../definition.js';
import {
  axesWith,
  best,
  greater,
  inside,
  spatial,
  spread,
  valueAt,
  windowsOf,
  type Given,
  type Made,
  type State,
} from './window.js';

const lookedUp = (change: (axis: WindowAxis) => Partial<WindowAxis>) => ({
  steps: { backwardWindows: (s: State) => windowsOf(s, axesWith(s, change)) },
});

/** out including the windows that lie in the padding after the input, which are set to `fill`. */
function withEmptyWindows(s: State, fill: number) {
  const axes = s.axes.map((axis) => {
    const { input, before, after, stride, kernel, dilation } = axis;
    const room = input + before + after - effectiveKernel(kernel, dilation);
    return { ...axis, output: Math.ceil(room / stride) + 1 };
  });
  const windows = windowsOf({ ...s, axes });
  const values = each(windows.length, (i) => {
    const window = windows[i];
    const taps = inside(window);
    if (taps.length === 0) return fill;
    if (s.mode === 'max') return valueAt(s, window, best(s, window, greater));
    const count = s.countIncludePad ? window.padded : taps.length;
    return taps.reduce((sum, tap) => sum + valueAt(s, window, tap), 0) / count;
  });
  return tensor([...s.xShape.slice(0, 2), ...spatial(axes, 'output')], values);
}

/** The maximum or the average over the axes of x that `over` selects; undefined if it selects none. */
function reduced(s: State, over: (axis: number, rank: number) => boolean, keep: boolean) {
  const isOver = s.xShape.map((_, axis) => over(axis, s.xShape.length));
  if (!isOver.includes(true)) return undefined;
  const kept = s.xShape.map((size, axis) => (isOver[axis] ? 1 : size));
  const results = new Float64Array(sizeOf(kept)).fill(s.mode === 'max' ? -Infinity : 0);
  const count = s.x.length / results.length;
  s.x.forEach((value, i) => {
    const place = indexOf(i, s.xShape);
    const to = place.reduce((at, index, axis) => at * kept[axis] + (isOver[axis] ? 0 : index), 0);
    results[to] = s.mode === 'max' ? Math.max(results[to], value) : results[to] + value / count;
  });
  return tensor(keep ? kept : kept.filter((_, axis) => !isOver[axis]), results);
}

export const placeMistakes: readonly Mistake<Given, Made>[] = sharing({ tensors: ['dx'] }, [
  {
    id: 'dx_assigned',
    explanation:
      'Where windows overlap, the last one overwrites dx: it is assigned (=) where it should be accumulated (+=).',
    fix: 'add the contribution of every window to dx',
    hidden: 'windows do not overlap',
    ways: [
      { steps: { dx: (s) => spread(s, true) } },
      // The whole window is written, including zeros.
      {
        steps: {
          dx: (s) => {
            const dx = new Float64Array(s.x.length);
            for (const { at, plane, taps } of s.backwardWindows) {
              for (const place of taps) if (place >= 0) dx[plane + place] = 0;
              for (const [tap, share] of s.shares[at]) if (taps[tap] >= 0) dx[plane + taps[tap]] = share * s.dout[at];
            }
            return dx;
          },
        },
      },
    ],
  },
  {
    id: 'padding_forgotten_in_backward',
    explanation: 'Backward ignores the padding: the gradient is shifted.',
    fix: 'tap k of window p is at p · stride − before + k · dilation, as in forward',
    hidden: 'padding is 0',
    ...lookedUp(() => ({ before: 0 })),
  },
  {
    id: 'stride_forgotten_in_backward',
    explanation: 'Backward places window p at p, not at p · stride.',
    fix: 'tap k of window p is at p · stride − before + k · dilation, as in forward',
    hidden: 'stride is 1',
    ...lookedUp(() => ({ stride: 1 })),
  },
  {
    id: 'kernel_for_stride_in_backward',
    explanation: 'Backward treats the windows as adjacent, one every kernel_size.',
    fix: 'window p starts at p · stride − before',
    hidden: 'windows are adjacent',
    concerns: ['kernel_size'],
    ...lookedUp(({ kernel }) => ({ stride: kernel })),
  },
  {
    id: 'dilation_forgotten_in_backward',
    explanation: 'Backward treats the taps of a window as adjacent.',
    fix: 'tap k of window p is at p · stride − before + k · dilation, as in forward',
    hidden: 'dilation is 1',
    ...lookedUp(() => ({ dilation: 1 })),
  },
  {
    id: 'padding_side',
    tensors: ['out', 'dx', 'indices'],
    explanation: 'The pads before and after the input were swapped: an odd pad is on the wrong side.',
    fix: 'padding "same" puts an odd pad after the input, "same_lower" before it',
    hidden: 'both pads are equal',
    given: ({ axes }) => ({ axes: axes.map((axis) => ({ ...axis, before: axis.after, after: axis.before })) }),
  },
  {
    id: 'window_in_the_padding_kept',
    tensors: ['out'],
    explanation: 'With ceil_mode, a last window that starts in the padding after the input was kept.',
    fix: 'drop the last window if it starts past the end of the input',
    hidden: 'no window starts in the padding after the input',
    needs: { ceil_mode: true },
    ways: [-Infinity, 0, NaN].map((fill) => ({ steps: { out: (s: State) => withEmptyWindows(s, fill) } })),
  },
  {
    id: 'overhang_forgotten_in_backward',
    explanation: 'Backward ignores the windows past the end that ceil_mode adds.',
    fix: 'pass back the gradient of every window of forward, including the last',
    hidden: 'no window extends past the end',
    needs: { ceil_mode: true },
    steps: {
      dx: (s) => spread(s, false, ({ at }) => s.windows[at].padded < s.windows[at].taps.length),
    },
  },
  {
    id: 'global_over_other_axes',
    tensors: ['out'],
    explanation:
      'The windows span only one spatial axis, or include the channels, instead of spanning exactly the spatial axes.',
    fix: 'pool over all spatial axes, with one result per sample and channel: out is [N, C, 1, …]',
    hidden: 'the other axes have one element',
    needs: { global: true },
    ways: [
      // The last axis; the channels; all but the batch; all between batch and last, as if channels came last.
      (axis: number, rank: number) => axis === rank - 1 && rank > 3,
      (axis: number) => axis === 1,
      (axis: number) => axis > 0,
      (axis: number, rank: number) => axis > 0 && axis < rank - 1,
    ].flatMap((over) => [true, false].map((keep) => ({ steps: { out: (s: State) => reduced(s, over, keep) } }))),
  },
]);
