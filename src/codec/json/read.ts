/** From the bytes of a JSON text to plain values, and from a tensor of it to a typed array. */
import type { Path } from '../../refusal.js';
import type { FloatDtype, Tensor } from '../../tensor/tensor.js';
import type { TensorNames } from '../codec.js';
import { parseBody, TensorText } from './body.js';
import { DEEPEST, expectShallow } from './nesting.js';
import * as plain from './plain/read.js';

export { HIGHEST_RANK, preview } from './plain/read.js';

/**
 * @param names of the tensors, which stay text until their dtype is known; without, all is parsed
 * @throws {Refusal} invalid-json
 */
export function parseJson(bytes: Buffer, names?: TensorNames, deepest = DEEPEST): unknown {
  const body = names && parseBody(bytes, names, deepest);
  if (body !== undefined) return body;
  expectShallow(bytes, deepest);
  return plain.parseJson(bytes);
}

/**
 * @param value nested arrays, or a tensor that {@link parseJson} left as text
 * @param path where `value` stands in the body
 * @throws {Refusal} invalid-tensor, ragged-tensor or number-out-of-range, at the first offender; invalid-json
 */
export function decodeFloats(value: unknown, dtype: FloatDtype, path: Path): Tensor {
  return value instanceof TensorText ? value.floats(dtype, path) : plain.decodeFloats(value, dtype, path);
}

/** @throws {Refusal} as `decodeFloats`, and where an entry is not an integer of 32 bits */
export function decodeIntegers(value: unknown, path: Path): Tensor {
  return value instanceof TensorText ? value.integers(path) : plain.decodeIntegers(value, path);
}
