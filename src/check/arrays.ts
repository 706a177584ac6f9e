/** What the steps of the layers are written with. */

export function each(length: number, value: (i: number) => number): Float64Array<ArrayBuffer> {
  return Float64Array.from({ length }, (_, i) => value(i));
}

/** Σ value(i) for i from 0 to count − 1. */
export function sumOf(count: number, value: (i: number) => number): number {
  let sum = 0;
  for (let i = 0; i < count; i++) sum += value(i);
  return sum;
}
