/** Elman network for a whole batch at once, in matrix products. Sequences that have ended are held by a mask. */
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
  nonlinearity: string;
  direction: string;
  time_major: boolean;
  dout: Matrix[] | undefined;
  dh_n: Matrix | undefined;
}

function zeros(rows: number, columns: number): Matrix {
  return Array.from({ length: rows }, () => new Array<number>(columns).fill(0));
}

function matmul(a: Matrix, b: Matrix): Matrix {
  const product = zeros(a.length, b[0].length);
  for (let i = 0; i < a.length; i++)
    for (let j = 0; j < b[0].length; j++) for (let k = 0; k < b.length; k++) product[i][j] += a[i][k] * b[k][j];
  return product;
}

function transpose(a: Matrix): Matrix {
  return a[0].map((_, j) => a.map((row) => row[j]));
}

function add(a: Matrix, b: Matrix): Matrix {
  return a.map((row, i) => row.map((value, j) => value + b[i][j]));
}

function addRow(a: Matrix, row: number[]): Matrix {
  return a.map((values) => values.map((value, j) => value + row[j]));
}

function sumOfRows(a: Matrix): number[] {
  return a.reduce((sum, row) => sum.map((value, j) => value + row[j]));
}

/** Multiplies each row by its entry of the mask. */
function scaleRows(a: Matrix, mask: number[]): Matrix {
  return a.map((row, n) => row.map((value) => value * mask[n]));
}

export default function rnn(given: Given): Answers {
  const { weight_ih, weight_hh, bias_ih, bias_hh, sequence_lengths, h0, nonlinearity, time_major, dh_n } = given;
  if (given.direction !== 'forward') throw new Error('unsupported: direction');
  // Inside, time comes first.
  const swap = (a: Matrix[]): Matrix[] => a[0].map((_, t) => a.map((rows) => rows[t]));
  const x = time_major ? given.x : swap(given.x);
  const dout = given.dout && (time_major ? given.dout : swap(given.dout));
  const [T, N, H] = [x.length, x[0].length, weight_hh.length];
  const I = x[0][0].length;

  const mask = x.map((batch, t) => batch.map((_, n) => (t < (sequence_lengths?.[n] ?? T) ? 1 : 0)));
  const rest = mask.map((row) => row.map((value) => 1 - value));
  const f = (z: number) => (nonlinearity === 'relu' ? Math.max(z, 0) : Math.tanh(z));
  const slope = (h: number) => (nonlinearity === 'relu' ? Number(h > 0) : 1 - h ** 2);

  const out: Matrix[] = [];
  const hidden: Matrix[] = [h0 ?? zeros(N, H)];
  for (let t = 0; t < T; t++) {
    let z = add(matmul(x[t], transpose(weight_ih)), matmul(hidden[t], transpose(weight_hh)));
    if (bias_ih) z = addRow(z, bias_ih);
    if (bias_hh) z = addRow(z, bias_hh);
    const h = z.map((row) => row.map(f));
    out.push(scaleRows(h, mask[t]));
    hidden.push(add(out[t], scaleRows(hidden[t], rest[t])));
  }
  const outputs = { out: time_major ? out : swap(out), h_n: hidden[T] };
  if (!dout && !dh_n) return outputs;

  let dh = dh_n ?? zeros(N, H);
  let dweight_ih = zeros(H, I);
  let dweight_hh = zeros(H, H);
  let dbias = zeros(1, H)[0];
  const dx: Matrix[] = [];
  for (let t = T - 1; t >= 0; t--) {
    const total = scaleRows(dout ? add(dh, dout[t]) : dh, mask[t]);
    const dz = total.map((row, n) => row.map((value, j) => value * slope(out[t][n][j])));
    dx[t] = matmul(dz, weight_ih);
    dweight_ih = add(dweight_ih, matmul(transpose(dz), x[t]));
    dweight_hh = add(dweight_hh, matmul(transpose(dz), hidden[t]));
    dbias = add([dbias], [sumOfRows(dz)])[0];
    dh = add(matmul(dz, weight_hh), scaleRows(dh, rest[t]));
  }
  return {
    ...outputs,
    dx: time_major ? dx : swap(dx),
    dweight_ih,
    dweight_hh,
    ...(bias_ih ? { dbias_ih: dbias } : {}),
    ...(bias_hh ? { dbias_hh: dbias } : {}),
    ...(h0 ? { dh0: dh } : {}),
  };
}
