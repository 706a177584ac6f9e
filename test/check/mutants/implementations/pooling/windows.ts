/** Pooling with lists of windows along each axis. Backward asks of each element which windows it is in. */
import type { Answers, Nested } from '../../definition.js';

interface Given {
  x: Nested;
  mode: 'max' | 'average';
  kernel_size?: number[] | undefined;
  stride: number[];
  padding: [number, number][];
  dilation: number[];
  ceil_mode: boolean;
  count_include_pad: boolean;
  global: boolean;
  return_indices: boolean;
  dout?: Nested | undefined;
}

interface Window {
  /** Indices inside the input. */
  taps: number[];
  /** Number of taps that an average counts. */
  count: number;
}

const range = (length: number) => Array.from({ length }, (_, i) => i);

/** The windows along one axis of the given size. */
function windows(size: number, axis: number, given: Given): Window[] {
  if (given.global) return [{ taps: range(size), count: size }];
  const kernel = given.kernel_size?.[axis] ?? size;
  const [stride, dilation] = [given.stride[axis], given.dilation[axis]];
  const [before, after] = given.padding[axis];
  const span = (kernel - 1) * dilation + 1;
  // With ceil_mode, the last window may extend past the end, if it starts in the input.
  const starts = range(Math.ceil((size + before + after - span) / stride) + 1)
    .map((o) => o * stride - before)
    .filter((start) => (given.ceil_mode ? start < size : start + span <= size + after));
  return starts.map((start) => {
    const taps = range(kernel).map((k) => start + k * dilation);
    const inside = taps.filter((i) => i >= 0 && i < size);
    const counted = given.count_include_pad ? taps.filter((i) => i < size + after) : inside;
    return { taps: inside, count: counted.length };
  });
}

interface Plane {
  get: (...place: number[]) => number;
  places: number[][];
}

function product<Item>(lists: Item[][]): Item[][] {
  const [first, ...rest] = lists;
  if (rest.length === 0) return first.map((item) => [item]);
  return first.flatMap((item) => product(rest).map((items) => [item, ...items]));
}

function planeOf(x: Nested, sizes: number[]): Plane {
  const get = (...place: number[]) => place.reduce<Nested>((part, i) => (part as Nested[])[i], x) as number;
  return { get, places: product(sizes.map(range)) };
}

function nest(values: number[], [, ...rest]: number[]): Nested {
  if (rest.length === 0) return values;
  const size = rest.reduce((a, b) => a * b, 1);
  return range(values.length / size).map((i) => nest(values.slice(i * size, (i + 1) * size), rest));
}

export default function pooling(given: Given): Answers {
  const { mode, return_indices } = given;
  const x = given.x as Nested[][];
  const sizes: number[] = [];
  for (let part = x[0][0]; Array.isArray(part); part = part[0]) sizes.push(part.length);
  const along = sizes.map((size, axis) => windows(size, axis, given));
  const outSizes = along.map((list) => list.length);
  const all = product(along);
  const flatIndex = (place: number[]) => place.reduce((index, i, axis) => index * sizes[axis] + i, 0);

  /** The place of the maximum; the first one if there are several. */
  const winner = (window: Window[], { get }: Plane) =>
    product(window.map(({ taps }) => taps)).reduce((best, place) => (get(...place) > get(...best) ? place : best));
  const countOf = (window: Window[]) => window.reduce((count, along) => count * along.count, 1);
  const sumOf = (window: Window[], { get }: Plane) =>
    product(window.map(({ taps }) => taps)).reduce((sum, place) => sum + get(...place), 0);

  const forEachPlane = (f: (plane: Plane, n: number, c: number) => Nested) =>
    x.map((sample, n) => sample.map((values, c) => f(planeOf(values, sizes), n, c)));
  const answers: Record<string, Nested> = {
    out: forEachPlane((plane) => {
      const values = all.map((window) =>
        mode === 'max' ? plane.get(...winner(window, plane)) : sumOf(window, plane) / countOf(window),
      );
      return nest(values, outSizes);
    }),
  };
  if (return_indices)
    answers.indices = forEachPlane((plane) =>
      nest(
        all.map((window) => flatIndex(winner(window, plane))),
        outSizes,
      ),
    );
  if (given.dout === undefined) return answers;

  const dout = given.dout as Nested[][];
  answers.dx = forEachPlane((plane, n, c) => {
    const upstream = planeOf(dout[n][c], outSizes);
    const winners = all.map((window) => flatIndex(winner(window, plane)));
    const gradients = plane.places.map((place) => {
      let gradient = 0;
      upstream.places.forEach((p, w) => {
        const d = upstream.get(...p);
        const isIn = all[w].every(({ taps }, axis) => taps.includes(place[axis]));
        if (mode === 'max' && winners[w] === flatIndex(place)) gradient += d;
        if (mode === 'average' && isIn) gradient += d / countOf(all[w]);
      });
      return gradient;
    });
    return nest(gradients, sizes);
  });
  return answers;
}
