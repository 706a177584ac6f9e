/** LSTM in scalar loops, with an array for each gate. */
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
  c0: Matrix | undefined;
  direction: string;
  time_major: boolean;
  dout: number[][][] | undefined;
  dh_n: Matrix | undefined;
  dc_n: Matrix | undefined;
}

const zeros = (rows: number, columns: number): Matrix =>
  Array.from({ length: rows }, () => new Array<number>(columns).fill(0));

const sigmoid = (z: number) => 1 / (1 + Math.exp(-z));

export default function lstm(given: Given): Answers {
  const { x, weight_ih, weight_hh, bias_ih, bias_hh, sequence_lengths, h0, c0, dout, dh_n, dc_n } = given;
  if (given.direction !== 'forward') throw new Error('unsupported: direction');
  if (given.time_major) throw new Error('unsupported: time_major');
  const [N, T, I] = [x.length, x[0].length, x[0][0].length];
  const H = weight_hh[0].length;
  const hasUpstream = dout !== undefined || dh_n !== undefined || dc_n !== undefined;

  const out = x.map(() => zeros(T, H));
  const h_n = zeros(N, H);
  const c_n = zeros(N, H);
  const dx = x.map(() => zeros(T, I));
  const dh0 = zeros(N, H);
  const dc0 = zeros(N, H);
  const dweight_ih = zeros(4 * H, I);
  const dweight_hh = zeros(4 * H, H);
  const dbias = new Array<number>(4 * H).fill(0);

  for (let n = 0; n < N; n++) {
    const length = sequence_lengths ? sequence_lengths[n] : T;
    const [i, f, g, o] = [zeros(length, H), zeros(length, H), zeros(length, H), zeros(length, H)];
    // h[t] and c[t] are the states before step t.
    const h = zeros(length + 1, H);
    const c = zeros(length + 1, H);
    for (let j = 0; j < H; j++) {
      if (h0) h[0][j] = h0[n][j];
      if (c0) c[0][j] = c0[n][j];
    }
    for (let t = 0; t < length; t++) {
      const z: number[] = [];
      for (let r = 0; r < 4 * H; r++) {
        let sum = 0;
        if (bias_ih) sum += bias_ih[r];
        if (bias_hh) sum += bias_hh[r];
        for (let k = 0; k < I; k++) sum += weight_ih[r][k] * x[n][t][k];
        for (let k = 0; k < H; k++) sum += weight_hh[r][k] * h[t][k];
        z.push(sum);
      }
      for (let j = 0; j < H; j++) {
        i[t][j] = sigmoid(z[j]);
        f[t][j] = sigmoid(z[H + j]);
        g[t][j] = Math.tanh(z[2 * H + j]);
        o[t][j] = sigmoid(z[3 * H + j]);
        c[t + 1][j] = f[t][j] * c[t][j] + i[t][j] * g[t][j];
        h[t + 1][j] = o[t][j] * Math.tanh(c[t + 1][j]);
        out[n][t][j] = h[t + 1][j];
      }
    }
    for (let j = 0; j < H; j++) {
      h_n[n][j] = h[length][j];
      c_n[n][j] = c[length][j];
    }
    if (!hasUpstream) continue;

    const dh = new Array<number>(H).fill(0);
    const dc = new Array<number>(H).fill(0);
    for (let j = 0; j < H; j++) {
      if (dh_n) dh[j] = dh_n[n][j];
      if (dc_n) dc[j] = dc_n[n][j];
    }
    for (let t = length - 1; t >= 0; t--) {
      const dz = new Array<number>(4 * H).fill(0);
      for (let j = 0; j < H; j++) {
        if (dout) dh[j] += dout[n][t][j];
        const tanhC = Math.tanh(c[t + 1][j]);
        dc[j] += dh[j] * o[t][j] * (1 - tanhC * tanhC);
        dz[j] = dc[j] * g[t][j] * i[t][j] * (1 - i[t][j]);
        dz[H + j] = dc[j] * c[t][j] * f[t][j] * (1 - f[t][j]);
        dz[2 * H + j] = dc[j] * i[t][j] * (1 - g[t][j] * g[t][j]);
        dz[3 * H + j] = dh[j] * tanhC * o[t][j] * (1 - o[t][j]);
        dc[j] = dc[j] * f[t][j];
        dh[j] = 0;
      }
      for (let r = 0; r < 4 * H; r++) {
        for (let k = 0; k < I; k++) {
          dx[n][t][k] += dz[r] * weight_ih[r][k];
          dweight_ih[r][k] += dz[r] * x[n][t][k];
        }
        for (let k = 0; k < H; k++) {
          dh[k] += dz[r] * weight_hh[r][k];
          dweight_hh[r][k] += dz[r] * h[t][k];
        }
        dbias[r] += dz[r];
      }
    }
    dh0[n] = dh;
    dc0[n] = dc;
  }

  const outputs = { out, h_n, c_n };
  if (!hasUpstream) return outputs;
  return {
    ...outputs,
    dx,
    dweight_ih,
    dweight_hh,
    ...(bias_ih ? { dbias_ih: dbias } : {}),
    ...(bias_hh ? { dbias_hh: dbias } : {}),
    ...(h0 ? { dh0 } : {}),
    ...(c0 ? { dc0 } : {}),
  };
}
