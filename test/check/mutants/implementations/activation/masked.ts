/** Activations as whole-array operations on the flattened tensor, with forward and backward apart. */
import type { Answers, Nested } from '../../definition.js';

interface Given {
  x: Nested;
  function: 'relu' | 'tanh';
  dout?: Nested | undefined;
}

type Vector = number[];

function flatten(x: Nested): Vector {
  return Array.isArray(x) ? x.flatMap(flatten) : [x];
}

/** The values in the nesting of another tensor. */
function nestLike(like: Nested, values: Vector): Nested {
  const rest = [...values];
  const take = (part: Nested): Nested => (Array.isArray(part) ? part.map(take) : (rest.shift() ?? 0));
  return take(like);
}

const multiply = (a: Vector, b: Vector) => a.map((value, i) => value * b[i]);
const positive = (a: Vector) => a.map((value) => Number(value > 0));
const sigmoid = (a: Vector) => a.map((value) => 1 / (1 + Math.exp(-value)));

function reluForward(x: Vector) {
  const mask = positive(x);
  return { out: multiply(x, mask), cache: mask };
}

function reluBackward(dout: Vector, mask: Vector): Vector {
  return multiply(dout, mask);
}

function tanhForward(x: Vector) {
  // tanh(x) = 2 · sigmoid(2x) − 1
  const s = sigmoid(x.map((value) => 2 * value));
  return { out: s.map((value) => 2 * value - 1), cache: s };
}

function tanhBackward(dout: Vector, s: Vector): Vector {
  const slope = s.map((value) => 4 * value * (1 - value));
  return multiply(dout, slope);
}

export default function activation({ x, function: name, dout }: Given): Answers {
  const forward = name === 'relu' ? reluForward : tanhForward;
  const backward = name === 'relu' ? reluBackward : tanhBackward;
  const { out, cache } = forward(flatten(x));
  const answers = { out: nestLike(x, out) };
  if (dout === undefined) return answers;
  return { ...answers, dx: nestLike(x, backward(flatten(dout), cache)) };
}
