/** What a call did, for whoever watches the service: sizes and times, nothing of the numbers themselves. */
import type { FloatDtype, Shape, Tensor } from '../tensor/tensor.js';

/** Known once all of a request has been read, before its arithmetic. */
export interface Work {
  readonly dtype: FloatDtype;
  /** The tensors that came, by the names that they have in the body. */
  readonly tensors: Readonly<Record<string, Tensor>>;
  /** Multiplications and additions each count as one, as in a plan's cost. */
  readonly operations: number;
}

export interface Account {
  readonly dtype: FloatDtype;
  /** Of the tensors that came, by the names that they have in the body. */
  readonly shapes: Readonly<Record<string, Shape>>;
  readonly numbersIn: number;
  readonly numbersOut: number;
  readonly operations: number;
  /** When each part of the call was done, in milliseconds since 1970: one clock for all threads. */
  readonly times: {
    readonly begun: number;
    readonly read: number;
    readonly computed: number;
    readonly written: number;
  };
}

/** Milliseconds since 1970 with fractions; each thread counts its own from its own start. */
export function now(): number {
  return performance.timeOrigin + performance.now();
}

export function accountOf({ dtype, tensors, operations }: Work, numbersOut: number, times: Account['times']): Account {
  const shapes: Record<string, Shape> = {};
  let numbersIn = 0;
  for (const [name, { shape, data }] of Object.entries(tensors)) {
    shapes[name] = shape;
    numbersIn += data.length;
  }
  return { dtype, shapes, numbersIn, numbersOut, operations, times };
}
