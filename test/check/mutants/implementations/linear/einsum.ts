/** A linear layer for sequences, x [N, T, I], as index formulas; [N, I] is a sequence of one step. */
import type { Answers, Nested } from '../../definition.js';

interface Given {
  x: number[][] | number[][][];
  weight: number[][];
  bias?: number[] | undefined;
  dout?: number[][] | number[][][] | undefined;
}

const isBatch = (x: number[][] | number[][][]): x is number[][] => !Array.isArray(x[0][0]);
const withTime = (x: number[][] | number[][][]) => (isBatch(x) ? x.map((row) => [row]) : x);

const sum = (length: number, term: (k: number) => number) => {
  let total = 0;
  for (let k = 0; k < length; k++) total += term(k);
  return total;
};

/** The vector, matrix or cube of f(i), f(i, j) or f(i, j, k). */
const vector = (length: number, f: (i: number) => number) => Array.from({ length }, (_, i) => f(i));
const matrix = (n: number, m: number, f: (i: number, j: number) => number) =>
  Array.from({ length: n }, (_, i) => vector(m, (j) => f(i, j)));
const cube = (n: number, m: number, l: number, f: (i: number, j: number, k: number) => number) =>
  Array.from({ length: n }, (_, i) => matrix(m, l, (j, k) => f(i, j, k)));

export default function linear(given: Given): Answers {
  if (!Array.isArray(given.x[0])) throw new Error('unsupported: x without a batch');
  if (!isBatch(given.x) && Array.isArray(given.x[0][0][0])) throw new Error('unsupported: x with four axes');
  const { weight: w, bias: b } = given;
  const x = withTime(given.x);
  const [N, T, O, I] = [x.length, x[0].length, w.length, w[0].length];
  const like = (a: number[][][]): Nested => (isBatch(given.x) ? a.map(([row]) => row) : a);

  // nti,oi->nto
  const out = cube(N, T, O, (n, t, o) => sum(I, (i) => x[n][t][i] * w[o][i]) + (b?.[o] ?? 0));
  if (given.dout === undefined) return { out: like(out) };

  const dout = withTime(given.dout);
  // nto,oi->nti
  const dx = cube(N, T, I, (n, t, i) => sum(O, (o) => dout[n][t][o] * w[o][i]));
  // nto,nti->oi
  const dweight = matrix(O, I, (o, i) => sum(N, (n) => sum(T, (t) => dout[n][t][o] * x[n][t][i])));
  // nto->o
  const dbias = vector(O, (o) => sum(N, (n) => sum(T, (t) => dout[n][t][o])));
  return { out: like(out), dx: like(dx), dweight, ...(b ? { dbias } : {}) };
}
