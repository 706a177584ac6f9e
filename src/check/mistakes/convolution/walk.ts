/**
 * A convolution as a walk over taps. Each tap joins a position on the folded side (x, or out when transposed), a window
 * on the other side and an element of the weight. Forward and both gradients are sums over one walk, and most mistakes
 * are a different walk.
 */
import { sizeOf, type FloatArray, type Shape, type Tensor } from '../../../tensor/tensor.js';
import type { WindowAxis } from '../../../tensor/windows.js';
import { each, sumOf } from '../../arrays.js';

/** Called with an index on the folded side, on the windowed side and in the weight. */
type Visit = (folded: number, windowed: number, weight: number) => void;
export type Walk = (visit: Visit) => void;

export interface Given {
  readonly N: number;
  readonly groups: number;
  /** Channels per group: A on the folded side, B on the windowed side. */
  readonly A: number;
  readonly B: number;
  readonly axes: readonly WindowAxis[];
  readonly transposed: boolean;
  /** For each axis, how many elements the request added to the far end of a transposed output. */
  readonly outputPadding: readonly number[];
  readonly x: FloatArray;
  readonly weight: FloatArray;
  readonly bias: FloatArray;
  readonly dout: FloatArray;
  readonly outShape: Shape;
}

export interface Made {
  readonly walk: Walk;
  /** The walks of the two gradients; each may be wrong independently. */
  readonly walkDx: Walk;
  readonly walkDweight: Walk;
  readonly sums: FloatArray;
  readonly out: FloatArray | Tensor | undefined;
  readonly dx: FloatArray | Tensor;
  readonly dweight: FloatArray;
  readonly dbias: FloatArray | Tensor;
}

export type State = Given & Made;

/** How taps are found. What is absent is done right. */
export interface Habits {
  /** The axes that determine where taps lie; the sizes of the tensors do not change. */
  readonly axes?: readonly WindowAxis[];
  /** Where a tap that falls outside an axis reads; by default it is left out. */
  readonly outside?: (place: number, size: number) => number | undefined;
  /** The element of a weight's plane that tap k of the window uses. */
  readonly tap?: (k: readonly number[], kernel: readonly number[]) => number;
  /** Channel on the folded side for channel a of group g. */
  readonly foldedChannel?: (g: number, a: number) => number;
  /** Channel on the windowed side for channel b of group g. */
  readonly windowedChannel?: (g: number, b: number) => number;
  /** Index of a weight's [b, a] plane, for the windowed channel b. */
  readonly plane?: (b: number, a: number) => number;
}

export const spatial = (axes: readonly WindowAxis[], size: 'input' | 'kernel' | 'output') =>
  axes.map((axis) => axis[size]);

/** Calls `visit` for every position of a grid, the last axis fastest. */
export function eachPlace(sizes: readonly number[], visit: (place: readonly number[], index: number) => void): void {
  const place = sizes.map(() => 0);
  const total = sizeOf(sizes);
  for (let index = 0; index < total; index++) {
    visit(place, index);
    for (let axis = sizes.length - 1; axis >= 0 && ++place[axis] === sizes[axis]; axis--) place[axis] = 0;
  }
}

export function indexIn(sizes: readonly number[], place: readonly number[]): number {
  return place.reduce((at, index, axis) => at * sizes[axis] + index, 0);
}

/** The taps of one plane, window by window: position on the folded side, window, and element of the weight. */
function tapsOf(sizes: readonly WindowAxis[], { axes = sizes, outside, tap }: Habits): Int32Array {
  const [input, kernel] = [spatial(sizes, 'input'), spatial(axes, 'kernel')];
  const taps: number[] = [];
  eachPlace(spatial(sizes, 'output'), (window, p) => {
    eachPlace(kernel, (k, at) => {
      let folded = 0;
      for (let axis = 0; axis < axes.length; axis++) {
        const { stride, before, dilation } = axes[axis];
        let place: number | undefined = window[axis] * stride - before + k[axis] * dilation;
        if (place < 0 || place >= input[axis]) place = outside?.(place, input[axis]);
        if (place === undefined) return;
        folded = folded * input[axis] + place;
      }
      taps.push(folded, p, tap ? tap(k, kernel) : at);
    });
  });
  return Int32Array.from(taps);
}

