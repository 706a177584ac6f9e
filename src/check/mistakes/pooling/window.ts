/** Pooling as a list of windows, each with the positions of its taps. */
import { sizeOf, type FloatArray, type Shape, type Tensor } from '../../../tensor/tensor.js';
import type { WindowAxis } from '../../../tensor/windows.js';
import { each } from '../../arrays.js';

/** One window of one plane. */
export interface Window {
  /** Index of the window in `out`. */
  readonly at: number;
  /** Where the plane starts in x. */
  readonly plane: number;
  /** The position of each tap in the plane; −1 in the padding. */
  readonly taps: readonly number[];
  /** Number of taps in the padded input; taps past its end do not count. */
  readonly padded: number;
  /** The position of each tap in the padded plane. */
  readonly places: readonly number[];
}

export interface Given {
  readonly planes: number;
  readonly xShape: Shape;
  readonly axes: readonly WindowAxis[];
  readonly mode: 'max' | 'average';
  readonly countIncludePad: boolean;
  readonly x: FloatArray;
  readonly dout: FloatArray;
}

export interface Made {
  readonly windows: readonly Window[];
  readonly backwardWindows: readonly Window[];
  /** For each window, the tap that is its maximum; −1 for a pad. */
  readonly maxima: readonly number[];
  /** The divisor of each window's sum. */
  readonly counts: readonly number[];
  readonly out: FloatArray | Tensor | undefined;
  readonly indices: FloatArray;
  /** For each window, the taps that receive its gradient, with their shares. */
  readonly shares: readonly (readonly (readonly [tap: number, share: number])[])[];
  readonly dx: FloatArray;
}

export type State = Given & Made;

export const spatial = (axes: readonly WindowAxis[], size: 'input' | 'kernel' | 'output') =>
  axes.map((axis) => axis[size]);

function placesOf(sizes: Shape): number[][] {
  return sizes.reduce<number[][]>(
    (all, size) => all.flatMap((place) => Array.from({ length: size }, (_, i) => [...place, i])),
    [[]],
  );
}

/** @param lookup the axes by which taps are found, if they differ from those of the layer */
export function windowsOf({ planes, axes }: Given, lookup: readonly WindowAxis[] = axes): Window[] {
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

export const valueAt = (s: State, { plane, taps }: Window, tap: number) => s.x[plane + taps[tap]];

export const inside = ({ taps }: Window) => taps.map((place, tap) => (place < 0 ? -1 : tap)).filter((tap) => tap >= 0);

/** The first tap that no other beats; −1 for a window that a mistake has moved out of the input. */
export const best = (s: State, window: Window, beats: (a: number, b: number) => boolean) => {
  const taps = inside(window);
  return taps.reduce(
    (winner, tap) => (beats(valueAt(s, window, tap), valueAt(s, window, winner)) ? tap : winner),
    taps.length > 0 ? taps[0] : -1,
  );
};

export const greater = (a: number, b: number) => a > b || Number.isNaN(a);

export const maximaBy = (beats: (a: number, b: number) => boolean) => (s: State) =>
  s.windows.map((window) => best(s, window, beats));

/** All taps that hold the maximum. */
export const tied = (s: State, window: Window) => {
  const most = valueAt(s, window, s.maxima[window.at]);
  return inside(window).filter((tap) => valueAt(s, window, tap) === most);
};

export const steps = {
  windows: (s: State) => windowsOf(s),
  backwardWindows: (s: State) => s.windows,
  maxima: maximaBy(greater),
  counts: (s: State) => s.windows.map((window) => (s.countIncludePad ? window.padded : inside(window).length)),
  out: (s: State): Made['out'] =>
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

/**
 * @param assign whether to use `=` instead of `+=`
 * @param left whether a window is left out
 */
export function spread(s: State, assign: boolean, left: (window: Window) => boolean = () => false): Float64Array {
  const dx = new Float64Array(s.x.length);
  for (const window of s.backwardWindows) {
    if (left(window)) continue;
    const { at, plane, taps } = window;
    for (const [tap, share] of s.shares[at]) {
      if (taps[tap] < 0) continue;
      const i = plane + taps[tap];
      dx[i] = (assign ? 0 : dx[i]) + share * s.dout[at];
    }
  }
  return dx;
}

export const axesWith = (s: Given, change: (axis: WindowAxis) => Partial<WindowAxis>) =>
  s.axes.map((axis) => ({ ...axis, ...change(axis) }));
