/** Which input each tap of a window falls on, for any number of spatial axes. */
import { padOf, outputSize, transposedOutputSize, type Padding, type WindowAxis } from '../../src/tensor/windows.js';
import { indicesOf, type Index, type Shape } from '../tensors/tensor.js';

type Options = Readonly<Record<string, unknown>>;

const perAxis = <Entry>(option: unknown, axes: number): Entry[] =>
  Array.isArray(option) ? (option as Entry[]) : Array<Entry>(axes).fill(option as Entry);

function uncounted(spatial: Shape, kernel: Shape, options: Options): Omit<WindowAxis, 'output'>[] {
  const strides = perAxis<number>(options.stride ?? kernel, spatial.length);
  const dilations = perAxis<number>(options.dilation ?? 1, spatial.length);
  const paddings = perAxis<Exclude<Padding, readonly unknown[]> | readonly [number, number]>(
    options.padding ?? 0,
    spatial.length,
  );
  return spatial.map((input, i) => {
    const axis = { input, kernel: kernel[i], stride: strides[i], dilation: dilations[i] };
    const [before, after] = padOf(paddings[i], axis);
    return { ...axis, before, after };
  });
}

export function poolingAxes(spatial: Shape, options: Options): WindowAxis[] {
  const kernel = options.global === true ? spatial : perAxis<number>(options.kernel_size, spatial.length);
  return uncounted(spatial, kernel, options).map((axis) => ({
    ...axis,
    output: outputSize(axis, options.ceil_mode === true),
  }));
}

/** In a transposed convolution the windows cover the output, whose size follows from that of the input. */
export function convolutionAxes(spatial: Shape, kernel: Shape, options: Options): WindowAxis[] {
  const axes = uncounted(spatial, kernel, options);
  if (options.transposed !== true) return axes.map((axis) => ({ ...axis, output: outputSize(axis) }));
  const extra = perAxis<number>(options.output_padding ?? 0, spatial.length);
  return axes.map((axis, i) => ({
    ...axis,
    input: transposedOutputSize(axis, extra[i]),
    output: spatial[i],
  }));
}

/** A tap of a window: its index in the kernel, and where it falls, which is in the padding unless it is inside. */
export interface Tap {
  readonly tap: Index;
  readonly input: Index;
  readonly inside: boolean;
}

export function tapsOf(axes: readonly WindowAxis[], place: Index): Tap[] {
  return indicesOf(axes.map(({ kernel }) => kernel)).map((tap) => {
    const input = axes.map(({ stride, before, dilation }, i) => place[i] * stride - before + tap[i] * dilation);
    return { tap, input, inside: input.every((position, i) => position >= 0 && position < axes[i].input) };
  });
}

/** The windows that cover an input, and the tap of each that falls on it. */
export function windowsOver(
  axes: readonly WindowAxis[],
  input: Index,
): { readonly place: Index; readonly tap: Index }[] {
  return indicesOf(axes.map(({ kernel }) => kernel)).flatMap((tap) => {
    const place = axes.map(({ stride, before, dilation }, i) => (input[i] + before - tap[i] * dilation) / stride);
    const isThere = place.every((p, i) => Number.isInteger(p) && p >= 0 && p < axes[i].output);
    return isThere ? [{ place, tap }] : [];
  });
}
