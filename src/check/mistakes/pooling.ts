/** How pooling goes wrong. A window is the list of its taps: places in the plane, or nothing in the padding. */
import type { Static } from '@sinclair/typebox';
import type { PoolingInputs, PoolingOptions, PoolingUpstream } from '../../../schemas/pooling.js';
import type { Decoded } from '../../layers/definition.js';
import { pooling as layer } from '../../layers/pooling.js';
import { sizeOf, type FloatArray, type Shape } from '../../tensor/tensor.js';
import type { WindowAxis } from '../../tensor/windows.js';
import { each } from '../arrays.js';
import { indexOf } from '../compare.js';
import { defineChecks, type Call, type Mistake } from '../definition.js';

/** One window of one plane. */
interface Window {
  /** Index of the window in `out`. */
  readonly at: number;
  /** Where the plane starts in x. */
  readonly plane: number;
  /** For each tap its place in the plane, −1 in the padding. */
  readonly taps: readonly number[];
  /** Taps that lie in the padded input: one that hangs over its end does not. */
  readonly padded: number;
  /** For each tap its place in the padded plane. */
  readonly places: readonly number[];
}

interface Given {
  readonly planes: number;
  readonly axes: readonly WindowAxis[];
  readonly mode: 'max' | 'average';
  readonly countIncludePad: boolean;
  readonly x: FloatArray;
  readonly dout: FloatArray;
}

interface Made {
  readonly windows: readonly Window[];
  readonly backwardWindows: readonly Window[];
  /** For each window the tap that is its maximum, −1 for a pad. */
  readonly maxima: readonly number[];
  /** What each window's sum is divided by. */
  readonly counts: readonly number[];
  readonly out: FloatArray;
  readonly indices: FloatArray;
  /** For each window the taps that take its gradient, with their shares. */
  readonly shares: readonly (readonly (readonly [tap: number, share: number])[])[];
  readonly dx: FloatArray;
}

type State = Given & Made;

const spatial = (axes: readonly WindowAxis[], size: 'input' | 'kernel' | 'output') => axes.map((axis) => axis[size]);

function placesOf(sizes: Shape): number[][] {
  return sizes.reduce<number[][]>(
    (all, size) => all.flatMap((place) => Array.from({ length: size }, (_, i) => [...place, i])),
    [[]],
  );
}

/** @param lookup the axes by which taps are found, where they are not those of the layer */
function windowsOf({ planes, axes }: Given, lookup: readonly WindowAxis[] = axes): Window[] {
  const D = sizeOf(spatial(axes, 'input'));
  const outputs = placesOf(spatial(axes, 'output'));
  const kernel = placesOf(spatial(axes, 'kernel'));
  const ofPlane = outputs.map((output) => {
    const taps: number[] = [];
    const places: number[] = [];
    let padded = 0;
    for (const k of kernel) {
      let [inside, within, index, place] = [true, true, 0, 0];
      lookup.forEach(({ stride, before, after, dilation, input }, axis) => {
        const at = output[axis] * stride - before + k[axis] * dilation;
        inside &&= at >= 0 && at < input;
        within &&= at >= -before && at < input + after;
        index = index * input + at;
        place = place * (input + before + after) + at + before;
      });
      taps.push(inside ? index : -1);
      places.push(place);
      if (within) padded++;
    }
    return { taps, places, padded };
  });
  return Array.from({ length: planes }, (_, plane) =>
    ofPlane.map((window, p) => ({ ...window, at: plane * outputs.length + p, plane: plane * D })),
  ).flat();
}

const valueAt = (s: State, { plane, taps }: Window, tap: number) => s.x[plane + taps[tap]];

const inside = ({ taps }: Window) => taps.map((place, tap) => (place < 0 ? -1 : tap)).filter((tap) => tap >= 0);

/** The first tap that no other one beats; none in a window that a mistake has moved out of the input. */
const best = (s: State, window: Window, beats: (a: number, b: number) => boolean) => {
  const taps = inside(window);
  return taps.reduce(
    (winner, tap) => (beats(valueAt(s, window, tap), valueAt(s, window, winner)) ? tap : winner),
    taps.length > 0 ? taps[0] : -1,
  );
};

const greater = (a: number, b: number) => a > b || (Number.isNaN(a) && !Number.isNaN(b));

const maximaBy = (beats: (a: number, b: number) => boolean) => (s: State) =>
  s.windows.map((window) => best(s, window, beats));

