/** When two tensors are alike, and how far apart they are. */
import type { Shape, TensorData } from '../tensor/tensor.js';

/** As NumPy's `allclose`: |claimed − expected| ≤ atol + rtol · |expected|. */
export interface Tolerance {
  readonly rtol: number;
  readonly atol: number;
}

/** 0 where both are the same infinity, or both not a number. */
function distance(claimed: number, expected: number): number {
  if (Object.is(claimed, expected) || claimed === expected) return 0;
  const apart = Math.abs(claimed - expected);
  return Number.isNaN(apart) ? Infinity : apart;
}

function allowed(expected: number, { rtol, atol }: Tolerance): number {
  return Number.isFinite(expected) ? atol + rtol * Math.abs(expected) : atol;
}

export function isClose(claimed: number, expected: number, tolerance: Tolerance): boolean {
  return distance(claimed, expected) <= allowed(expected, tolerance);
}

/** Of arrays of one length. */
export function areClose(claimed: TensorData, expected: TensorData, tolerance: Tolerance): boolean {
  for (let i = 0; i < expected.length; i++) if (!isClose(claimed[i], expected[i], tolerance)) return false;
  return true;
}

export function largestDistance(claimed: TensorData, expected: TensorData): number {
  let largest = 0;
  for (let i = 0; i < expected.length; i++) largest = Math.max(largest, distance(claimed[i], expected[i]));
  return largest;
}

export function largestMagnitude(data: TensorData): number {
  let largest = 0;
  for (let i = 0; i < data.length; i++) if (Number.isFinite(data[i])) largest = Math.max(largest, Math.abs(data[i]));
  return largest;
}

export interface Comparison {
  readonly maxAbsoluteError: number;
  readonly maxRelativeError: number;
  /** Where the tolerance is exceeded by most, or most nearly. */
  readonly worst: number;
  /** Of each element. */
  readonly wrong: Uint8Array;
}

export function compare(claimed: TensorData, expected: TensorData, tolerance: Tolerance): Comparison {
  const wrong = new Uint8Array(expected.length);
  let [maxAbsoluteError, maxRelativeError, worst, largestExcess] = [0, 0, 0, -1];
  for (let i = 0; i < expected.length; i++) {
    const apart = distance(claimed[i], expected[i]);
    const room = allowed(expected[i], tolerance);
    wrong[i] = apart <= room ? 0 : 1;
    maxAbsoluteError = Math.max(maxAbsoluteError, apart);
    if (apart > 0) maxRelativeError = Math.max(maxRelativeError, apart / Math.abs(expected[i]));
    const excess = apart === 0 ? 0 : apart / room;
    if (excess > largestExcess) [largestExcess, worst] = [excess, i];
  }
  return { maxAbsoluteError, maxRelativeError: orInfinity(maxRelativeError), worst, wrong };
}

function orInfinity(value: number): number {
  return Number.isNaN(value) ? Infinity : value;
}

/** Where element `index` stands along each axis. */
export function indexOf(index: number, shape: Shape): number[] {
  const places = Array<number>(shape.length);
  for (let axis = shape.length - 1, rest = index; axis >= 0; axis--) {
    places[axis] = rest % shape[axis];
    rest = Math.floor(rest / shape[axis]);
  }
  return places;
}
