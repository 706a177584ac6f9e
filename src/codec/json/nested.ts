/** Converts nested arrays to tensors. Defines what a tensor is, and how anything else is refused. */
import { count, jsonPointer, refuse, type Path, type Refusal } from '../../refusal.js';
import { isNearInteger, nearestOf } from '../../validation/near-integer.js';
import { preview } from '../../validation/preview.js';
import { floatArray, sizeOf, tensor, type FloatDtype, type Tensor } from '../../tensor/tensor.js';

/** For decades NumPy's limit (NPY_MAXDIMS); no layer needs more than 5. */
export const HIGHEST_RANK = 32;

/**
 * @param path the place of `value` in the body
 * @throws {Refusal} invalid-tensor, ragged-tensor or number-out-of-range, at the first offender
 */
export function floatsOf(value: unknown, dtype: FloatDtype, path: Path): Tensor {
  const shape = shapeOf(value, path);
  const data = floatArray(dtype, sizeOf(shape));
  eachRow(value, shape, path, (row, start, rowPath) => {
    for (let i = 0; i < row.length; i++) {
      const entry = row[i];
      const number = typeof entry === 'number' ? entry : otherNumber(entry, [...rowPath, i]);
      data[start + i] = number;
      if (typeof entry === 'number' && !Number.isFinite(data[start + i]))
        throw refuse(
          'number-out-of-range',
          [...rowPath, i],
          `${jsonPointer([...rowPath, i])} is beyond the range of ${dtype} (about ±${dtype === 'float32' ? '3.4e38' : '1.8e308'}); an infinity is written "Infinity"`,
        );
    }
  });
  return tensor(shape, data);
}

/** @throws {Refusal} as `floatsOf`, and if an entry is not a 32-bit integer */
export function integersOf(value: unknown, path: Path): Tensor {
  const shape = shapeOf(value, path);
  const data = new Int32Array(sizeOf(shape));
  eachRow(value, shape, path, (row, start, rowPath) => {
    for (let i = 0; i < row.length; i++) {
      const entry = row[i];
      if (typeof entry !== 'number' || (entry | 0) !== entry)
        throw notA(Number.isInteger(entry) ? 'a 32-bit integer' : 'an integer', entry, [...rowPath, i]);
      data[start + i] = entry;
    }
  });
  return tensor(shape, data);
}

function otherNumber(entry: unknown, path: Path): number {
  if (isNearInteger(entry)) return nearestOf(entry);
  if (entry === 'NaN') return NaN;
  if (entry === 'Infinity') return Infinity;
  if (entry === '-Infinity') return -Infinity;
  throw notA('a number', entry, path);
}

function notA(expected: string, entry: unknown, path: Path): Refusal {
  const place = jsonPointer(path);
  if (Array.isArray(entry))
    return refuse(
      'ragged-tensor',
      path,
      `${place} is ${preview(entry)}; expected ${expected}, as ${jsonPointer([...path.slice(0, -1), 0])} is`,
    );
  const strings = expected === 'a number' ? ' (or "NaN", "Infinity", "-Infinity")' : '';
  return refuse('invalid-tensor', path, `${place} is ${preview(entry)}; expected ${expected}${strings}`);
}

/** The shape by the first entry of each axis; `checkNesting` compares the others with it. */
function shapeOf(value: unknown, path: Path): number[] {
  if (!Array.isArray(value))
    throw refuse(
      'invalid-tensor',
      path,
      `${jsonPointer(path)} is ${preview(value)}; expected a tensor, nested arrays of numbers`,
    );
  const shape: number[] = [];
  const here = [...path];
  for (let first: unknown = value; Array.isArray(first); first = first[0]) {
    if (first.length === 0)
      throw refuse('invalid-tensor', here, `${jsonPointer(here)} is an empty array; expected at least one entry`);
    if (shape.push(first.length) > HIGHEST_RANK)
      throw refuse('invalid-tensor', path, `${jsonPointer(path)} is nested deeper than ${HIGHEST_RANK} arrays`);
    here.push(0);
  }
  checkNesting(value, shape, 0, path);
  return shape;
}

/** Compares the length of every array with the shape before anything of that size is allocated. */
function checkNesting(value: unknown, shape: readonly number[], axis: number, path: Path): void {
  if (!Array.isArray(value)) {
    const like = [...path.slice(0, -1), 0];
    const kind = typeof value === 'number' || isNearInteger(value) ? 'ragged-tensor' : 'invalid-tensor';
    throw refuse(
      kind,
      path,
      `${jsonPointer(path)} is ${preview(value)}; expected an array of ${shape[axis]}, as ${jsonPointer(like)} is`,
    );
  }
  if (value.length !== shape[axis])
    throw refuse(
      value.length === 0 ? 'invalid-tensor' : 'ragged-tensor',
      path,
      `${jsonPointer(path)} has ${count(value.length, 'entry')}; expected ${shape[axis]}, as its neighbour ${jsonPointer([...path.slice(0, -1), 0])} has`,
    );
  if (axis + 1 < shape.length)
    value.forEach((entry, i) => {
      checkNesting(entry, shape, axis + 1, [...path, i]);
    });
}

/** Calls `visit` for each innermost array. */
function eachRow(
  value: unknown,
  shape: readonly number[],
  path: Path,
  visit: (row: readonly unknown[], start: number, path: Path) => void,
): void {
  let start = 0;
  const descend = (entries: readonly unknown[], axis: number, here: Path): void => {
    if (axis === shape.length - 1) {
      visit(entries, start, here);
      start += entries.length;
    } else
      entries.forEach((entry, i) => {
        descend(entry as unknown[], axis + 1, [...here, i]);
      });
  };
  descend(value as unknown[], 0, path);
}
