/** LSTM with every option: one pass per direction, over sequences that are turned round for the reverse one. */
import type { Answers, Nested } from '../../definition.js';

type Matrix = number[][];

interface Given {
  x: Matrix[];
  weight_ih: Nested;
  weight_hh: Nested;
  bias_ih: Nested | undefined;
  bias_hh: Nested | undefined;
  sequence_lengths: number[] | undefined;
  h0: Nested | undefined;
  c0: Nested | undefined;
  direction: 'forward' | 'reverse' | 'bidirectional';
  time_major: boolean;
  dout: Matrix[] | undefined;
  dh_n: Nested | undefined;
  dc_n: Nested | undefined;
}

const zeros = (rows: number, columns: number): Matrix =>
  Array.from({ length: rows }, () => new Array<number>(columns).fill(0));
const sigmoid = (z: number) => 1 / (1 + Math.exp(-z));
const dot = (a: number[], b: number[]) => a.reduce((sum, value, k) => sum + value * b[k], 0);
/** Swaps the first two axes. */
const swap = (a: Matrix[]): Matrix[] => a[0].map((_, t) => a.map((rows) => rows[t]));
/** Reverses the part of each sequence that is not padding. */
const turn = (a: Matrix[], lengths: number[]): Matrix[] =>
  a.map((rows, n) => [...rows.slice(0, lengths[n]).reverse(), ...rows.slice(lengths[n])]);

interface Weights {
  ih: Matrix;
  hh: Matrix;
  bias: number[];
}

function forwardPass(x: Matrix[], lengths: number[], { ih, hh, bias }: Weights, h0: Matrix, c0: Matrix) {
  const H = h0[0].length;
  const out = x.map((rows) => zeros(rows.length, H));
  const gates = x.map((rows) => zeros(rows.length, 4 * H));
  const cells = x.map((rows) => zeros(rows.length, H));
  for (let n = 0; n < x.length; n++)
    for (let t = 0; t < lengths[n]; t++) {
      const h = t > 0 ? out[n][t - 1] : h0[n];
      const c = t > 0 ? cells[n][t - 1] : c0[n];
      const z = bias.map((b, r) => b + dot(ih[r], x[n][t]) + dot(hh[r], h));
      gates[n][t] = z.map((value, r) => (r >= 2 * H && r < 3 * H ? Math.tanh(value) : sigmoid(value)));
      for (let j = 0; j < H; j++) {
        const [i, f, g, o] = [0, 1, 2, 3].map((block) => gates[n][t][block * H + j]);
        cells[n][t][j] = f * c[j] + i * g;
        out[n][t][j] = o * Math.tanh(cells[n][t][j]);
      }
    }
  const last = (states: Matrix[], start: Matrix) =>
    states.map((rows, n) => (lengths[n] > 0 ? rows[lengths[n] - 1] : start[n]));
  return { out, gates, cells, h_n: last(out, h0), c_n: last(cells, c0) };
}

