/** Elman network as a cell: a closure over the parameters with a step, a step back and the gradients so far. */
import type { Answers } from '../../definition.js';

type Vector = number[];
type Matrix = Vector[];

interface Given {
  x: Matrix[];
  weight_ih: Matrix;
  weight_hh: Matrix;
  bias_ih: Vector | undefined;
  bias_hh: Vector | undefined;
  sequence_lengths: number[] | undefined;
  h0: Matrix | undefined;
  nonlinearity: string;
  direction: string;
  time_major: boolean;
  dout: Matrix[] | undefined;
  dh_n: Matrix | undefined;
}

const zeros = (length: number): Vector => new Array<number>(length).fill(0);
const plus = (a: Vector, b: Vector): Vector => a.map((value, j) => value + b[j]);
const product = (m: Matrix, v: Vector): Vector => m.map((row) => row.reduce((sum, w, k) => sum + w * v[k], 0));
const transposed = (m: Matrix): Matrix => m[0].map((_, k) => m.map((row) => row[k]));

const nonlinearities = {
  tanh: { f: (z: number) => Math.tanh(z), slope: (z: number) => 1 - Math.tanh(z) ** 2 },
  relu: { f: (z: number) => (z > 0 ? z : 0), slope: (z: number) => (z > 0 ? 1 : 0) },
};

function createCell(weight_ih: Matrix, weight_hh: Matrix, bias: Vector, nonlinearity: string) {
  const { f, slope } = nonlinearity === 'relu' ? nonlinearities.relu : nonlinearities.tanh;
  const gradients = {
    weight_ih: weight_ih.map((row) => zeros(row.length)),
    weight_hh: weight_hh.map((row) => zeros(row.length)),
    bias: zeros(bias.length),
  };
  const history: { x: Vector; h: Vector; z: Vector }[] = [];

  function step(x: Vector, h: Vector): Vector {
    const z = plus(plus(product(weight_ih, x), product(weight_hh, h)), bias);
    history.push({ x, h, z });
    return z.map(f);
  }

  /** From the gradient of the newest state to those of its input and of the state before. */
  function backstep(dh: Vector): [Vector, Vector] {
    const { x, h, z } = history[history.length - 1];
    history.length--;
    const dz = dh.map((value, j) => value * slope(z[j]));
    dz.forEach((value, j) => {
      gradients.weight_ih[j] = gradients.weight_ih[j].map((sum, k) => sum + value * x[k]);
      gradients.weight_hh[j] = gradients.weight_hh[j].map((sum, k) => sum + value * h[k]);
      gradients.bias[j] += value;
    });
    return [product(transposed(weight_ih), dz), product(transposed(weight_hh), dz)];
  }

  return { step, backstep, gradients };
}

export default function rnn(given: Given): Answers {
  const { x, weight_ih, weight_hh, bias_ih, bias_hh, sequence_lengths, h0, dout, dh_n } = given;
  if (given.direction !== 'forward') throw new Error('unsupported: direction');
  if (given.time_major) throw new Error('unsupported: time_major');
  const H = weight_hh.length;
  const bias = plus(bias_ih ?? zeros(H), bias_hh ?? zeros(H));
  const cell = createCell(weight_ih, weight_hh, bias, given.nonlinearity);

  const out = x.map((sequence) => sequence.map(() => zeros(H)));
  const dx = x.map((sequence) => sequence.map((input) => zeros(input.length)));
  const h_n: Matrix = [];
  const dh0: Matrix = [];
  x.forEach((sequence, n) => {
    const length = sequence_lengths ? sequence_lengths[n] : sequence.length;
    let h = h0 ? h0[n] : zeros(H);
    for (let t = 0; t < length; t++) {
      h = cell.step(sequence[t], h);
      out[n][t] = h;
    }
    h_n.push(h);
    let dh = dh_n ? dh_n[n] : zeros(H);
    for (let t = length - 1; t >= 0; t--) {
      if (dout) dh = plus(dh, dout[n][t]);
      [dx[n][t], dh] = cell.backstep(dh);
    }
    dh0.push(dh);
  });

  if (!dout && !dh_n) return { out, h_n };
  const { gradients } = cell;
  return {
    out,
    h_n,
    dx,
    dweight_ih: gradients.weight_ih,
    dweight_hh: gradients.weight_hh,
    ...(bias_ih && { dbias_ih: gradients.bias }),
    ...(bias_hh && { dbias_hh: gradients.bias }),
    ...(h0 && { dh0 }),
  };
}
