/** Elman network in scalar loops, one sequence after the other. */
import type { Answers } from '../../definition.js';

type Matrix = number[][];

interface Given {
  x: number[][][];
  weight_ih: Matrix;
  weight_hh: Matrix;
  bias_ih: number[] | undefined;
  bias_hh: number[] | undefined;
  sequence_lengths: number[] | undefined;
  h0: Matrix | undefined;
  nonlinearity: string;
  direction: string;
  time_major: boolean;
  dout: number[][][] | undefined;
  dh_n: Matrix | undefined;
}

const zeros = (rows: number, columns: number): Matrix =>
  Array.from({ length: rows }, () => new Array<number>(columns).fill(0));

export default function rnn(given: Given): Answers {
  const { x, weight_ih, weight_hh, bias_ih, bias_hh, sequence_lengths, h0, nonlinearity, dout, dh_n } = given;
  if (given.direction === 'bidirectional') throw new Error('unsupported: bidirectional');
  if (given.time_major) throw new Error('unsupported: time_major');
  const N = x.length;
  const T = x[0].length;
  const I = x[0][0].length;
  const H = weight_hh.length;
  const isReverse = given.direction === 'reverse';

  const out = x.map(() => zeros(T, H));
  const h_n = zeros(N, H);
  for (let n = 0; n < N; n++) {
    const length = sequence_lengths ? sequence_lengths[n] : T;
    let h = h0 ? h0[n] : zeros(1, H)[0];
    for (let s = 0; s < length; s++) {
      const t = isReverse ? length - 1 - s : s;
      const next: number[] = [];
      for (let j = 0; j < H; j++) {
        let z = 0;
        for (let k = 0; k < I; k++) z += weight_ih[j][k] * x[n][t][k];
        for (let k = 0; k < H; k++) z += weight_hh[j][k] * h[k];
        if (bias_ih) z += bias_ih[j];
        if (bias_hh) z += bias_hh[j];
        next[j] = nonlinearity === 'tanh' ? Math.tanh(z) : Math.max(0, z);
      }
      h = next;
      out[n][t] = h;
    }
    h_n[n] = h;
  }
  if (!dout && !dh_n) return { out, h_n };

  const dx = x.map(() => zeros(T, I));
  const dweight_ih = zeros(H, I);
  const dweight_hh = zeros(H, H);
  const dbias_ih = new Array<number>(H).fill(0);
  const dbias_hh = new Array<number>(H).fill(0);
  const dh0 = zeros(N, H);
  for (let n = 0; n < N; n++) {
    const length = sequence_lengths ? sequence_lengths[n] : T;
    let dh = dh_n ? dh_n[n] : zeros(1, H)[0];
    for (let s = length - 1; s >= 0; s--) {
      const t = isReverse ? length - 1 - s : s;
      const before = isReverse ? t + 1 : t - 1;
      const carried = new Array<number>(H).fill(0);
      for (let j = 0; j < H; j++) {
        const h = out[n][t][j];
        const total = dh[j] + (dout ? dout[n][t][j] : 0);
        let dz = total;
        if (nonlinearity === 'tanh') dz = total * (1 - h * h);
        else if (h <= 0) dz = 0;
        for (let k = 0; k < I; k++) {
          dx[n][t][k] += weight_ih[j][k] * dz;
          dweight_ih[j][k] += dz * x[n][t][k];
        }
        for (let k = 0; k < H; k++) {
          carried[k] += weight_hh[j][k] * dz;
          if (s > 0) dweight_hh[j][k] += dz * out[n][before][k];
          else if (h0) dweight_hh[j][k] += dz * h0[n][k];
        }
        dbias_ih[j] += dz;
        dbias_hh[j] += dz;
      }
      dh = carried;
    }
    dh0[n] = dh;
  }

  const answers: Record<string, unknown> = { out, h_n, dx, dweight_ih, dweight_hh };
  if (bias_ih) answers.dbias_ih = dbias_ih;
  if (bias_hh) answers.dbias_hh = dbias_hh;
  if (h0) answers.dh0 = dh0;
  return answers;
}
