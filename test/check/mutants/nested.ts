/** From tensors to nested arrays and back. */
import { tensor, type Tensor } from '../../../src/tensor/tensor.js';
import type { Nested } from './definition.js';

export function nestedOf({ shape, data }: Tensor): Nested {
  const part = (axis: number, start: number, size: number): Nested => {
    if (axis === shape.length) return data[start];
    const step = size / shape[axis];
    return Array.from({ length: shape[axis] }, (_, i) => part(axis + 1, start + i * step, step));
  };
  return part(0, 0, data.length);
}

/** @throws if the arrays are ragged or empty, or hold anything that is no number; NaN is none */
export function tensorOf(nested: unknown): Tensor<Float64Array> {
  const shape: number[] = [];
  for (let part = nested; Array.isArray(part); part = part[0] as unknown) shape.push(part.length);
  const values: number[] = [];
  const visit = (part: unknown, axis: number): void => {
    if (axis === shape.length) {
      if (typeof part !== 'number' || Number.isNaN(part)) throw new Error(`${String(part)} is no number`);
      values.push(part);
      return;
    }
    if (!Array.isArray(part) || part.length !== shape[axis] || part.length === 0) throw new Error('ragged');
    // By index: `forEach` would pass over holes.
    for (let i = 0; i < part.length; i++) visit(part[i], axis + 1);
  };
  visit(nested, 0);
  return tensor(shape, Float64Array.from(values));
}
