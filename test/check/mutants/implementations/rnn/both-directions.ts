/** Elman network with every option. A pass visits the steps of a sequence in an order, and backward undoes it. */
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
  nonlinearity: 'tanh' | 'relu';
  direction: 'forward' | 'reverse' | 'bidirectional';
  time_major: boolean;
  dout: Matrix[] | undefined;
  dh_n: Nested | undefined;
}

interface Parameters {
  weight_ih: Matrix;
  weight_hh: Matrix;
  bias_ih: number[] | undefined;
  bias_hh: number[] | undefined;
}

const zeros = (rows: number, columns: number): Matrix =>
  Array.from({ length: rows }, () => new Array<number>(columns).fill(0));
const swapAxes = (a: Matrix[]): Matrix[] => a[0].map((_, t) => a.map((rows) => rows[t]));

/** One step: h_t from x_t and the state before. */
function step(x: number[], h: number[], parameters: Parameters, nonlinearity: string): number[] {
  const { weight_ih, weight_hh, bias_ih, bias_hh } = parameters;
  return weight_ih.map((row, j) => {
    let z = 0;
    row.forEach((w, k) => (z += w * x[k]));
    weight_hh[j].forEach((w, k) => (z += w * h[k]));
    z += (bias_ih?.[j] ?? 0) + (bias_hh?.[j] ?? 0);
    return nonlinearity === 'relu' ? Math.max(0, z) : Math.tanh(z);
  });
}

/** One direction, forward and backward. orders[n] lists the times of sequence n as they are visited. */
function run(
  x: Matrix[],
  orders: number[][],
  parameters: Parameters,
  h0: Matrix,
  nonlinearity: string,
  dout: Matrix[],
  dh_n: Matrix,
) {
  const { weight_ih, weight_hh } = parameters;
  const H = weight_hh.length;
  const [T, I] = [x[0].length, x[0][0].length];
  const out = x.map(() => zeros(T, H));
  const dx = x.map(() => zeros(T, I));
  const dweight_ih = zeros(H, I);
  const dweight_hh = zeros(H, H);
  const dbias = new Array<number>(H).fill(0);
  const h_n: Matrix = [];
  const dh0: Matrix = [];
  orders.forEach((order, n) => {
    const states = [h0[n]];
    for (const t of order) {
      out[n][t] = step(x[n][t], states[states.length - 1], parameters, nonlinearity);
      states.push(out[n][t]);
    }
    h_n.push(states[order.length]);

    let dh = dh_n[n];
    for (let s = order.length - 1; s >= 0; s--) {
      const t = order[s];
      const dz = dh.map((value, j) => {
        const h = out[n][t][j];
        const slope = nonlinearity === 'relu' ? Number(h > 0) : 1 - h * h;
        return (value + dout[n][t][j]) * slope;
      });
      dz.forEach((d, j) => {
        x[n][t].forEach((value, k) => (dweight_ih[j][k] += d * value));
        states[s].forEach((value, k) => (dweight_hh[j][k] += d * value));
        dbias[j] += d;
      });
      dx[n][t] = x[n][t].map((_, k) => dz.reduce((sum, d, j) => sum + d * weight_ih[j][k], 0));
      dh = dh.map((_, k) => dz.reduce((sum, d, j) => sum + d * weight_hh[j][k], 0));
    }
    dh0.push(dh);
  });
  return { out, h_n, dx, dweight_ih, dweight_hh, dbias, dh0 };
}

export default function rnn(given: Given): Answers {
  const { direction, nonlinearity, time_major } = given;
  const x = time_major ? swapAxes(given.x) : given.x;
  const dout = given.dout && (time_major ? swapAxes(given.dout) : given.dout);
  const [N, T] = [x.length, x[0].length];
  const lengths = given.sequence_lengths ?? new Array<number>(N).fill(T);
  const directions = direction === 'bidirectional' ? ['forward', 'reverse'] : [direction];

  const passes = directions.map((name, d) => {
    const part = (tensor: Nested) => (direction === 'bidirectional' ? (tensor as Nested[])[d] : tensor);
    const parameters: Parameters = {
      weight_ih: part(given.weight_ih) as Matrix,
      weight_hh: part(given.weight_hh) as Matrix,
      bias_ih: given.bias_ih ? (part(given.bias_ih) as number[]) : undefined,
      bias_hh: given.bias_hh ? (part(given.bias_hh) as number[]) : undefined,
    };
    const H = parameters.weight_hh.length;
    const orders = lengths.map((length) => {
      const times = Array.from({ length }, (_, t) => t);
      return name === 'reverse' ? times.reverse() : times;
    });
    const h0 = given.h0 ? (part(given.h0) as Matrix) : zeros(N, H);
    const dh_n = given.dh_n ? (part(given.dh_n) as Matrix) : zeros(N, H);
    // The features of the reverse pass come after those of the forward one.
    const own = x.map((rows, n) => rows.map((_, t) => dout?.[n][t].slice(d * H, (d + 1) * H) ?? zeros(1, H)[0]));
    return run(x, orders, parameters, h0, nonlinearity, own, dh_n);
  });

  const both = <Value>(of: (pass: (typeof passes)[number]) => Value) =>
    direction === 'bidirectional' ? passes.map(of) : of(passes[0]);
  const out = x.map((rows, n) => rows.map((_, t) => passes.flatMap((pass) => pass.out[n][t])));
  const outputs = { out: time_major ? swapAxes(out) : out, h_n: both(({ h_n }) => h_n) };
  if (!dout && !given.dh_n) return outputs;
  const dx = x.map((rows, n) =>
    rows.map((row, t) => row.map((_, k) => passes.reduce((sum, pass) => sum + pass.dx[n][t][k], 0))),
  );
  return {
    ...outputs,
    dx: time_major ? swapAxes(dx) : dx,
    dweight_ih: both(({ dweight_ih }) => dweight_ih),
    dweight_hh: both(({ dweight_hh }) => dweight_hh),
    ...(given.bias_ih ? { dbias_ih: both(({ dbias }) => dbias) } : {}),
    ...(given.bias_hh ? { dbias_hh: both(({ dbias }) => dbias) } : {}),
    ...(given.h0 ? { dh0: both(({ dh0 }) => dh0) } : {}),
  };
}