export default function lstm(given: Given): Answers {
  const { direction, time_major } = given;
  const x = time_major ? swap(given.x) : given.x;
  const [N, T, I] = [x.length, x[0].length, x[0][0].length];
  const lengths = given.sequence_lengths ?? x.map(() => T);
  const directions = direction === 'bidirectional' ? ['forward', 'reverse'] : [direction];
  const D = directions.length;
  const hasGradients = given.dout !== undefined || given.dh_n !== undefined || given.dc_n !== undefined;
  const dout = given.dout && (time_major ? swap(given.dout) : given.dout);
  const dx = x.map(() => zeros(T, I));

  const passes = directions.map((name, d) => {
    const own = (tensor: Nested) => (D === 2 ? (tensor as Nested[])[d] : tensor);
    const [ih, hh] = [own(given.weight_ih) as Matrix, own(given.weight_hh) as Matrix];
    const H = hh[0].length;
    const bias = ih.map((_, r) => {
      const first = given.bias_ih ? (own(given.bias_ih) as number[])[r] : 0;
      const second = given.bias_hh ? (own(given.bias_hh) as number[])[r] : 0;
      return first + second;
    });
    const orZeros = (states: Nested | undefined) => (states ? (own(states) as Matrix) : zeros(N, H));
    const arrange = (a: Matrix[]) => (name === 'reverse' ? turn(a, lengths) : a);
    const [h0, c0] = [orZeros(given.h0), orZeros(given.c0)];
    const xs = arrange(x);
    const { out, gates, cells, h_n, c_n } = forwardPass(xs, lengths, { ih, hh, bias }, h0, c0);
    const outputs = { out: arrange(out), h_n, c_n };

    const dxs = x.map(() => zeros(T, I));
    const [dih, dhh, dbias] = [zeros(4 * H, I), zeros(4 * H, H), new Array<number>(4 * H).fill(0)];
    const dh = orZeros(given.dh_n).map((row) => [...row]);
    const dc = orZeros(given.dc_n).map((row) => [...row]);
    const douts = dout && arrange(dout.map((rows) => rows.map((row) => row.slice(d * H, (d + 1) * H))));
    for (let n = 0; hasGradients && n < N; n++)
      for (let t = lengths[n] - 1; t >= 0; t--) {
        const hBefore = t > 0 ? out[n][t - 1] : h0[n];
        const cBefore = t > 0 ? cells[n][t - 1] : c0[n];
        const dz = new Array<number>(4 * H).fill(0);
        for (let j = 0; j < H; j++) {
          const [i, f, g, o] = [0, 1, 2, 3].map((block) => gates[n][t][block * H + j]);
          const squashed = Math.tanh(cells[n][t][j]);
          if (douts) dh[n][j] += douts[n][t][j];
          dc[n][j] += dh[n][j] * o * (1 - squashed ** 2);
          dz[j] = dc[n][j] * g * i * (1 - i);
          dz[H + j] = dc[n][j] * cBefore[j] * f * (1 - f);
          dz[2 * H + j] = dc[n][j] * i * (1 - g ** 2);
          dz[3 * H + j] = dh[n][j] * squashed * o * (1 - o);
          dc[n][j] *= f;
        }
        dh[n].fill(0);
        dz.forEach((d, r) => {
          dbias[r] += d;
          ih[r].forEach((w, k) => {
            dxs[n][t][k] += d * w;
            dih[r][k] += d * xs[n][t][k];
          });
          hh[r].forEach((w, k) => {
            dh[n][k] += d * w;
            dhh[r][k] += d * hBefore[k];
          });
        });
      }
    arrange(dxs).forEach((rows, n) => {
      rows.forEach((row, t) => {
        row.forEach((value, k) => (dx[n][t][k] += value));
      });
    });
    return { ...outputs, dih, dhh, dbias, dh, dc };
  });

  const stack = <Value>(of: (pass: (typeof passes)[number]) => Value) => (D === 2 ? passes.map(of) : of(passes[0]));
  const out = x.map((_, n) => x[n].map((_, t) => passes.flatMap((pass) => pass.out[n][t])));
  const answers: Record<string, unknown> = {
    out: time_major ? swap(out) : out,
    h_n: stack(({ h_n }) => h_n),
    c_n: stack(({ c_n }) => c_n),
  };
  if (!hasGradients) return answers;
  answers.dx = time_major ? swap(dx) : dx;
  answers.dweight_ih = stack(({ dih }) => dih);
  answers.dweight_hh = stack(({ dhh }) => dhh);
  if (given.bias_ih) answers.dbias_ih = stack(({ dbias }) => dbias);
  if (given.bias_hh) answers.dbias_hh = stack(({ dbias }) => dbias);
  if (given.h0) answers.dh0 = stack(({ dh }) => dh);
  if (given.c0) answers.dc0 = stack(({ dc }) => dc);
  return answers;
}
