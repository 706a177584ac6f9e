/** LSTM with the products hoisted out of the recurrence: those with x come before it, and dweight after it. */
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

function matmul(a: Matrix, b: Matrix): Matrix {
  return a.map((row) => b[0].map((_, j) => row.reduce((sum, value, k) => sum + value * b[k][j], 0)));
}

function transpose(a: Matrix): Matrix {
  return a[0].map((_, j) => a.map((row) => row[j]));
}

function zeros(rows: number, columns: number): Matrix {
  return Array.from({ length: rows }, () => new Array<number>(columns).fill(0));
}

function sigmoid(z: number): number {
  return 1 / (1 + Math.exp(-z));
}

export default function lstm(given: Given): Answers {
  const { weight_ih, weight_hh, bias_ih, bias_hh, sequence_lengths, h0, c0, time_major, dout, dh_n, dc_n } = given;
  if (given.direction !== 'forward') throw new Error('unsupported: direction');

  // steps[t]: the batch at time t.
  const swap = (a: Matrix[]): Matrix[] => a[0].map((_, t) => a.map((rows) => rows[t]));
  const steps = time_major ? given.x : swap(given.x);
  const douts = dout && (time_major ? dout : swap(dout));
  const [T, N] = [steps.length, steps[0].length];
  if (sequence_lengths?.some((length) => length !== T)) throw new Error('unsupported: sequence_lengths');
  const H = weight_hh[0].length;
  const recurrent = transpose(weight_hh);

  const projected = steps.map((batch) => matmul(batch, transpose(weight_ih)));
  const hs = [h0 ?? zeros(N, H)];
  const cs = [c0 ?? zeros(N, H)];
  const gates: Matrix[] = [];
  for (let t = 0; t < T; t++) {
    const fromHidden = matmul(hs[t], recurrent);
    const activated = projected[t].map((row, n) =>
      row.map((value, r) => {
        let z = value + fromHidden[n][r];
        if (bias_ih) z += bias_ih[r];
        if (bias_hh) z += bias_hh[r];
        return Math.floor(r / H) === 2 ? Math.tanh(z) : sigmoid(z);
      }),
    );
    gates.push(activated);
    const c = activated.map((gate, n) => cs[t][n].map((past, j) => gate[H + j] * past + gate[j] * gate[2 * H + j]));
    const h = activated.map((gate, n) => c[n].map((value, j) => gate[3 * H + j] * Math.tanh(value)));
    hs.push(h);
    cs.push(c);
  }
  const outs = hs.slice(1);
  const outputs = { out: time_major ? outs : swap(outs), h_n: hs[T], c_n: cs[T] };
  if (!dout && !dh_n && !dc_n) return outputs;

  const dzs: Matrix[] = [];
  let dh = dh_n ?? zeros(N, H);
  let dc = dc_n ?? zeros(N, H);
  for (let t = T - 1; t >= 0; t--) {
    const dz = zeros(N, 4 * H);
    const dcBefore = zeros(N, H);
    for (let n = 0; n < N; n++) {
      const gate = gates[t][n];
      for (let j = 0; j < H; j++) {
        const [i, f, g, o] = [gate[j], gate[H + j], gate[2 * H + j], gate[3 * H + j]];
        const tanhC = Math.tanh(cs[t + 1][n][j]);
        const dhj = dh[n][j] + (douts ? douts[t][n][j] : 0);
        const dcj = dc[n][j] + dhj * o * (1 - tanhC * tanhC);
        dz[n][j] = i * (1 - i) * g * dcj;
        dz[n][H + j] = f * (1 - f) * cs[t][n][j] * dcj;
        dz[n][2 * H + j] = (1 - g * g) * i * dcj;
        dz[n][3 * H + j] = o * (1 - o) * tanhC * dhj;
        dcBefore[n][j] = f * dcj;
      }
    }
    dzs.unshift(dz);
    dh = matmul(dz, weight_hh);
    dc = dcBefore;
  }

  // All steps as the rows of one matrix.
  const rows = dzs.flat();
  const dxs = dzs.map((dz) => matmul(dz, weight_ih));
  const dbias = transpose(rows).map((column) => column.reduce((sum, value) => sum + value, 0));
  return {
    ...outputs,
    dx: time_major ? dxs : swap(dxs),
    dweight_ih: matmul(transpose(rows), steps.flat()),
    dweight_hh: matmul(transpose(rows), hs.slice(0, T).flat()),
    ...(bias_ih ? { dbias_ih: dbias } : {}),
    ...(bias_hh ? { dbias_hh: dbias } : {}),
    ...(h0 ? { dh0: dh } : {}),
    ...(c0 ? { dc0: dc } : {}),
  };
}
