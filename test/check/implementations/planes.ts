/** Shared by the handwritten convolutions and poolings: planes of one or two axes are treated as planes of three. */
import type { Instance, Options } from '../../../src/layers/instance.js';
import { sizeOf, type Shape, type Tensor } from '../../../src/tensor/tensor.js';
import { make, range, sum, type Implementation } from './implementation.js';

export type Three = readonly [number, number, number];

/** Missing axes are added in front. */
export function three(given: number | readonly number[], axes: number, missing: number): Three {
  const all = typeof given === 'number' ? range(axes).map(() => given) : given;
  return [...range(3 - axes).map(() => missing), ...all] as unknown as Three;
}

/** Padding as given in cases and tests: one number, one per axis, or one pair per axis. */
function pads(padding: unknown, axes: number): { before: Three; after: Three } {
  const entries = typeof padding === 'number' ? range(axes).map(() => padding) : (padding as (number | number[])[]);
  const pairs = entries.map((entry) => (typeof entry === 'number' ? [entry, entry] : entry));
  return {
    before: three(
      pairs.map(([first]) => first),
      axes,
      0,
    ),
    after: three(
      pairs.map(([, second]) => second),
      axes,
      0,
    ),
  };
}

export function geometry(options: Options, axes: number) {
  const { stride, dilation, padding } = options as { stride: number; dilation: number; padding: unknown };
  return { stride: three(stride, axes, 1), dilation: three(dilation, axes, 1), ...pads(padding, axes) };
}

export const map3 = (of: (axis: number) => number): Three => [of(0), of(1), of(2)];

/** All positions of a plane, in row-major order. */
export function grid([D, H, W]: Three): Three[] {
  return range(D).flatMap((d) => range(H).flatMap((h) => range(W).map((w): Three => [d, h, w])));
}

export const at = ([, H, W]: Three, [d, h, w]: Three) => (d * H + h) * W + w;

export const isIn = (size: Three, place: Three) => place.every((index, axis) => index >= 0 && index < size[axis]);

/** Right gradients, and the output of another stride and dilation. */
export function exchanged(of: Implementation, instance: Instance): ReturnType<Implementation> {
  const { stride, dilation } = instance.options;
  const options = { ...instance.options, stride: dilation, dilation: stride };
  return { ...of(instance), out: of({ ...instance, options, upstream: {} }).out };
}

/** Right gradients, and an output without the last windows along the last axis that has two. */
export function shortened(of: Implementation, instance: Instance): ReturnType<Implementation> {
  const answers = of(instance);
  const { shape, data } = answers.out;
  const axis = shape.findLastIndex((size, i) => i > 1 && size > 1);
  if (axis < 0) return answers;
  const inner = sizeOf(shape.slice(axis + 1));
  // Two, if there are more: without output_padding, one is missing, too.
  const left = shape[axis] > 2 ? shape[axis] - 2 : 1;
  const kept = Array.from(data).filter((_, i) => Math.floor(i / inner) % shape[axis] < left);
  return { ...answers, out: make(shape.with(axis, left), kept) };
}

/** dbias of a convolution, plain or transposed. */
export function dbiasOf(dout: readonly number[], shape: Shape, wrong: string): Tensor {
  const [N, O] = shape;
  const P = sizeOf(shape.slice(2));
  const overPlaces = (n: number, o: number) => sum(range(P).map((p) => dout[(n * O + o) * P + p]));
  if (wrong === 'dbias_over_batch_alone')
    return make(
      shape.slice(1),
      range(O * P).map((i) => sum(range(N).map((n) => dout[n * O * P + i]))),
    );
  if (wrong === 'dbias_over_other_axes')
    return make(
      [N],
      range(N).map((n) => sum(range(O).map((o) => overPlaces(n, o)))),
    );
  if (wrong === 'dbias_of_one_sample')
    return make(
      [O],
      range(O).map((o) => overPlaces(N - 1, o)),
    );
  const by = wrong === 'dbias_averaged' ? N * P : 1;
  return make(
    [O],
    range(O).map((o) => sum(range(N).map((n) => overPlaces(n, o))) / by),
  );
}
