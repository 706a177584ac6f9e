/** What the page knows of a layer beside the service's catalogue: words, TeX, examples, and how a cell came about. */
import type { Explain } from '../explain/explanation.js';
import { shapeOf, type Nested, type Shape } from '../tensors/tensor.js';

export interface Example {
  readonly name: string;
  readonly inputs: Readonly<Record<string, Nested>>;
  readonly options?: Readonly<Record<string, unknown>>;
  readonly upstream: Readonly<Record<string, Nested>>;
}

export interface LayerPage {
  readonly name: string;
  /** What it is for, in a paragraph. */
  readonly purpose: string;
  /** TeX, a line each. */
  readonly forward: readonly string[];
  readonly backward: readonly string[];
  /** The first is what a visitor sees. */
  readonly examples: readonly [Example, ...Example[]];
  /** Where an optional tensor starts when a person adds it. */
  readonly added: (name: string, inputs: Readonly<Record<string, Nested>>) => { shape: Shape; value: number };
  readonly explain: Explain;
  /** What entry `i` of `size` along a tensor's last but one axis (of a vector: its only one) is called, beside its number. */
  readonly label?: (tensor: string, i: number, size: number) => string | undefined;
}

/** Rounds examples to what a person can read; a zero has no sign, as in JSON. */
export const rounded = (value: number, digits = 2): number => Number(value.toFixed(digits)) + 0;

export const shapesOf = (tensors: Readonly<Record<string, Nested>>): Record<string, Shape> =>
  Object.fromEntries(Object.entries(tensors).map(([name, tensor]) => [name, shapeOf(tensor)]));
