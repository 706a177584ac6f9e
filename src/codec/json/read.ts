/** Reads a JSON text as plain values, and its tensors as typed arrays. */
import type { Path } from '../../refusal.js';
import type { FloatDtype, Tensor } from '../../tensor/tensor.js';
import type { TensorNames } from '../codec.js';
import { floatsOf, integersOf } from './nested.js';
import { DEEPEST } from './nesting.js';
import { readText } from './reader.js';
import { TensorText } from './tensor-text.js';

export { HIGHEST_RANK } from './nested.js';

/**
 * @param names of the tensors, which remain text until their dtype is known; if absent, everything is parsed
 * @throws {Refusal} invalid-json; duplicate-name if the text is otherwise JSON
 */
export function parseJson(bytes: Buffer, names?: TensorNames, deepest = DEEPEST): unknown {
  return readText(bytes, names, deepest);
}

/** Whether what {@link parseJson} returned is a JSON object. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * Checks that what {@link parseJson} left as text is JSON, with the fast reader if possible: a flood of refused
 * requests must stay cheap.
 * @throws {Refusal} invalid-json or duplicate-name, at the first offender
 */
export function expectJson(values: unknown): void {
  if (values instanceof TensorText) values.expectJson();
  else if (typeof values === 'object' && values !== null) for (const value of Object.values(values)) expectJson(value);
}

/**
 * @param value a tensor that {@link parseJson} left as text, or any other value
 * @param path the place of `value` in the body
 * @throws {Refusal} invalid-tensor, ragged-tensor or number-out-of-range, at the first offender; invalid-json or
 * duplicate-name in its text
 */
export function decodeFloats(value: unknown, dtype: FloatDtype, path: Path): Tensor {
  return value instanceof TensorText ? value.floats(dtype, path) : floatsOf(value, dtype, path);
}

/** @throws {Refusal} as `decodeFloats`, and if an entry is not a 32-bit integer */
export function decodeIntegers(value: unknown, path: Path): Tensor {
  return value instanceof TensorText ? value.integers(path) : integersOf(value, path);
}
