/** A body with its tensors as typed arrays, as every codec reads and writes it. */
import type { Tensor } from '../tensor/tensor.js';

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** Undefined fields are not written. */
export type Field = Tensor | Json | Fields | readonly Fields[] | undefined;
export interface Fields {
  readonly [name: string]: Field;
}

export function isObject(value: Field): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !isTensor(value);
}

export function isList(value: Field): value is readonly Fields[] {
  return Array.isArray(value) && value.length > 0 && (value as readonly Field[]).every(isObject);
}

export function isTensor(value: Field): value is Tensor {
  return typeof value === 'object' && value !== null && 'data' in value && ArrayBuffer.isView(value.data);
}
