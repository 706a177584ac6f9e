/**
 * The positions of windows (of a convolution or pooling) along the spatial axes.
 *
 * A window's tap k along an axis reads the input at `o * stride - before + k * dilation` for output position o.
 */
import type { Shape } from './tensor.js';

/** One spatial axis; all in elements. */
export interface WindowAxis {
  readonly input: number;
  readonly kernel: number;
  readonly stride: number;
  readonly dilation: number;
  /** Pad before the first and after the last input element. */
  readonly before: number;
  readonly after: number;
  readonly output: number;
}

/** One integer for all axes, or one for each. */
export type PerAxis = number | readonly number[];
export type Padding = 'valid' | 'same' | 'same_lower' | number | readonly (number | readonly [number, number])[];

/** Number of elements that a window spans, from its first to its last tap. */
export function effectiveKernel(kernel: number, dilation: number): number {
  return (kernel - 1) * dilation + 1;
}

/** The [before, after] pad of an axis. `same` and `same_lower` result in ceil(input / stride) outputs. */
export function padOf(
  padding: Exclude<Padding, readonly unknown[]> | readonly [number, number],
  axis: Pick<WindowAxis, 'input' | 'kernel' | 'stride' | 'dilation'>,
): readonly [number, number] {
  if (typeof padding === 'number') return [padding, padding];
  if (typeof padding !== 'string') return padding;
  if (padding === 'valid') return [0, 0];
  const covered = (Math.ceil(axis.input / axis.stride) - 1) * axis.stride + effectiveKernel(axis.kernel, axis.dilation);
  const total = Math.max(covered - axis.input, 0);
  const small = Math.floor(total / 2);
  return padding === 'same' ? [small, total - small] : [total - small, small];
}

/**
 * The number of windows that fit. With `ceilMode`, a last one may extend past the end unless it would start in the
 * padding after the input (as in PyTorch). Zero or negative if no window fits.
 */
export function outputSize(axis: Omit<WindowAxis, 'output'>, ceilMode = false): number {
  const room = axis.input + axis.before + axis.after - effectiveKernel(axis.kernel, axis.dilation);
  if (!ceilMode) return Math.floor(room / axis.stride) + 1;
  const size = Math.ceil(room / axis.stride) + 1;
  return (size - 1) * axis.stride >= axis.input + axis.before ? size - 1 : size;
}

/** Output size of a transposed convolution: the input size of the convolution whose gradient it is. */
export function transposedOutputSize(axis: Omit<WindowAxis, 'output'>, outputPadding: number): number {
  const covered = (axis.input - 1) * axis.stride + effectiveKernel(axis.kernel, axis.dilation);
  return covered - axis.before - axis.after + outputPadding;
}

/** Exactly three axes, for loops that know only three: absent leading axes have size 1. */
export type WindowAxes = readonly [WindowAxis, WindowAxis, WindowAxis];

const unit: WindowAxis = { input: 1, kernel: 1, stride: 1, dilation: 1, before: 0, after: 0, output: 1 };

export function threeAxes(axes: readonly WindowAxis[]): WindowAxes {
  const [d = unit, h = unit, w = unit] = [...Array<WindowAxis>(3 - axes.length).fill(unit), ...axes];
  return [d, h, w];
}

/** The product of one size over all axes, e.g. the number of taps of a window. */
export function product(axes: readonly WindowAxis[], size: 'input' | 'kernel' | 'output'): number {
  return axes.reduce((all, axis) => all * axis[size], 1);
}

export function outputShape(axes: readonly WindowAxis[]): Shape {
  return axes.map((axis) => axis.output);
}

/** The first output position whose taps all fall outside the input, if there is one. */
export function emptyWindow(axis: WindowAxis): number | undefined {
  for (let o = 0; o < axis.output; o++) {
    const start = o * axis.stride - axis.before;
    const firstInside = start >= 0 ? start : start + Math.ceil(-start / axis.dilation) * axis.dilation;
    if (firstInside >= axis.input || firstInside > start + (axis.kernel - 1) * axis.dilation) return o;
  }
  return undefined;
}
