/** Mistakes in where windows lie, whatever is made of what is in them. */
import { sizeOf, tensor } from '../../../tensor/tensor.js';
import { effectiveKernel, type WindowAxis } from '../../../tensor/windows.js';
import { each } from '../../arrays.js';
import { indexOf } from '../../compare.js';
import type { Mistake } from '../../definition.js';
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

/** Out with the windows too that lie in the padding after the input; what stands in those is `fill`. */
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

/** The maximum or the average over the axes of x that `over` tells; nothing where it tells none. */
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

export const placeMistakes: readonly Mistake<Given, Made>[] = [
  {
    id: 'dx_assigned',
    tensors: ['dx'],
    explanation: 'Where windows overlap the later one overwrites dx: = stands where += belongs.',
    fix: 'add to dx what each window gives',
    hidden: 'windows do not overlap: stride is not less than the kernel',
    ways: [
      { steps: { dx: (s) => spread(s, true) } },
      // The whole window is written, zeros too.
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
    tensors: ['dx'],
    explanation: 'Backward leaves the padding out of the place of a tap: the gradient is shifted.',
    fix: 'the place of tap k of window p is p · stride − before + k · dilation, as in forward',
    hidden: 'padding is 0',
    ways: [lookedUp(() => ({ before: 0 }))],
  },
  {
    id: 'stride_forgotten_in_backward',
    tensors: ['dx'],
    explanation: 'Backward looks for window p at p, not at p · stride.',
    fix: 'the place of tap k of window p is p · stride − before + k · dilation, as in forward',
    hidden: 'stride is 1',
    ways: [lookedUp(() => ({ stride: 1 }))],
  },
  {
    id: 'kernel_for_stride_in_backward',
    tensors: ['dx'],
    explanation: 'Backward takes the windows to lie side by side, one every kernel_size.',
    fix: 'window p starts at p · stride − before',
    hidden: 'stride is kernel_size',
    ways: [lookedUp(({ kernel }) => ({ stride: kernel }))],
  },
  {
    id: 'dilation_forgotten_in_backward',
    tensors: ['dx'],
    explanation: 'Backward takes the taps of a window to lie side by side.',
    fix: 'the place of tap k of window p is p · stride − before + k · dilation, as in forward',
    hidden: 'dilation is 1',
    ways: [lookedUp(() => ({ dilation: 1 }))],
  },
  {
    id: 'padding_side',
    tensors: ['out', 'dx', 'indices'],
    explanation: 'The pad that should stand before the input stands after it: an odd pad is on the wrong side.',
    fix: 'padding "same" puts an odd pad after the input, "same_lower" before it',
    hidden: 'both pads are alike',
    ways: [
      {
        given: ({ axes }) => ({ axes: axes.map((axis) => ({ ...axis, before: axis.after, after: axis.before })) }),
      },
    ],
  },
  {
    id: 'window_in_the_padding_kept',
    tensors: ['out'],
    explanation: 'With ceil_mode a last window was kept that starts in the padding after the input.',
    fix: 'drop the last window if it starts at or after the size of the input and the pad before it',
    hidden: 'no window starts in the padding after the input',
    needs: { ceil_mode: true },
    ways: [-Infinity, 0, NaN].map((fill) => ({ steps: { out: (s: State) => withEmptyWindows(s, fill) } })),
  },
  {
    id: 'overhang_forgotten_in_backward',
    tensors: ['dx'],
    explanation: 'Backward leaves out the windows that hang over the end, which ceil_mode adds.',
    fix: 'every window of forward gives its gradient, the last one too',
    hidden: 'no window hangs over the end',
    needs: { ceil_mode: true },
    ways: [
      {
        steps: {
          dx: (s) => spread(s, false, ({ at }) => s.windows[at].padded < s.windows[at].taps.length),
        },
      },
    ],
  },
  {
    id: 'global_over_other_axes',
    tensors: ['out'],
    explanation: 'The whole was not taken over the spatial axes, but over one of them, or over channels.',
    fix: 'one result for each sample and channel, over all spatial axes: out is [N, C, 1, …]',
    hidden: 'the other axes have one element',
    needs: { global: true },
    ways: [
      // The last axis; the channels; all but the batch; all between batch and last, as where channels are last.
      (axis: number, rank: number) => axis === rank - 1 && rank > 3,
      (axis: number) => axis === 1,
      (axis: number) => axis > 0,
      (axis: number, rank: number) => axis > 0 && axis < rank - 1,
    ].flatMap((over) => [true, false].map((keep) => ({ steps: { out: (s: State) => reduced(s, over, keep) } }))),
  },
];
