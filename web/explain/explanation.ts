/**
 * How a cell was computed: the cells that it depends on, and its formula with the numbers filled in.
 *
 * An explanation computes its cell again with plain loops; it is shown only if the result agrees with the service.
 */
import type { Index, Tensor } from '../tensors/tensor.js';

export interface Cell {
  readonly tensor: string;
  readonly index: Index;
}

/** A cell that another one depends on; `weight` is its contribution, if it is known. */
export interface Feed extends Cell {
  readonly weight?: number;
}

/** A product in a sum. */
export interface Term {
  readonly cells: readonly Cell[];
  readonly factors: readonly number[];
  readonly value: number;
}

/** What one path contributes to a gradient. */
export interface Share {
  readonly path: string;
  readonly value: number;
}

export interface Explanation {
  readonly value: number;
  /** TeX, in symbols. */
  readonly formula: string;
  /** TeX, line by line, with numbers filled in. */
  readonly filled: readonly string[];
  /** A sum whose terms are shown, and its value. */
  readonly sum?: { readonly name: string; readonly terms: readonly Term[]; readonly value: number };
  readonly feeds: readonly Feed[];
  /** They add up to `value`. */
  readonly shares?: readonly Share[];
  readonly note?: string;
}

/** One call of a layer, forward and, if there is an upstream gradient, backward. */
export interface Call {
  readonly inputs: Readonly<Record<string, Tensor | undefined>>;
  /** All options, with defaults for those that are not given. */
  readonly options: Readonly<Record<string, unknown>>;
  readonly outputs: Readonly<Record<string, Tensor | undefined>>;
  readonly upstream: Readonly<Record<string, Tensor | undefined>>;
  readonly gradients: Readonly<Record<string, Tensor | undefined>>;
}

/** `undefined` if there is no explanation, or if computing it would take too long while a person points at a cell. */
export type Explain = (cell: Cell, call: Call) => Explanation | undefined;

/** Maximum number of products in an explanation; computing them takes a tenth of a second. */
export const MOST_PRODUCTS = 10_000_000;

export const sumOf = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0);

export function term(...factors: readonly (readonly [Cell | undefined, number])[]): Term {
  return {
    cells: factors.flatMap(([cell]) => (cell ? [cell] : [])),
    factors: factors.map(([, value]) => value),
    value: factors.reduce((product, [, value]) => product * value, 1),
  };
}

/** A cell that is a sum of products and nothing else. */
export function sumExplanation(formula: string, name: string, terms: readonly Term[]): Explanation {
  const value = sumOf(terms.map((each) => each.value));
  return { value, formula, filled: [], sum: { name, terms, value }, feeds: feedsOf(terms) };
}

/** Every cell of a sum, with the value of its term. */
function feedsOf(terms: readonly Term[]): Feed[] {
  return terms.flatMap(({ cells, value }) => cells.map((cell) => ({ ...cell, weight: value })));
}

/** Float32 keeps seven digits of the largest term, not of the sum. */
const TOLERANCE = { float64: 1e-9, float32: 1e-4 } as const;

export function agrees(explanation: Explanation, service: number, dtype: 'float64' | 'float32'): boolean {
  if (Object.is(explanation.value, service) || (Number.isNaN(explanation.value) && Number.isNaN(service))) return true;
  const parts = [service, ...(explanation.sum?.terms ?? []), ...(explanation.shares ?? [])];
  const scale = Math.max(...parts.map((part) => Math.abs(typeof part === 'number' ? part : part.value)));
  return Math.abs(explanation.value - service) <= TOLERANCE[dtype] * Math.max(scale, 1);
}