export function walking(s: Given, habits: Habits = {}): Walk {
  const { N, groups, A, B, axes } = s;
  const {
    foldedChannel = (g: number, a: number) => g * A + a,
    windowedChannel = (g: number, b: number) => g * B + b,
    plane = (b: number, a: number) => b * A + a,
  } = habits;
  const [D, K, P] = [sizeOf(spatial(axes, 'input')), sizeOf(spatial(axes, 'kernel')), sizeOf(spatial(axes, 'output'))];
  const taps = tapsOf(axes, habits);
  return (visit) => {
    for (let n = 0; n < N; n++)
      for (let g = 0; g < groups; g++)
        for (let b = 0; b < B; b++)
          for (let a = 0; a < A; a++) {
            const folded = (n * groups * A + foldedChannel(g, a)) * D;
            const windowed = (n * groups * B + windowedChannel(g, b)) * P;
            const weight = plane(g * B + b, a) * K;
            for (let t = 0; t < taps.length; t += 3)
              visit(folded + taps[t], windowed + taps[t + 1], weight + taps[t + 2]);
          }
  };
}

/** Accumulates the taps of a walk with `add`, starting from zeros. */
export function gathered(
  size: number,
  walk: Walk,
  add: (into: Float64Array, f: number, w: number, k: number) => void,
): Float64Array<ArrayBuffer> {
  const sums = new Float64Array(size);
  walk((f, w, k) => {
    add(sums, f, w, k);
  });
  return sums;
}

/** Number of positions in a plane of out. */
export const places = (s: Given) => sizeOf(s.outShape.slice(2));
/** Number of windows in a plane of the folded side. */
export const windows = (s: Given) => sizeOf(spatial(s.axes, 'output'));
export const channelOf = (s: Given, i: number) => Math.floor(i / places(s)) % s.outShape[1];

export const sumsOf = (s: Given, walk: Walk) =>
  gathered(sizeOf(s.outShape), walk, (into, f, w, k) => {
    if (s.transposed) into[f] += s.x[w] * s.weight[k];
    else into[w] += s.x[f] * s.weight[k];
  });

export const biased = (s: Given, sums: FloatArray) => sums.map((value, i) => value + s.bias[channelOf(s, i)]);

/** @param assign whether to use `=` instead of `+=` */
export const dxOf = (s: Given, walk: Walk, assign = false) =>
  gathered(s.x.length, walk, (into, f, w, k) => {
    // When transposed, x is on the windowed side and dout on the folded one.
    const [to, from] = s.transposed ? [w, f] : [f, w];
    const term = s.dout[from] * s.weight[k];
    into[to] = assign ? term : into[to] + term;
  });

/** @param assign whether to use `=` instead of `+=` */
export const dweightOf = (s: Given, walk: Walk, assign = false) =>
  gathered(s.weight.length, walk, (into, f, w, k) => {
    const term = s.transposed ? s.x[w] * s.dout[f] : s.x[f] * s.dout[w];
    into[k] = assign ? term : into[k] + term;
  });

export const dbiasOf = (s: Given) => {
  const [N, O] = s.outShape;
  const P = places(s);
  return each(O, (o) => sumOf(N, (n) => sumOf(P, (p) => s.dout[(n * O + o) * P + p])));
};

export const steps = {
  walk: (s: State) => walking(s),
  walkDx: (s: State) => s.walk,
  walkDweight: (s: State) => s.walk,
  sums: (s: State) => sumsOf(s, s.walk),
  out: (s: State): Made['out'] => biased(s, s.sums),
  dx: (s: State): Made['dx'] => dxOf(s, s.walkDx),
  dweight: (s: State) => dweightOf(s, s.walkDweight),
  dbias: (s: State): Made['dbias'] => dbiasOf(s),
};

export const turned: NonNullable<Habits['tap']> = (k, kernel) =>
  indexIn(
    kernel,
    k.map((index, axis) => kernel[axis] - 1 - index),
  );

/** The plane of a weight if its two channel axes are swapped within each group. */
export const planeExchanged = ({ A, B }: Given, b: number, a: number) => Math.floor(b / B) * A * B + a * B + (b % B);

export const axesWith = (s: Given, change: (axis: WindowAxis, at: number) => Partial<WindowAxis>): Habits => ({
  axes: s.axes.map((axis, at) => ({ ...axis, ...change(axis, at) })),
});

/** Changes the walk of forward and of both gradients, or (`backward`) only those of the gradients. */
export const everywhere = (habits: (s: State) => Habits) => ({
  steps: { walk: (s: State) => walking(s, habits(s)) },
});
export const backward = (habits: (s: State) => Habits) => ({
  steps: {
    walkDx: (s: State) => walking(s, habits(s)),
    walkDweight: (s: State) => walking(s, habits(s)),
  },
});

export const ALL = ['out', 'dx', 'dweight'];
export const BACKWARD = ['dx', 'dweight'];
