/** LSTM in small vector helpers, one sequence after the other, with a cache object for each step. */
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
  c0: Matrix | undefined;
  direction: string;
  time_major: boolean;
  dout: Matrix[] | undefined;
  dh_n: Matrix | undefined;
  dc_n: Matrix | undefined;
}

interface Cache {
  x: Vector;
  hPrev: Vector;
  cPrev: Vector;
  i: Vector;
  f: Vector;
  g: Vector;
  o: Vector;
  tanhC: Vector;
}

const zeros = (length: number): Vector => new Array<number>(length).fill(0);
const add = (a: Vector, b: Vector): Vector => a.map((value, j) => value + b[j]);
const mul = (a: Vector, b: Vector): Vector => a.map((value, j) => value * b[j]);
const dot = (a: Vector, b: Vector): number => a.reduce((sum, value, j) => sum + value * b[j], 0);
const matvec = (m: Matrix, v: Vector): Vector => m.map((row) => dot(row, v));
const transposeMatvec = (m: Matrix, v: Vector): Vector => m[0].map((_, j) => v.reduce((s, d, r) => s + d * m[r][j], 0));
const outer = (a: Vector, b: Vector): Matrix => a.map((p) => b.map((q) => p * q));
const addMatrix = (a: Matrix, b: Matrix): Matrix => a.map((row, r) => add(row, b[r]));
const sigmoid = (v: Vector): Vector => v.map((value) => 1 / (1 + Math.exp(-value)));
const sigmoidSlope = (s: Vector): Vector => s.map((value) => value * (1 - value));
const tanh = (v: Vector): Vector => v.map(Math.tanh);
const tanhSlope = (y: Vector): Vector => y.map((value) => 1 - value * value);

export default function lstm(given: Given): Answers {
  const { x, weight_ih, weight_hh, direction, time_major, sequence_lengths, dout, dh_n, dc_n } = given;
  if (direction === 'bidirectional') throw new Error('unsupported: bidirectional');
  if (time_major) throw new Error('unsupported: time_major');
  const T = x[0].length;
  const I = x[0][0].length;
  const H = weight_hh[0].length;
  const bias_ih = given.bias_ih ?? zeros(4 * H);
  const bias_hh = given.bias_hh ?? zeros(4 * H);

  function forwardStep(input: Vector, hPrev: Vector, cPrev: Vector) {
    const fromInput = add(matvec(weight_ih, input), bias_ih);
    const fromHidden = add(matvec(weight_hh, hPrev), bias_hh);
    const z = add(fromInput, fromHidden);
    const i = sigmoid(z.slice(0, H));
    const f = sigmoid(z.slice(H, 2 * H));
    const g = tanh(z.slice(2 * H, 3 * H));
    const o = sigmoid(z.slice(3 * H));
    const c = add(mul(f, cPrev), mul(i, g));
    const tanhC = tanh(c);
    const h = mul(o, tanhC);
    const cache: Cache = { x: input, hPrev, cPrev, i, f, g, o, tanhC };
    return { h, c, cache };
  }

  function backwardStep(dh: Vector, dcNext: Vector, { cPrev, i, f, g, o, tanhC }: Cache) {
    const dO = mul(dh, tanhC);
    const dc = add(dcNext, mul(mul(dh, o), tanhSlope(tanhC)));
    const di = mul(dc, g);
    const df = mul(dc, cPrev);
    const dg = mul(dc, i);
    const dcPrev = mul(dc, f);
    const dz = [
      ...mul(di, sigmoidSlope(i)),
      ...mul(df, sigmoidSlope(f)),
      ...mul(dg, tanhSlope(g)),
      ...mul(dO, sigmoidSlope(o)),
    ];
    return { dz, dcPrev };
  }

  const out = x.map((sequence) => sequence.map(() => zeros(H)));
  const dx = x.map((sequence) => sequence.map(() => zeros(I)));
  const [h_n, c_n, dh0, dc0]: Matrix[] = [[], [], [], []];
  let dweight_ih = weight_ih.map(() => zeros(I));
  let dweight_hh = weight_hh.map(() => zeros(H));
  let dbias = zeros(4 * H);
  const isTraining = dout ?? dh_n ?? dc_n;

  x.forEach((sequence, n) => {
    const length = sequence_lengths?.[n] ?? T;
    const order = Array.from({ length }, (_, s) => (direction === 'reverse' ? length - 1 - s : s));
    let h = given.h0?.[n] ?? zeros(H);
    let c = given.c0?.[n] ?? zeros(H);
    const caches: Cache[] = [];
    for (const t of order) {
      const step = forwardStep(sequence[t], h, c);
      h = step.h;
      c = step.c;
      caches.push(step.cache);
      out[n][t] = h;
    }
    h_n.push(h);
    c_n.push(c);
    if (!isTraining) return;

    let dh = dh_n?.[n] ?? zeros(H);
    let dc = dc_n?.[n] ?? zeros(H);
    for (const t of order.reverse()) {
      const cache = caches.pop();
      if (!cache) break;
      if (dout) dh = add(dh, dout[n][t]);
      const { dz, dcPrev } = backwardStep(dh, dc, cache);
      dweight_ih = addMatrix(dweight_ih, outer(dz, cache.x));
      dweight_hh = addMatrix(dweight_hh, outer(dz, cache.hPrev));
      dbias = add(dbias, dz);
      dx[n][t] = transposeMatvec(weight_ih, dz);
      dh = transposeMatvec(weight_hh, dz);
      dc = dcPrev;
    }
    dh0.push(dh);
    dc0.push(dc);
  });

  if (!isTraining) return { out, h_n, c_n };
  const answers: Record<string, unknown> = { out, h_n, c_n, dx, dweight_ih, dweight_hh };
  if (given.bias_ih) answers.dbias_ih = dbias;
  if (given.bias_hh) answers.dbias_hh = dbias;
  if (given.h0) answers.dh0 = dh0;
  if (given.c0) answers.dc0 = dc0;
  return answers;
}