/** All taps that hold the maximum. */
const tied = (s: State, window: Window) => {
  const most = valueAt(s, window, s.maxima[window.at]);
  return inside(window).filter((tap) => valueAt(s, window, tap) === most);
};

const hasPad = ({ taps }: Window) => taps.includes(-1);

const steps = {
  windows: (s: State) => windowsOf(s),
  backwardWindows: (s: State) => s.windows,
  maxima: maximaBy(greater),
  counts: (s: State) => s.windows.map((window) => (s.countIncludePad ? window.padded : inside(window).length)),
  out: (s: State) =>
    each(s.windows.length, (i) => {
      const window = s.windows[i];
      if (s.mode === 'max') return s.maxima[i] < 0 ? 0 : valueAt(s, window, s.maxima[i]);
      return inside(window).reduce((sum, tap) => sum + valueAt(s, window, tap), 0) / s.counts[i];
    }),
  indices: (s: State) => each(s.windows.length, (i) => (s.maxima[i] < 0 ? -1 : s.windows[i].taps[s.maxima[i]])),
  shares: (s: State) =>
    s.windows.map((window): (readonly [number, number])[] => {
      if (s.mode === 'max') return s.maxima[window.at] < 0 ? [] : [[s.maxima[window.at], 1]];
      return window.taps.map((_, tap) => [tap, 1 / s.counts[window.at]]);
    }),
  dx: (s: State) => spread(s, false),
};

/** @param assign with `=` for `+=` */
function spread(s: State, assign: boolean): Float64Array {
  const dx = new Float64Array(s.x.length);
  for (const { at, plane, taps } of s.backwardWindows)
    for (const [tap, share] of s.shares[at]) {
      if (taps[tap] < 0) continue;
      const i = plane + taps[tap];
      dx[i] = (assign ? 0 : dx[i]) + share * s.dout[at];
    }
  return dx;
}

const axesWith = (s: Given, change: (axis: WindowAxis) => Partial<WindowAxis>) =>
  s.axes.map((axis) => ({ ...axis, ...change(axis) }));

const MAX = { mode: 'max' };
const AVERAGE = { mode: 'average' };

