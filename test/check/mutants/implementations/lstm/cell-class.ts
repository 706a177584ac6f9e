/** LSTM as a cell object with a matrix for each gate, a step, and a step back that collects the gradients. */
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

const sigmoid = (z: number) => 1 / (1 + Math.exp(-z));
const zeros = (length: number): Vector => Array.from({ length }, () => 0);
const zerosLike = (m: Matrix): Matrix => m.map((row) => zeros(row.length));

/** One gate: an affine function of x and h, and its gradients. */
class Gate {
  readonly dwx: Matrix;
  readonly dwh: Matrix;
  readonly db: Vector;

  constructor(
    readonly wx: Matrix,
    readonly wh: Matrix,
    readonly b: Vector,
    readonly activation: (z: number) => number,
    readonly slope: (y: number) => number,
  ) {
    this.dwx = zerosLike(wx);
    this.dwh = zerosLike(wh);
    this.db = zeros(b.length);
  }

  value(x: Vector, h: Vector): Vector {
    return this.b.map((b, j) => {
      let z = b;
      this.wx[j].forEach((w, k) => (z += w * x[k]));
      this.wh[j].forEach((w, k) => (z += w * h[k]));
      return this.activation(z);
    });
  }

  /** Adds to dx and dh, and to the gradients of the parameters. */
  back(dy: Vector, y: Vector, x: Vector, h: Vector, dx: Vector, dh: Vector): void {
    for (let j = 0; j < y.length; j++) {
      const dz = dy[j] * this.slope(y[j]);
      for (let k = 0; k < x.length; k++) {
        this.dwx[j][k] += dz * x[k];
        dx[k] += dz * this.wx[j][k];
      }
      for (let k = 0; k < h.length; k++) {
        this.dwh[j][k] += dz * h[k];
        dh[k] += dz * this.wh[j][k];
      }
      this.db[j] += dz;
    }
  }
}

class LstmCell {
  private readonly tape: { x: Vector; h: Vector; c: Vector; gates: Matrix; next: Vector }[] = [];

  constructor(readonly gates: Gate[]) {}

  step(x: Vector, h: Vector, c: Vector): [Vector, Vector] {
    const gates = this.gates.map((gate) => gate.value(x, h));
    const [i, f, g, o] = gates;
    const next = c.map((past, j) => f[j] * past + i[j] * g[j]);
    this.tape.push({ x, h, c, gates, next });
    return [next.map((value, j) => o[j] * Math.tanh(value)), next];
  }

  /** Undoes the last step: from the gradients of its states to those of its input and of the states before. */
  backstep(dh: Vector, dc: Vector): { dx: Vector; dh: Vector; dc: Vector } {
    const last = this.tape.pop();
    if (!last) throw new Error('there is no step left');
    const { x, h, c, gates, next } = last;
    const [i, f, g, o] = gates;
    const t = next.map((value) => Math.tanh(value));
    const total = dc.map((value, j) => value + dh[j] * o[j] * (1 - t[j] * t[j]));
    const dgates = [
      total.map((value, j) => value * g[j]),
      total.map((value, j) => value * c[j]),
      total.map((value, j) => value * i[j]),
      dh.map((value, j) => value * t[j]),
    ];
    const dx = zeros(x.length);
    const dhBefore = zeros(h.length);
    this.gates.forEach((gate, k) => {
      gate.back(dgates[k], gates[k], x, h, dx, dhBefore);
    });
    return { dx, dh: dhBefore, dc: total.map((value, j) => value * f[j]) };
  }
}

export default function lstm(given: Given): Answers {
  const { x, weight_ih, weight_hh, bias_ih, bias_hh, sequence_lengths, h0, c0, dout, dh_n, dc_n } = given;
  if (given.direction !== 'forward') throw new Error('unsupported: direction');
  if (given.time_major) throw new Error('unsupported: time_major');
  const H = weight_hh[0].length;
  const gates = ['input', 'forget', 'cell', 'output'].map((name, block) => {
    const [from, to] = [block * H, (block + 1) * H];
    const bias = zeros(H).map((_, j) => (bias_ih ? bias_ih[from + j] : 0) + (bias_hh ? bias_hh[from + j] : 0));
    const isCell = name === 'cell';
    const activation = isCell ? Math.tanh : sigmoid;
    const slope = isCell ? (y: number) => 1 - y * y : (y: number) => y * (1 - y);
    return new Gate(weight_ih.slice(from, to), weight_hh.slice(from, to), bias, activation, slope);
  });

  const isBackward = dout !== undefined || dh_n !== undefined || dc_n !== undefined;
  const results = x.map((sequence, n) => {
    const length = sequence_lengths ? sequence_lengths[n] : sequence.length;
    const cell = new LstmCell(gates);
    let h = h0 ? h0[n] : zeros(H);
    let c = c0 ? c0[n] : zeros(H);
    const out = sequence.map((input, t) => {
      if (t >= length) return zeros(H);
      [h, c] = cell.step(input, h, c);
      return h;
    });
    const dx = zerosLike(sequence);
    let dh = dh_n ? dh_n[n] : zeros(H);
    let dc = dc_n ? dc_n[n] : zeros(H);
    for (let t = length - 1; isBackward && t >= 0; t--) {
      if (dout) dh = dh.map((value, j) => value + dout[n][t][j]);
      const back = cell.backstep(dh, dc);
      dx[t] = back.dx;
      dh = back.dh;
      dc = back.dc;
    }
    return { out, h, c, dx, dh, dc };
  });

  const outputs = {
    out: results.map(({ out }) => out),
    h_n: results.map(({ h }) => h),
    c_n: results.map(({ c }) => c),
  };
  if (!isBackward) return outputs;
  const dbias = gates.flatMap(({ db }) => db);
  return {
    ...outputs,
    dx: results.map(({ dx }) => dx),
    dweight_ih: gates.flatMap(({ dwx }) => dwx),
    dweight_hh: gates.flatMap(({ dwh }) => dwh),
    ...(bias_ih && { dbias_ih: dbias }),
    ...(bias_hh && { dbias_hh: dbias }),
    ...(h0 && { dh0: results.map(({ dh }) => dh) }),
    ...(c0 && { dc0: results.map(({ dc }) => dc) }),
  };
}
