/** LSTM for a whole batch at once: [x, h] times the two weights side by side, the gates sliced from the product. */
import type { Answers } from '../../definition.js';

type Matrix = number[][];

interface Given {
  x: Matrix[];
  weight_ih: Matrix;
  weight_hh: Matrix;
  bias_ih: number[] | undefined;
  bias_hh: number[] | undefined;
  sequence_lengths: number[] | undefined;
  h0: Matrix | undefined;
  c0: Matrix | undefined;
  direction: string;
  time_major: boolean;
  dout: Matrix[] | undefined;
  dh_n: Matrix | undefined;
  dc_n: Matrix | undefined;
}

const zeros = (rows: number, columns: number): Matrix =>
  Array.from({ length: rows }, () => new Array<number>(columns).fill(0));

const transpose = (a: Matrix): Matrix => a[0].map((_, j) => a.map((row) => row[j]));

const matmul = (a: Matrix, b: Matrix): Matrix =>
  a.map((row) => b[0].map((_, j) => row.reduce((sum, value, k) => sum + value * b[k][j], 0)));

const concatenate = (a: Matrix, b: Matrix): Matrix => a.map((row, i) => [...row, ...b[i]]);

const columns = (a: Matrix, from: number, to: number): Matrix => a.map((row) => row.slice(from, to));

const map = (a: Matrix, f: (value: number, i: number, j: number) => number): Matrix =>
  a.map((row, i) => row.map((value, j) => f(value, i, j)));

const add = (a: Matrix, b: Matrix): Matrix => map(a, (value, i, j) => value + b[i][j]);

const times = (a: Matrix, b: Matrix): Matrix => map(a, (value, i, j) => value * b[i][j]);

const sigmoid = (a: Matrix): Matrix => map(a, (value) => 1 / (1 + Math.exp(-value)));

const tanh = (a: Matrix): Matrix => map(a, Math.tanh);

export default function lstm(given: Given): Answers {
  const { x, weight_ih, weight_hh, bias_ih, bias_hh, sequence_lengths, h0, c0, dout, dh_n, dc_n } = given;
  if (given.direction !== 'forward') throw new Error('unsupported: direction');
  if (given.time_major) throw new Error('unsupported: time_major');
  const [N, T, I] = [x.length, x[0].length, x[0][0].length];
  const H = weight_hh[0].length;
  const W = concatenate(weight_ih, weight_hh);
  const b = W.map((_, r) => (bias_ih?.[r] ?? 0) + (bias_hh?.[r] ?? 0));
  const isRunning = (n: number, t: number) => sequence_lengths === undefined || t < sequence_lengths[n];

  let h = h0 ?? zeros(N, H);
  let c = c0 ?? zeros(N, H);
  const out = x.map(() => zeros(T, H));
  const steps: { xh: Matrix; i: Matrix; f: Matrix; g: Matrix; o: Matrix; c: Matrix; cNext: Matrix }[] = [];
  for (let t = 0; t < T; t++) {
    const xt = x.map((sequence) => sequence[t]);
    const xh = concatenate(xt, h);
    const z = map(matmul(xh, transpose(W)), (value, _, r) => value + b[r]);
    const i = sigmoid(columns(z, 0, H));
    const f = sigmoid(columns(z, H, 2 * H));
    const g = tanh(columns(z, 2 * H, 3 * H));
    const o = sigmoid(columns(z, 3 * H, 4 * H));
    const cNext = add(times(f, c), times(i, g));
    const hNext = times(o, tanh(cNext));
    steps.push({ xh, i, f, g, o, c, cNext });
    // A sequence that has ended keeps its state, and its output stays zero.
    h = h.map((row, n) => (isRunning(n, t) ? hNext[n] : row));
    c = c.map((row, n) => (isRunning(n, t) ? cNext[n] : row));
    for (let n = 0; n < N; n++) if (isRunning(n, t)) out[n][t] = hNext[n];
  }
  const outputs = { out, h_n: h, c_n: c };
  if (!dout && !dh_n && !dc_n) return outputs;

  let dh = dh_n ?? zeros(N, H);
  let dc = dc_n ?? zeros(N, H);
  let dW = zeros(4 * H, I + H);
  const db = new Array<number>(4 * H).fill(0);
  const dx = x.map(() => zeros(T, I));
  for (let t = T - 1; t >= 0; t--) {
    const { xh, i, f, g, o, c: cPrevious, cNext } = steps[t];
    const running = (gradient: Matrix) => map(gradient, (value, n) => (isRunning(n, t) ? value : 0));
    const ended = (gradient: Matrix) => map(gradient, (value, n) => (isRunning(n, t) ? 0 : value));
    const dhNext = running(dout ? map(dh, (value, n, j) => value + dout[n][t][j]) : dh);
    const tanhC = tanh(cNext);
    const throughTanh = map(dhNext, (value, n, j) => value * o[n][j] * (1 - tanhC[n][j] ** 2));
    const dcNext = add(running(dc), throughTanh);
    const di = map(dcNext, (value, n, j) => value * g[n][j] * i[n][j] * (1 - i[n][j]));
    const df = map(dcNext, (value, n, j) => value * cPrevious[n][j] * f[n][j] * (1 - f[n][j]));
    const dg = map(dcNext, (value, n, j) => value * i[n][j] * (1 - g[n][j] ** 2));
    const dO = map(dhNext, (value, n, j) => value * tanhC[n][j] * o[n][j] * (1 - o[n][j]));
    const dz = concatenate(concatenate(di, df), concatenate(dg, dO));
    dW = add(dW, matmul(transpose(dz), xh));
    for (const row of dz) row.forEach((value, r) => (db[r] += value));
    const dxh = matmul(dz, W);
    dxh.forEach((row, n) => (dx[n][t] = row.slice(0, I)));
    dh = add(columns(dxh, I, I + H), ended(dh));
    dc = add(times(dcNext, f), ended(dc));
  }
  return {
    ...outputs,
    dx,
    dweight_ih: columns(dW, 0, I),
    dweight_hh: columns(dW, I, I + H),
    ...(bias_ih ? { dbias_ih: db } : {}),
    ...(bias_hh ? { dbias_hh: db } : {}),
    ...(h0 ? { dh0: dh } : {}),
    ...(c0 ? { dc0: dc } : {}),
  };
}
