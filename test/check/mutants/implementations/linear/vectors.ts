/** A linear layer one vector at a time: leading axes are walked recursively, and outer products are accumulated. */
import type { Answers, Nested } from '../../definition.js';

interface Given {
  x: Nested;
  weight: number[][];
  bias?: number[] | undefined;
  dout?: Nested | undefined;
}

type Vector = number[];

const isVector = (x: Nested): x is Vector => Array.isArray(x) && !Array.isArray(x[0]);

function dot(a: Vector, b: Vector): number {
  return a.reduce((sum, value, i) => sum + value * b[i], 0);
}

/** y += factor · x */
function axpy(factor: number, x: Vector, y: Vector): void {
  x.forEach((value, i) => {
    y[i] += factor * value;
  });
}

export default function linear({ x, weight, bias, dout }: Given): Answers {
  const forward = (part: Nested): Nested => {
    if (isVector(part)) return weight.map((row, o) => dot(row, part) + (bias ? bias[o] : 0));
    return (part as Nested[]).map(forward);
  };
  const out = forward(x);
  if (dout === undefined) return { out };

  const dweight = weight.map((row) => row.map(() => 0));
  const dbias = weight.map(() => 0);
  const backward = (part: Nested, gradient: Nested): Nested => {
    if (!isVector(part)) return (part as Nested[]).map((each, n) => backward(each, (gradient as Nested[])[n]));
    const dpart = part.map(() => 0);
    (gradient as Vector).forEach((g, o) => {
      axpy(g, weight[o], dpart);
      axpy(g, part, dweight[o]);
      dbias[o] += g;
    });
    return dpart;
  };
  const dx = backward(x, dout);
  return bias ? { out, dx, dweight, dbias } : { out, dx, dweight };
}
