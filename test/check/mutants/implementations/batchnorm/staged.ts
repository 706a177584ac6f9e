/** Batch normalisation as a graph of small stages on [m, C] rows, each with its own backward, as taught in cs231n. */
import type { Answers, Nested } from '../../definition.js';

interface Given {
  x: Nested;
  gamma?: number[] | undefined;
  beta?: number[] | undefined;
  running_mean?: number[] | undefined;
  running_var?: number[] | undefined;
  training: boolean;
  epsilon: number;
  momentum: number;
  dout?: Nested | undefined;
}

type Vector = number[];
type Matrix = Vector[];

const isMatrix = (x: Nested): x is Matrix => Array.isArray(x) && Array.isArray(x[0]) && !Array.isArray(x[0][0]);

/** [N, C, S] to [N · S, C]; [N, C] stays as it is. */
function toRows(x: Nested): Matrix {
  if (isMatrix(x)) return x;
  if (Array.isArray((x as Nested[][][])[0][0][0])) throw new Error('unsupported: more than one spatial axis');
  return (x as number[][][]).flatMap((sample) => sample[0].map((_, s) => sample.map((channel) => channel[s])));
}

function fromRows(rows: Matrix, x: Nested): Nested {
  if (isMatrix(x)) return rows;
  return (x as number[][][]).map((sample, n) =>
    sample.map((channel, c) => channel.map((_, s) => rows[n * channel.length + s][c])),
  );
}

/** Elementwise; a vector stands for each row. */
const zip = (a: Matrix, b: Matrix | Vector, f: (p: number, q: number) => number): Matrix =>
  a.map((row, i) => row.map((value, j) => f(value, isMatrix(b) ? b[i][j] : b[j])));
const add = (a: Matrix, b: Matrix | Vector) => zip(a, b, (p, q) => p + q);
const subtract = (a: Matrix, b: Matrix | Vector) => zip(a, b, (p, q) => p - q);
const multiply = (a: Matrix, b: Matrix | Vector) => zip(a, b, (p, q) => p * q);
const sum = (a: Matrix): Vector => a[0].map((_, j) => a.reduce((total, row) => total + row[j], 0));
const mean = (a: Matrix): Vector => sum(a).map((total) => total / a.length);
const repeat = (row: Vector, times: number): Matrix => Array.from({ length: times }, () => row);

export default function batchnorm(given: Given): Answers {
  const { running_mean, running_var, training, epsilon, momentum } = given;
  const x = toRows(given.x);
  const m = x.length;
  const gamma = given.gamma ?? x[0].map(() => 1);
  const beta = given.beta ?? x[0].map(() => 0);
  const fixed = training ? undefined : { mu: running_mean ?? [], variance: running_var ?? [] };

  const mu = fixed ? fixed.mu : mean(x);
  const xmu = subtract(x, mu);
  const sq = multiply(xmu, xmu);
  const variance = fixed ? fixed.variance : mean(sq);
  const sqrtvar = variance.map((v) => Math.sqrt(v + epsilon));
  const ivar = sqrtvar.map((s) => 1 / s);
  const xhat = multiply(xmu, ivar);
  const gammax = multiply(xhat, gamma);
  const out = add(gammax, beta);

  const answers: Record<string, Nested> = { out: fromRows(out, given.x), mean: mu, var: variance };
  if (running_mean && running_var) {
    const update = (past: Vector, now: Vector) => past.map((p, c) => (1 - momentum) * p + momentum * now[c]);
    const unbiased = variance.map((v) => v * (m / (m - 1)));
    answers.running_mean = training ? update(running_mean, mu) : running_mean;
    answers.running_var = training ? update(running_var, unbiased) : running_var;
  }
  if (given.dout === undefined) return answers;

  const dout = toRows(given.dout);
  const dbeta = sum(dout);
  const dgammax = dout;
  const dgamma = sum(multiply(dgammax, xhat));
  const dxhat = multiply(dgammax, gamma);
  const divar = sum(multiply(dxhat, xmu));
  const dxmu1 = multiply(dxhat, ivar);
  const dsqrtvar = sqrtvar.map((s, c) => (-1 / s ** 2) * divar[c]);
  const dvar = variance.map((v, c) => (0.5 / Math.sqrt(v + epsilon)) * dsqrtvar[c]);
  const dsq = repeat(
    dvar.map((d) => d / m),
    m,
  );
  const dxmu2 = zip(xmu, dsq, (p, q) => 2 * p * q);
  const dx1 = add(dxmu1, dxmu2);
  const dmu = sum(dx1).map((d) => -d);
  const dx2 = repeat(
    dmu.map((d) => d / m),
    m,
  );
  const dx = add(dx1, dx2);

  // The statistics are constants in inference: only the direct path is left.
  answers.dx = fromRows(training ? dx : dxmu1, given.x);
  if (given.gamma) answers.dgamma = dgamma;
  if (given.beta) answers.dbeta = dbeta;
  return answers;
}
