/** What the pages of rnn and lstm share. */
import { randomTensor, seeded } from '../tensors/random.js';
import { nest, sizeOf, type Nested, type Shape } from '../tensors/tensor.js';
import { rounded, shapesOf } from './page.js';

/** Two periods of a sine in `T` steps. */
export function sine(T: number): Nested {
  return [Array.from({ length: T }, (_, t) => [rounded(Math.sin((4 * Math.PI * t) / T))])];
}

/** 1 at one step and 0 elsewhere, to show how long the layer remembers it. */
export function impulse(T: number): Nested {
  return [Array.from({ length: T }, (_, t) => [t === 1 ? 1 : 0])];
}

/** Weights small enough that gates stay in the middle of their range. */
export function weights(shape: Shape, seed: number): Nested {
  const random = seeded(seed);
  return nest(
    Array.from({ length: sizeOf(shape) }, () => rounded(1.6 * (random() - 0.5))),
    shape,
  );
}

/** A gradient only at the last step: all of it at earlier steps has come back through time. */
export function lastStepOf(T: number, H: number): Nested {
  return [Array.from({ length: T }, (_, t) => Array.from({ length: H }, () => (t === T - 1 ? 1 : 0)))];
}

export const upstreamOf = (T: number, H: number, seed: number): Nested => randomTensor([1, T, H], seeded(seed));

export function added(name: string, inputs: Readonly<Record<string, Nested>>): { shape: Shape; value: number } {
  const { x, weight_hh } = shapesOf(inputs);
  const two = weight_hh.length === 3;
  const [H, R] = [weight_hh[weight_hh.length - 1], weight_hh[weight_hh.length - 2]];
  if (name === 'sequence_lengths') return { shape: [x[0]], value: x[1] };
  const shape = name.startsWith('bias') ? [R] : [x[0], H];
  return { shape: two ? [2, ...shape] : shape, value: 0 };
}
