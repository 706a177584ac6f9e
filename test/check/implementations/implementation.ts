/** Handwritten layers, correct or with one mistake: plain loops that share no code with the service. */
import type { Instance } from '../../../src/layers/instance.js';
import { tensor, type Shape, type Tensor } from '../../../src/tensor/tensor.js';

/**
 * @param wrong id of the mistake to make; none if undefined
 * @returns the tensors that it computes, or some of them
 */
export type Implementation = (instance: Instance, wrong?: string) => Record<string, Tensor>;

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
