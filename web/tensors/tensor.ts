/** Tensors as the page uses them: flat and row-major, or as the nested arrays of JSON. */

export type Shape = readonly number[];
export type Index = readonly number[];

/** A tensor in JSON. A string is NaN or an infinity, or text that a person typed by mistake. */
export type Nested = number | string | readonly Nested[];

export interface Tensor {
  readonly shape: Shape;
  readonly data: readonly number[];
}

export const sizeOf = (shape: Shape): number => shape.reduce((size, axis) => size * axis, 1);

/** The shape by the first entry of each axis; the service says where others differ. */
export function shapeOf(nested: Nested): Shape {
  return Array.isArray(nested)
    ? [(nested as readonly Nested[]).length, ...shapeOf((nested as readonly Nested[])[0] ?? 0)]
    : [];
}

export function isRagged(nested: Nested, shape: Shape = shapeOf(nested)): boolean {
  if (shape.length === 0) return Array.isArray(nested);
  if (!Array.isArray(nested) || nested.length !== shape[0]) return true;
  return (nested as readonly Nested[]).some((inner) => isRagged(inner, shape.slice(1)));
}

/** Whether a value from outside can be shown: evenly nested arrays of numbers, or of text typed in their place. */
export function isTensor(value: unknown): value is Nested {
  const isNested = (each: unknown): each is Nested =>
    Array.isArray(each) ? each.every(isNested) : typeof each === 'number' || typeof each === 'string';
  return Array.isArray(value) && isNested(value) && !isRagged(value) && !shapeOf(value).includes(0);
}

/** `undefined` if an entry is not a number, or if the tensor is ragged. */
export function tensorOf(nested: Nested): Tensor | undefined {
  const shape = shapeOf(nested);
  if (isRagged(nested, shape)) return undefined;
  const data = flat(nested).map(numberOf);
  return data.includes(undefined) ? undefined : { shape, data: data as number[] };
}

export function flat(nested: Nested): (number | string)[] {
  return typeof nested === 'object' ? nested.flatMap(flat) : [nested];
}

const NAMED: Readonly<Record<string, number>> = { NaN: NaN, Infinity: Infinity, '-Infinity': -Infinity };

export function numberOf(value: number | string): number | undefined {
  return typeof value === 'number' ? value : NAMED[value];
}

/** The inverse of {@link flat}. */
export function nest(values: readonly Nested[], shape: Shape): Nested {
  if (shape.length === 0) return values[0];
  const step = sizeOf(shape.slice(1));
  return Array.from({ length: shape[0] }, (_, i) => nest(values.slice(i * step, (i + 1) * step), shape.slice(1)));
}

export function offsetOf(shape: Shape, index: Index): number {
  return shape.reduce((offset, size, axis) => offset * size + index[axis], 0);
}

export function indexAt(shape: Shape, offset: number): number[] {
  const index: number[] = [];
  for (let axis = shape.length - 1, rest = offset; axis >= 0; axis--) {
    index.unshift(rest % shape[axis]);
    rest = Math.floor(rest / shape[axis]);
  }
  return index;
}

export function at({ shape, data }: Tensor, index: Index): number {
  return data[offsetOf(shape, index)];
}

export function nestedAt(nested: Nested, index: Index): number | string {
  return index.reduce<Nested>((inner, i) => (inner as readonly Nested[])[i], nested) as number | string;
}

export function withCell(nested: Nested, [first, ...rest]: Index, value: number | string): Nested {
  return (nested as readonly Nested[]).map((inner, i) =>
    i !== first ? inner : rest.length > 0 ? withCell(inner, rest, value) : value,
  );
}

/** Every index of a shape, in row-major order. */
export function indicesOf(shape: Shape): Index[] {
  return Array.from({ length: sizeOf(shape) }, (_, offset) => indexAt(shape, offset));
}

/** Keeps the values inside both shapes, and fills new positions from `fill`. Ranks must be equal. */
export function resized(nested: Nested, shape: Shape, fill: () => number): Nested {
  const old = shapeOf(nested);
  const values = indicesOf(shape).map((index) =>
    index.every((i, axis) => i < old[axis]) ? nestedAt(nested, index) : fill(),
  );
  return nest(values, shape);
}

/** The same values with another rank, by adding or removing leading axes of size 1. */
export function ofRank(nested: Nested, rank: number): Nested {
  let result = nested;
  while (shapeOf(result).length < rank) result = [result];
  while (shapeOf(result).length > rank && (result as readonly Nested[]).length === 1)
    result = (result as readonly Nested[])[0];
  return result;
}