const mistakes: readonly Mistake<Given, Made>[] = [
  {
    id: 'ties_all_take_the_gradient',
    tensors: ['dx'],
    explanation: 'Every one of equal maxima got the whole gradient, as with x == max: Σ dx is larger than Σ dout.',
    fix: 'give the gradient to the first maximum of the window alone',
    hidden: 'no window has two equal maxima',
    needs: MAX,
    ways: [{ steps: { shares: (s) => s.windows.map((window) => tied(s, window).map((tap) => [tap, 1] as const)) } }],
  },
  {
    id: 'ties_share_the_gradient',
    tensors: ['dx'],
    explanation: 'Equal maxima shared the gradient.',
    fix: 'give the gradient to the first maximum of the window alone',
    hidden: 'no window has two equal maxima',
    needs: MAX,
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
    needs: MAX,
    ways: [{ steps: { maxima: maximaBy((a, b) => a >= b || Number.isNaN(a)) } }],
  },
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
    ways: [
      {
        steps: {
          backwardWindows: (s) =>
            windowsOf(
              s,
              axesWith(s, () => ({ before: 0 })),
            ),
        },
      },
    ],
  },
  {
    id: 'stride_forgotten_in_backward',
    tensors: ['dx'],
    explanation: 'Backward looks for window p at p, not at p · stride.',
    fix: 'the place of tap k of window p is p · stride − before + k · dilation, as in forward',
    hidden: 'stride is 1',
    ways: [
      {
        steps: {
          backwardWindows: (s) =>
            windowsOf(
              s,
              axesWith(s, () => ({ stride: 1 })),
            ),
        },
      },
    ],
  },
  {
    id: 'kernel_for_stride_in_backward',
    tensors: ['dx'],
    explanation: 'Backward takes the windows to lie side by side, one every kernel_size.',
    fix: 'window p starts at p · stride − before',
    hidden: 'stride is kernel_size',
    ways: [
      {
        steps: {
          backwardWindows: (s) =>
            windowsOf(
              s,
              axesWith(s, ({ kernel }) => ({ stride: kernel })),
            ),
        },
      },
    ],
  },
  {
    id: 'dilation_forgotten_in_backward',
    tensors: ['dx'],
    explanation: 'Backward takes the taps of a window to lie side by side.',
    fix: 'the place of tap k of window p is p · stride − before + k · dilation, as in forward',
    hidden: 'dilation is 1',
    ways: [
      {
        steps: {
          backwardWindows: (s) =>
            windowsOf(
              s,
              axesWith(s, () => ({ dilation: 1 })),
            ),
        },
      },
    ],
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
    id: 'maximum_over_zero_padding',
    tensors: ['out', 'dx'],
    explanation: 'The padding was filled with zeros, which beat negative values at the border.',
    fix: 'padding counts as −∞ for a maximum',
    hidden: 'padding is 0, or no window at the border is all negative',
    needs: MAX,
    ways: [
      {
        steps: {
          maxima: (s) =>
            s.windows.map((window) => {
              const winner = best(s, window, greater);
              return hasPad(window) && valueAt(s, window, winner) < 0 ? -1 : winner;
            }),
        },
      },
    ],
  },
  {
    id: 'minimum',
    tensors: ['out', 'dx', 'indices'],
    explanation: 'The minimum of each window was taken.',
    fix: 'take the maximum',
    needs: MAX,
    ways: [{ steps: { maxima: maximaBy((a, b) => a < b) } }],
  },
  {
    id: 'largest_magnitude',
    tensors: ['out', 'dx', 'indices'],
    explanation: 'The value of largest magnitude was taken, whatever its sign.',
    fix: 'take the maximum; −2 is less than 1',
    hidden: 'no value is negative',
    needs: MAX,
    ways: [{ steps: { maxima: maximaBy((a, b) => Math.abs(a) > Math.abs(b)) } }],
  },
  {
    id: 'gradient_to_the_whole_window',
    tensors: ['dx'],
    explanation: 'Every element of a window got the gradient of its maximum.',
    fix: 'give the gradient to the first maximum of the window alone',
    hidden: 'a window has one element',
    needs: MAX,
    ways: [{ steps: { shares: (s) => s.windows.map(({ taps }) => taps.map((_, tap) => [tap, 1] as const)) } }],
  },
  {
    id: 'gradient_of_the_average',
    tensors: ['dx'],
    explanation: 'The gradient was spread evenly over each window, as for an average.',
    fix: 'give the gradient to the first maximum of the window alone',
    hidden: 'a window has one element',
    needs: MAX,
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
    needs: MAX,
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
    needs: MAX,
    ways: [
      {
        steps: {
          shares: (s) => s.windows.map((window) => [[s.maxima[window.at], s.out[window.at]] as const]),
        },
      },
    ],
  },
  {
    id: 'indices_in_the_window',
    tensors: ['indices'],
    explanation: 'indices count the taps of the window, not the places of the plane.',
    fix: 'row-major in the unpadded plane',
    needs: { mode: 'max', return_indices: true },
    ways: [{ steps: { indices: (s) => each(s.windows.length, (i) => s.maxima[i]) } }],
  },
  {
    id: 'indices_in_the_padded_plane',
    tensors: ['indices'],
    explanation: 'indices count the places of the padded plane.',
    fix: 'row-major in the unpadded plane',
    hidden: 'padding is 0',
    needs: { mode: 'max', return_indices: true },
    ways: [{ steps: { indices: (s) => each(s.windows.length, (i) => s.windows[i].places[s.maxima[i]]) } }],
  },
  {
    id: 'indices_in_the_tensor',
    tensors: ['indices'],
    explanation: 'indices count through the whole tensor, batch and channels too.',
    fix: 'row-major in the unpadded plane, from 0 in every plane',
    hidden: 'there is one plane',
    needs: { mode: 'max', return_indices: true },
    ways: [
      {
        steps: { indices: (s) => each(s.windows.length, (i) => s.windows[i].plane + s.windows[i].taps[s.maxima[i]]) },
      },
    ],
  },
  {
    id: 'indices_from_one',
    tensors: ['indices'],
    explanation: 'indices count from 1, as MATLAB, Julia and R do.',
    fix: 'count from 0',
    needs: { mode: 'max', return_indices: true },
    ways: [{ steps: { indices: (s) => steps.indices(s).map((index) => index + 1) } }],
  },
  {
    id: 'indices_column_major',
    tensors: ['indices'],
    explanation: 'indices count down the columns of the plane, in column-major order.',
    fix: 'row-major in the unpadded plane',
    hidden: 'there is one spatial axis',
    needs: { mode: 'max', return_indices: true },
    ways: [
      {
        steps: {
          indices: (s) => {
            const sizes = spatial(s.axes, 'input');
            return steps
              .indices(s)
              .map((index) => indexOf(index, sizes).reduceRight((at, place, axis) => at * sizes[axis] + place, 0));
          },
        },
      },
    ],
  },
  {
    id: 'pad_counted',
    tensors: ['out', 'dx'],
    explanation: 'The average was divided by all taps, those in the padding too, though count_include_pad is false.',
    fix: 'divide by the taps that lie in the input',
    hidden: 'padding is 0',
    needs: { mode: 'average', count_include_pad: false },
    ways: [{ given: () => ({ countIncludePad: true }) }],
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
    id: 'not_divided',
    tensors: ['out', 'dx'],
    explanation: 'The sum of each window was given, not its average.',
    fix: 'divide by the number of taps that count',
    hidden: 'a window has one element',
    needs: AVERAGE,
    ways: [{ steps: { counts: (s) => s.windows.map(() => 1) } }],
  },
  {
    id: 'gradient_not_divided',
    tensors: ['dx'],
    explanation: 'The gradient of the average was not divided by the number of taps.',
    fix: 'each tap gets dout / count',
    hidden: 'a window has one element',
    needs: AVERAGE,
    ways: [{ steps: { shares: (s) => s.windows.map(({ taps }) => taps.map((_, tap) => [tap, 1] as const)) } }],
  },
  {
    id: 'gradient_divided_by_another_count',
    tensors: ['dx'],
    explanation: 'Backward divides by another number of taps at the border than forward did.',
    fix: 'divide by the count of forward',
    hidden: 'padding is 0',
    needs: AVERAGE,
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
    needs: AVERAGE,
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

function given({ inputs, options, upstream }: Call): Given {
  const { x } = inputs as Decoded<typeof PoolingInputs>;
  const { dout } = upstream as Partial<Decoded<typeof PoolingUpstream>>;
  const plan = layer.plan(inputs as Decoded<typeof PoolingInputs>, options as Static<typeof PoolingOptions>);
  const { planes, axes, mode, countIncludePad, outputs } = plan;
  return {
    planes,
    axes,
    mode,
    countIncludePad,
    x: x.data,
    dout: dout?.data ?? new Float64Array(sizeOf(outputs.out)),
  };
}

export const pooling = defineChecks<Given, Made>({
  layer,
  given,
  steps,
  mistakes,
  slowness: 2200,
  axes: () => ['batch', 'channel', 'place'],
  constants({ inputs: { x } }) {
    return { N: x.shape[0], C: x.shape[1], places: sizeOf(x.shape.slice(2)) };
  },
  readings: ({ mode, ceil_mode, kernel_size = 1 }) => [
    { option: 'mode', value: mode === 'max' ? 'average' : 'max', because: 'the other kind of pooling' },
    { option: 'ceil_mode', value: ceil_mode !== true, because: 'the last window is where they differ' },
    { option: 'padding', value: 'valid', because: 'no padding at all' },
    { option: 'padding', value: 'same', because: 'as much padding as keeps the size, an odd pad after the input' },
    {
      option: 'padding',
      value: 'same_lower',
      because: 'as much padding as keeps the size, an odd pad before the input',
    },
    { option: 'stride', value: kernel_size, because: 'windows side by side' },
    { option: 'stride', value: 1, because: 'windows one step apart' },
    ...[1, 2].map((value) => ({ option: 'dilation', value, because: 'another dilation' })),
  ],
  example(numbers, needs) {
    const max = needs.mode !== 'average';
    const x = numbers.tensor([2, 2, 6, 6], -2, 1);
    // Equal maxima, one pair in each plane.
    for (let plane = 0; plane < 4; plane++) {
      const row = numbers.integer(1, 3) * 6 + numbers.integer(1, 3);
      for (const at of [row, row + 2]) x.data[plane * 36 + at] = 1.5;
    }
    return {
      inputs: { x },
      options: {
        mode: 'max',
        kernel_size: [4, 2],
        stride: [2, 1],
        padding: [
          [1, 2],
          [1, 0],
        ],
        dilation: [1, 2],
        ceil_mode: false,
        count_include_pad: true,
        global: false,
        return_indices: max,
        ...needs,
      },
      upstream: ['out'],
    };
  },
});
