/** Layers as a person writes them by hand, right, or with one mistake: plain loops that know nothing of the service. */
import type { Call } from '../../../src/check/definition.js';
import { tensor, type Shape, type Tensor } from '../../../src/tensor/tensor.js';

/**
 * @param wrong id of the mistake that is made, nothing where all is right
 * @returns what it computes, or a part of it
 */
export type Implementation = (call: Call, wrong?: string) => Record<string, Tensor>;

export function values(given: Tensor | undefined): number[] {
  return given ? Array.from(given.data) : [];
}

export function make(shape: Shape, data: readonly number[]): Tensor {
  return tensor(shape, Float64Array.from(data));
}

export function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, value) => total + value, 0);
}

export function range(length: number): number[] {
  return Array.from({ length }, (_, i) => i);
}
