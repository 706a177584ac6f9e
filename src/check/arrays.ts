/** Arrays of float64, computed element by element, and sums: what the steps of the layers are written with. */
import type { FloatArray } from '../tensor/tensor.js';

export function each(length: number, value: (i: number) => number): Float64Array<ArrayBuffer> {
  return Float64Array.from({ length }, (_, i) => value(i));
}

/** Σ value(i) for i from 0 to count − 1. */
export function sumOf(count: number, value: (i: number) => number): number {
  let sum = 0;
  for (let i = 0; i < count; i++) sum += value(i);
  return sum;
}

/** The steps of these names, with every value of their results times a factor. */
export function scaled<State, Name extends string>(
  steps: Readonly<Record<NoInfer<Name>, (s: State) => FloatArray>>,
  names: readonly Name[],
  factor: (s: State) => number,
) {
  const step = (name: Name) => (s: State) => steps[name](s).map((value) => value * factor(s));
  return Object.fromEntries(names.map((name) => [name, step(name)])) as Record<Name, (s: State) => FloatArray>;
}
