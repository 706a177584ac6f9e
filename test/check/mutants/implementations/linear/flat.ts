/** A linear layer as in C: one array per tensor, and offsets computed by hand. */
import type { Answers, Nested } from '../../definition.js';

interface Given {
  x: Nested;
  weight: number[][];
  bias?: number[] | undefined;
  dout?: Nested | undefined;
}

function flatten(x: Nested): number[] {
  return Array.isArray(x) ? x.flatMap(flatten) : [x];
}

/** Cuts an array into pieces of one size, along the last axis first. */
function unflatten(values: number[], shape: number[]): Nested {
  let nested: Nested[] = values;
  for (let axis = shape.length - 1; axis > 0; axis--) {
    const pieces: Nested[] = [];
    for (let i = 0; i < nested.length; i += shape[axis]) pieces.push(nested.slice(i, i + shape[axis]));
    nested = pieces;
  }
  return nested;
}

export default function linear(given: Given): Answers {
  const { bias } = given;
  const leading: number[] = [];
  for (let part = given.x; Array.isArray(part) && Array.isArray(part[0]); part = part[0]) leading.push(part.length);
  const [O, I] = [given.weight.length, given.weight[0].length];
  const x = flatten(given.x);
  const w = flatten(given.weight);
  const N = x.length / I;

  const out = new Array<number>(N * O);
  for (let n = 0; n < N; n++) {
    const row = n * I;
    for (let o = 0; o < O; o++) {
      let value = 0;
      for (let i = 0; i < I; i++) value += x[row + i] * w[o * I + i];
      out[n * O + o] = bias ? value + bias[o] : value;
    }
  }
  const answers: Record<string, Nested> = { out: unflatten(out, [...leading, O]) };
  if (given.dout === undefined) return answers;

  const dout = flatten(given.dout);
  const dx = new Array<number>(N * I).fill(0);
  for (let n = 0; n < N; n++)
    for (let i = 0; i < I; i++) for (let o = 0; o < O; o++) dx[n * I + i] += dout[n * O + o] * w[o * I + i];

  const dw = new Array<number>(O * I).fill(0);
  const db = new Array<number>(O).fill(0);
  for (let o = 0; o < O; o++) {
    for (let n = 0; n < N; n++) {
      const g = dout[n * O + o];
      db[o] += g;
      for (let i = 0; i < I; i++) dw[o * I + i] += g * x[n * I + i];
    }
  }
  answers.dx = unflatten(dx, [...leading, I]);
  answers.dweight = unflatten(dw, [O, I]);
  if (bias) answers.dbias = db;
  return answers;
}
