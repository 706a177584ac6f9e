/** What a call did, for metrics and traces: sizes and times, never the numbers themselves. */
import type { FloatDtype, Shape, Tensor } from '../tensor/tensor.js';

export interface Account {
  readonly dtype: FloatDtype;
  /** Shapes of the request's tensors, by their names in the body. */
  readonly shapes: Readonly<Record<string, Shape>>;
  readonly numbersIn: number;
  readonly numbersOut: number;
  /** Multiplications and additions each count as one, as in a plan's cost. */
  readonly operations: number;
  /** Times during the call, in milliseconds since 1970, so that times from different threads can be compared. */
  readonly times: {
    readonly begun: number;
    readonly read: number;
    /** Start of the arithmetic, after any wait for a thread. */
    readonly started: number;
    readonly computed: number;
    readonly written: number;
  };
}

/** Milliseconds since 1970, with fractions. Each thread's clock is set once, when the thread starts. */
export function now(): number {
  return performance.timeOrigin + performance.now();
}

export function accountOf(
  { dtype, operations }: Pick<Account, 'dtype' | 'operations'>,
  tensors: Readonly<Record<string, Tensor>>,
  numbersOut: number,
  times: Account['times'],
): Account {
  const shapes: Record<string, Shape> = {};
  let numbersIn = 0;
  for (const [name, { shape, data }] of Object.entries(tensors)) {
    shapes[name] = shape;
    numbersIn += data.length;
  }
  return { dtype, shapes, numbersIn, numbersOut, operations, times };
}
