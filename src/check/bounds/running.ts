/**
 * Running error analysis: each number carries a bound on its error, and every operation adds its own rounding.
 * Source: Higham (see bounds.ts), section 3.3.
 */
export interface Running {
  readonly value: number;
  readonly error: number;
}

export interface Arithmetic {
  /** An input, with one rounding. */
  readonly given: (value: number) => Running;
  readonly plus: (a: Running, b: Running) => Running;
  readonly times: (...factors: readonly Running[]) => Running;
  /** 1 − a. */
  readonly complement: (a: Running) => Running;
  readonly tanh: (z: Running) => Running;
  readonly sigmoid: (z: Running) => Running;
}

/** Unit roundoffs of an elementary function: four units in the last place. */
const FUNCTION_UNITS = 8;

/** @param u unit roundoff */
export function arithmetic(u: number): Arithmetic {
  const times = (a: Running, b: Running): Running => {
    const value = a.value * b.value;
    const error = Math.abs(a.value) * b.error + Math.abs(b.value) * a.error + a.error * b.error + u * Math.abs(value);
    return { value, error };
  };
  /** Applies a function that is steepest at 0; its slope is taken at the point closest to 0 that z may have. */
  const applied = (z: Running, f: (z: number) => number, slope: (z: number) => number): Running => {
    const value = f(z.value);
    const steepest = slope(Math.max(0, Math.abs(z.value) - z.error));
    return { value, error: steepest * z.error + FUNCTION_UNITS * u * Math.abs(value) };
  };
  const sigmoid = (z: number) => 1 / (1 + Math.exp(-z));
  return {
    given: (value) => ({ value, error: u * Math.abs(value) }),
    plus: (a, b) => ({
      value: a.value + b.value,
      error: a.error + b.error + u * (Math.abs(a.value) + Math.abs(b.value)),
    }),
    times: (...factors) => factors.reduce(times),
    complement: ({ value, error }) => ({ value: 1 - value, error: error + u * (1 + Math.abs(value)) }),
    tanh: (z) => applied(z, Math.tanh, (at) => 1 - Math.tanh(at) ** 2),
    sigmoid: (z) => applied(z, sigmoid, (at) => sigmoid(at) * (1 - sigmoid(at))),
  };
}
