/** The values that PyTorch computed; see test/reference/README.md. */
import { readFileSync } from 'node:fs';
import { expect } from 'vitest';
import type { Fields } from '../../src/codec/fields.js';
import { formatShape, type FloatDtype, type Tensor } from '../../src/tensor/tensor.js';

export type Nested = number | readonly Nested[];
export type NestedFields = Readonly<Record<string, Nested>>;

export interface ReferenceCase {
  readonly name: string;
  readonly dtype: FloatDtype;
  readonly forward: Readonly<Record<string, unknown>>;
  readonly backward: NestedFields;
  readonly answers: NestedFields;
  readonly gradients: NestedFields;
}

export function referenceCases(layer: string): ReferenceCase[] {
  const text = readFileSync(new URL(`../reference/${layer}.json`, import.meta.url), 'utf8');
  return (JSON.parse(text) as { cases: ReferenceCase[] }).cases;
}

/**
 * Relative to the largest value of the tensor (at least 1e-3), because a sum that happens to be near zero has only the
 * absolute accuracy of its terms.
 */
export const TOLERANCE = { float64: 1e-10, float32: 1e-4 } as const;

export function flatten(value: Nested): number[] {
  return Array.isArray(value) ? (value as readonly Nested[]).flatMap(flatten) : [value as number];
}

export function shapeOf(value: Nested): number[] {
  return Array.isArray(value) ? [value.length, ...shapeOf((value as readonly Nested[])[0])] : [];
}

/** Compares every expected tensor with the answer's, by shape and by value. */
export function expectClose(answer: Fields, expected: NestedFields, tolerance: number): void {
  for (const [name, nested] of Object.entries(expected)) {
    const { shape, data } = answer[name] as unknown as Tensor;
    expect(formatShape(shape), `shape of ${name}`).toBe(formatShape(shapeOf(nested)));
    const values = flatten(nested);
    const largest = Math.max(1e-3, ...values.map(Math.abs));
    const worst = Math.max(...values.map((value, i) => Math.abs(value - data[i])));
    expect(worst / largest, `largest error of ${name}`).toBeLessThanOrEqual(tolerance);
  }
}
