/**
 * Requests and responses as JSON: a tensor is a nested array of numbers, and its nesting is its shape.
 *
 * The service computes these in float64, its default, and the response is rounded here.
 */
import type { Fields, Format } from './format.js';
import { Tensor, unstack } from './tensor.js';

type Nested = number | readonly Nested[];

export const json: Format = {
  mediaType: 'application/json',

  write(fields) {
    const entries = Object.entries(fields);
    const written = entries.map(([name, value]) => [name, value instanceof Tensor ? nested(value) : value]);
    return JSON.stringify(Object.fromEntries(written));
  },

  read(bytes) {
    const fields = JSON.parse(new TextDecoder().decode(bytes)) as Fields;
    const entries = Object.entries(fields);
    return Object.fromEntries(entries.map(([name, value]) => [name, Array.isArray(value) ? flat(value) : value]));
  },
};

function nested(tensor: Tensor): Nested {
  return tensor.shape.length > 1 ? unstack(tensor).map(nested) : [...tensor.data];
}

function flat(array: readonly Nested[]): Tensor {
  const shape: number[] = [];
  for (let inner: Nested = array; typeof inner !== 'number'; inner = inner[0]) shape.push(inner.length);
  return new Tensor(shape, new Float32Array((array as readonly unknown[]).flat(shape.length - 1) as number[]));
}
