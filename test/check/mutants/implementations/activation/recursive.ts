/** Activations of nested arrays of any depth; the derivative is computed from the output. */
import type { Answers, Nested } from '../../definition.js';

interface Given {
  x: Nested;
  function: 'relu' | 'tanh';
  dout?: Nested | undefined;
}

function map(f: (value: number) => number, x: Nested): Nested {
  return Array.isArray(x) ? x.map((each) => map(f, each)) : f(x);
}

/** Applies f to the elements of two tensors of the same shape. */
function zip(f: (a: number, b: number) => number, a: Nested, b: Nested): Nested {
  if (Array.isArray(a)) return a.map((each, i) => zip(f, each, (b as Nested[])[i]));
  return f(a, b as number);
}

const relu = (x: number) => (x > 0 ? x : 0);
const reluGradient = (out: number) => (out > 0 ? 1 : 0);
const tanhGradient = (out: number) => 1 - out * out;

export default function activation(given: Given): Answers {
  const { x, dout } = given;
  const isRelu = given.function === 'relu';
  const out = map(isRelu ? relu : Math.tanh, x);
  if (dout === undefined) return { out };

  const gradient = isRelu ? reluGradient : tanhGradient;
  const dx = zip((d, y) => d * gradient(y), dout, out);
  return { out, dx };
}
