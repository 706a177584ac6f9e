/** Elman network with one weight [W_ih, W_hh] for [x, h], in small vector helpers. */
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

function dot(a: Vector, b: Vector): number {
  let sum = 0;
  for (let k = 0; k < a.length; k++) sum += a[k] * b[k];
  return sum;
}

function zeros(length: number): Vector {
  return new Array<number>(length).fill(0);
}

/** Adds the outer product of a and b to m. */
function addOuter(m: Matrix, a: Vector, b: Vector): void {
  for (let r = 0; r < a.length; r++) for (let k = 0; k < b.length; k++) m[r][k] += a[r] * b[k];
}

export default function rnn(given: Given): Answers {
  const { x, weight_ih, weight_hh, bias_ih, bias_hh, sequence_lengths, h0, nonlinearity, dout, dh_n } = given;
  if (given.direction !== 'forward') throw new Error('unsupported: direction');
  if (given.time_major) throw new Error('unsupported: time_major');
  const [T, I, H] = [x[0].length, x[0][0].length, weight_hh.length];
  if (sequence_lengths?.some((length) => length < T)) throw new Error('unsupported: sequence_lengths');
  const isRelu = nonlinearity === 'relu';

  const W = weight_ih.map((row, j) => row.concat(weight_hh[j]));
  const b = W.map((_, j) => (bias_ih ? bias_ih[j] : 0) + (bias_hh ? bias_hh[j] : 0));
  const columns = W[0].map((_, k) => W.map((row) => row[k]));

  const joined: Matrix[] = [];
  const out = x.map((sequence, n) => {
    let h = h0 ? h0[n] : zeros(H);
    joined.push([]);
    return sequence.map((input) => {
      const xh = [...input, ...h];
      joined[n].push(xh);
      const z = W.map((row, j) => dot(row, xh) + b[j]);
      h = isRelu ? z.map((value) => Math.max(value, 0)) : z.map((value) => Math.tanh(value));
      return h;
    });
  });
  const h_n = out.map((states) => states[T - 1]);
  if (!dout && !dh_n) return { out, h_n };

  const dW = W.map((row) => zeros(row.length));
  const db = zeros(H);
  const dx = x.map((sequence) => sequence.map(() => zeros(I)));
  const dh0 = x.map((_, n) => {
    let dh = dh_n ? dh_n[n] : zeros(H);
    for (let t = T - 1; t >= 0; t--) {
      const h = out[n][t];
      const upstream = dout ? dout[n][t] : zeros(H);
      const dz = zeros(H);
      for (let j = 0; j < H; j++) {
        const derivative = isRelu ? (h[j] > 0 ? 1 : 0) : 1 - h[j] * h[j];
        dz[j] = (dh[j] + upstream[j]) * derivative;
        db[j] += dz[j];
      }
      addOuter(dW, dz, joined[n][t]);
      const dxh = columns.map((column) => dot(column, dz));
      dx[n][t] = dxh.slice(0, I);
      dh = dxh.slice(I);
    }
    return dh;
  });
  return {
    out,
    h_n,
    dx,
    dweight_ih: dW.map((row) => row.slice(0, I)),
    dweight_hh: dW.map((row) => row.slice(I)),
    ...(bias_ih ? { dbias_ih: db } : {}),
    ...(bias_hh ? { dbias_hh: db } : {}),
    ...(h0 ? { dh0 } : {}),
  };
}
