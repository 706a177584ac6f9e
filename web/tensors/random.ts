/** Random tensors with few decimals, so that cells are easy to read. */
import { nest, sizeOf, type Nested, type Shape } from './tensor.js';

/** Normal, by Box and Muller. */
export function randomNumber(random: () => number = Math.random): number {
  const normal = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  // Adding 0 turns -0 into 0.
  return Math.round(normal * 100) / 100 + 0;
}

export function randomTensor(shape: Shape, random: () => number = Math.random): Nested {
  return nest(
    Array.from({ length: sizeOf(shape) }, () => randomNumber(random)),
    shape,
  );
}

export function filled(shape: Shape, value: number): Nested {
  return nest(
    Array.from({ length: sizeOf(shape) }, () => value),
    shape,
  );
}

/** The same numbers on every visit, for examples: the generator of Numerical Recipes, modulo 2³². */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}
