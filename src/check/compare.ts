/** Whether two tensors are close, and how far apart they are. */
import type { Shape, Tensor, TensorData } from '../tensor/tensor.js';

/** As NumPy's `allclose`: |claimed − expected| ≤ atol + rtol · |expected|. */
export interface Tolerance {
  readonly rtol: number;
  readonly atol: number;
}

/** Values, and how far each may be from the number it represents because of rounding or printing. */
export interface Values {
  readonly data: TensorData;
  /** Absolute allowance for each element, added to the tolerance; none if absent. */
  readonly room?: Float64Array | undefined;
}

/** A tensor whose elements may have room. Tensors derived from it (a slice, a permutation, a multiple) have it too. */
export type Measured = Tensor & Values;

/** The absolute difference: 0 for equal infinities or two NaNs, and infinite if only one is NaN. */
function distance(claimed: number, expected: number): number {
  if (Object.is(claimed, expected) || claimed === expected) return 0;
  const apart = Math.abs(claimed - expected);
  return Number.isNaN(apart) ? Infinity : apart;
}

/** Allowed distance between element i of a claim and element j of the expected values; the room of both counts. */
function allowed(claimed: Values, i: number, { data, room }: Values, j: number, { rtol, atol }: Tolerance): number {
  // Indices and masks must be equal.
  if (data instanceof Int32Array || data instanceof Uint8Array) return 0;
  const relative = Number.isFinite(data[j]) ? rtol * Math.abs(data[j]) : 0;
  return atol + relative + (claimed.room?.[i] ?? 0) + (room?.[j] ?? 0);
}

/** Compares element i of a claim with element j of the expected values. */
export function isClose(claimed: Values, i: number, expected: Values, j: number, tolerance: Tolerance): boolean {
  return distance(claimed.data[i], expected.data[j]) <= allowed(claimed, i, expected, j, tolerance);
}

/** Compares values of equal length. */
export function areClose(claimed: Values, expected: Values, tolerance: Tolerance): boolean {
  for (let i = 0; i < expected.data.length; i++) if (!isClose(claimed, i, expected, i, tolerance)) return false;
  return true;
}

/** Applies a function to every value, and adjusts the room accordingly. */
export function mapValues<Of extends Values>(values: Of, of: (value: number, i: number) => number): Of {
  const data = Float64Array.from(values.data, of);
  // An infinite value gets no room, because ∞ − ∞ is NaN.
  const room = values.room?.map((room, i) => Math.abs(of(values.data[i] + room, i) - data[i]) || 0);
  return { ...values, data, room };
}

/** The largest distance, less the room of the claimed value. */
export function largestDistance(claimed: Values, expected: Values): number {
  let largest = 0;
  for (let i = 0; i < expected.data.length; i++)
    largest = Math.max(largest, distance(claimed.data[i], expected.data[i]) - (claimed.room?.[i] ?? 0));
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
  /** Index of the element that exceeds the tolerance most or, if none does, comes closest to it. */
  readonly worst: number;
  /** 1 for each element outside the tolerance. */
  readonly wrong: Uint8Array;
}

export function compare(claimed: Values, expected: Values, tolerance: Tolerance): Comparison {
  const wrong = new Uint8Array(expected.data.length);
  let [maxAbsoluteError, maxRelativeError, worst, largestExcess] = [0, 0, 0, -1];
  for (let i = 0; i < expected.data.length; i++) {
    const apart = distance(claimed.data[i], expected.data[i]);
    const room = allowed(claimed, i, expected, i, tolerance);
    wrong[i] = apart <= room ? 0 : 1;
    maxAbsoluteError = Math.max(maxAbsoluteError, apart);
    if (apart > 0) maxRelativeError = Math.max(maxRelativeError, apart / Math.abs(expected.data[i]));
    const excess = apart === 0 ? 0 : apart / room;
    if (excess > largestExcess) [largestExcess, worst] = [excess, i];
  }
  return { maxAbsoluteError, maxRelativeError: orInfinity(maxRelativeError), worst, wrong };
}

function orInfinity(value: number): number {
  return Number.isNaN(value) ? Infinity : value;
}

/** The position of element `index` along each axis. */
export function indexOf(index: number, shape: Shape): number[] {
  const places = Array<number>(shape.length);
  for (let axis = shape.length - 1, rest = index; axis >= 0; axis--) {
    places[axis] = rest % shape[axis];
    rest = Math.floor(rest / shape[axis]);
  }
  return places;
}
