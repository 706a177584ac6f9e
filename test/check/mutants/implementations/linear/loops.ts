/** A linear layer in nested loops over the rows of x; all axes but the last are taken for one. */
import type { Answers, Nested } from '../../definition.js';

interface Given {
  x: Nested;
  weight: number[][];
  bias?: number[] | undefined;
  dout?: Nested | undefined;
}

/** The rows of a tensor: its arrays along the last axis. */
function rowsOf(x: Nested): number[][] {
  if (!Array.isArray(x)) throw new Error('unsupported: x is a number');
  return Array.isArray(x[0]) ? x.flatMap(rowsOf) : [x as number[]];
}

/** The rows in the nesting of another tensor. */
function nestLike(like: Nested, rows: number[][]): Nested {
  let next = 0;
  const take = (part: Nested[]): Nested => (Array.isArray(part[0]) ? (part as Nested[][]).map(take) : rows[next++]);
  return take(like as Nested[]);
}

function zeros(n: number, m: number): number[][] {
  return Array.from({ length: n }, () => Array<number>(m).fill(0));
}

export default function linear(given: Given): Answers {
  const { weight, bias } = given;
  const x = rowsOf(given.x);
  const N = x.length;
  const O = weight.length;
  const I = weight[0].length;

  const out = zeros(N, O);
  for (let n = 0; n < N; n++) {
    for (let o = 0; o < O; o++) {
      let sum = bias ? bias[o] : 0;
      for (let i = 0; i < I; i++) {
        sum += x[n][i] * weight[o][i];
      }
      out[n][o] = sum;
    }
  }
  const answers: Record<string, Nested> = { out: nestLike(given.x, out) };
  if (given.dout === undefined) return answers;

  const dout = rowsOf(given.dout);
  const dx = zeros(N, I);
  const dweight = zeros(O, I);
  const dbias = Array<number>(O).fill(0);
  for (let n = 0; n < N; n++) {
    for (let o = 0; o < O; o++) {
      dbias[o] += dout[n][o];
      for (let i = 0; i < I; i++) {
        dx[n][i] += dout[n][o] * weight[o][i];
        dweight[o][i] += dout[n][o] * x[n][i];
      }
    }
  }
  answers.dx = nestLike(given.x, dx);
  answers.dweight = dweight;
  if (bias) answers.dbias = dbias;
  return answers;
}
