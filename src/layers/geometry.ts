/** From the options of convolution and pooling to the windows of each spatial axis. */
import { count, refuse } from '../refusal.js';
import { formatShape, type Shape } from '../tensor/tensor.js';
import { padOf, type Padding, type PerAxis, type WindowAxis } from '../tensor/windows.js';

/** @throws {Refusal} shape-mismatch unless x is [N, C, *] with one to three spatial axes */
export function expectSpatial(x: { readonly shape: Shape }): Shape {
  if (x.shape.length < 3 || x.shape.length > 5)
    throw refuse(
      'shape-mismatch',
      ['x'],
      `x has shape ${formatShape(x.shape)}; expected [N, C, *] with one to three spatial axes`,
    );
  return x.shape.slice(2);
}

/** @throws {Refusal} value-mismatch if an array does not have one entry per axis */
export function perAxis<Entry>(name: string, option: Entry | readonly Entry[], axes: number): readonly Entry[] {
  if (!Array.isArray(option)) return Array<Entry>(axes).fill(option as Entry);
  const entries = option as readonly Entry[];
  if (entries.length !== axes)
    throw refuse(
      'value-mismatch',
      [name],
      `${name} has ${count(entries.length, 'entry')}; expected ${axes}, one for each spatial axis of x`,
    );
  return entries;
}

export interface WindowOptions {
  readonly kernel: readonly number[];
  readonly stride: PerAxis;
  readonly dilation: PerAxis;
  readonly padding: Padding;
}

/** Every axis without its output size, which depends on the layer. */
export function windowAxes(input: Shape, options: WindowOptions): Omit<WindowAxis, 'output'>[] {
  const strides = perAxis('stride', options.stride, input.length);
  const dilations = perAxis('dilation', options.dilation, input.length);
  const paddings = perAxis<Exclude<Padding, readonly unknown[]> | readonly [number, number]>(
    'padding',
    options.padding,
    input.length,
  );
  return input.map((size, i) => {
    const axis = { input: size, kernel: options.kernel[i], stride: strides[i], dilation: dilations[i] };
    const [before, after] = padOf(paddings[i], axis);
    return { ...axis, before, after };
  });
}
