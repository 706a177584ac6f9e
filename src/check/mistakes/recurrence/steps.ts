/**
 * The steps that recurrent layers share: forward and backward through time, as in layers/recurrence.ts.
 *
 * D directions, N sequences, T steps, I input and H hidden features, R rows of a weight in blocks of H. Step s of a
 * sequence counts in the order of the pass. Whatever a mistake may change is a rule: a small function that the two
 * loops over time call.
 */
import type { FloatArray } from '../../../tensor/tensor.js';
import type { Mistake, Steps } from '../../definition.js';

export interface Given {
  readonly D: number;
  readonly N: number;
  readonly T: number;
  readonly I: number;
  readonly H: number;
  /** Blocks of a weight: 1, or the 4 gates. */
  readonly blocks: number;
  readonly nonlinearity: string;
  readonly isReverse: (d: number) => boolean;
  readonly timeMajor: boolean;
  readonly lengths: ArrayLike<number> | undefined;
  readonly x: FloatArray;
  readonly weightIh: FloatArray;
  readonly weightHh: FloatArray;
  readonly biasIh: FloatArray;
  readonly biasHh: FloatArray;
  readonly h0: FloatArray;
  readonly c0: FloatArray;
  readonly dout: FloatArray;
  readonly dhLast: FloatArray;
  readonly dcLast: FloatArray;
}

/** One hidden unit at one step, forward: pre-activations and activations by block. */
export interface Unit {
  readonly z: readonly number[];
  readonly a: readonly number[];
  readonly h: number;
  readonly c: number;
  readonly cBefore: number;
}

export interface Pass {
  /** The states before step s; those after the last step if s is the length. */
  readonly h: (d: number, n: number, s: number, j: number) => number;
  readonly c: (d: number, n: number, s: number, j: number) => number;
  readonly unit: (d: number, n: number, s: number, j: number) => Unit;
}

export interface Back {
  /** Gradient of the pre-activation in row r of step s. */
  readonly dz: (d: number, n: number, s: number, r: number) => number;
  readonly dh0: FloatArray;
  readonly dc0: FloatArray;
}

export interface Made {
  readonly length: (n: number, d: number) => number;
  readonly inputTime: (d: number, n: number, s: number) => number;
  readonly outputTime: (d: number, n: number, s: number) => number;
  /** Which block of a weight is the input, forget, cell and output gate. */
  readonly order: readonly number[];
  /** The block to which the gradient of each gate is written. */
  readonly gradientOrder: readonly number[];
  readonly weightIhAt: (d: number, r: number, i: number) => number;
  readonly weightHhAt: (d: number, r: number, j: number) => number;
  readonly backWeightIhAt: (d: number, r: number, i: number) => number;
  readonly backWeightHhAt: (d: number, r: number, j: number) => number;
  /** The state that enters the pre-activations. */
  readonly recurrent: (h: number, c: number) => number;
  readonly unit: (z: readonly number[], cBefore: number) => Unit;
  readonly pass: Pass;
  readonly out: FloatArray;
  readonly h_n: FloatArray;
  readonly c_n: FloatArray;

  /** The dout that a step uses; `isLast` is whether it is the last step of the sequence. */
  readonly doutAt: (value: number, isLast: boolean) => number;
  /** The gradient of the hidden state that is passed to the previous step. */
  readonly handedOn: (value: number) => number;
  /** From gradients of a unit's states to those of its pre-activations and of the cell state before. */
  readonly unitBack: (unit: Unit, dh: number, dc: number) => { readonly dz: readonly number[]; readonly dc: number };
  readonly back: Back;
  /** Whether a step counts in the gradients of the weights. */
  readonly counts: (s: number, length: number) => boolean;
  /** The state that dweight_hh uses: 0 for the one before the step, 1 for the one after. */
  readonly stateOfWeight: number;
  readonly dx: FloatArray;
  readonly dh0: FloatArray;
  readonly dc0: FloatArray;
  readonly dweight_ih: FloatArray;
  readonly dweight_hh: FloatArray;
  readonly dbias: FloatArray;
  readonly dbias_ih: FloatArray;
  readonly dbias_hh: FloatArray;
}

export type State = Given & Made;
export type RecurrentMistake = Mistake<Given, Made>;

export const rowsOf = ({ blocks, H }: Given) => blocks * H;

export const timeAt = ({ timeMajor, N, T }: Given, n: number, t: number) => (timeMajor ? t * N + n : n * T + t);

function passOf(s: State): Pass {
  const { D, N, T, I, H, blocks } = s;
  const R = rowsOf(s);
  const h = new Float64Array(D * N * (T + 1) * H);
  const c = new Float64Array(D * N * (T + 1) * H);
  const units: Unit[] = [];
  const at = (d: number, n: number, step: number, j: number) => ((d * N + n) * (T + 1) + step) * H + j;
  for (let d = 0; d < D; d++)
    for (let n = 0; n < N; n++) {
      for (let j = 0; j < H; j++) {
        h[at(d, n, 0, j)] = s.h0[(d * N + n) * H + j];
        c[at(d, n, 0, j)] = s.c0[(d * N + n) * H + j];
      }
      for (let step = 0; step < s.length(n, d); step++) {
        const time = timeAt(s, n, s.inputTime(d, n, step));
        const rows = Array.from({ length: R }, (_, r) => {
          let z = s.biasIh[d * R + r] + s.biasHh[d * R + r];
          for (let i = 0; i < I; i++) z += s.weightIhAt(d, r, i) * s.x[time * I + i];
          for (let j = 0; j < H; j++)
            z += s.weightHhAt(d, r, j) * s.recurrent(h[at(d, n, step, j)], c[at(d, n, step, j)]);
          return z;
        });
        for (let j = 0; j < H; j++) {
          const z = Array.from({ length: blocks }, (_, block) => rows[s.order[block] * H + j]);
          const unit = s.unit(z, c[at(d, n, step, j)]);
          units[at(d, n, step, j)] = unit;
          h[at(d, n, step + 1, j)] = unit.h;
          c[at(d, n, step + 1, j)] = unit.c;
        }
      }
    }
  return {
    h: (d, n, step, j) => h[at(d, n, step, j)],
    c: (d, n, step, j) => c[at(d, n, step, j)],
    unit: (d, n, step, j) => units[at(d, n, step, j)],
  };
}

function backOf(s: State): Back {
  const { D, N, T, H, blocks } = s;
  const R = rowsOf(s);
  const dz = new Float64Array(D * N * T * R);
  const [dh0, dc0] = [new Float64Array(D * N * H), new Float64Array(D * N * H)];
  for (let d = 0; d < D; d++)
    for (let n = 0; n < N; n++) {
      const dh = Array.from(s.dhLast.subarray((d * N + n) * H, (d * N + n + 1) * H));
      const dc = Array.from(s.dcLast.subarray((d * N + n) * H, (d * N + n + 1) * H));
      const length = s.length(n, d);
      for (let step = length - 1; step >= 0; step--) {
        const time = timeAt(s, n, s.outputTime(d, n, step));
        const rows = new Float64Array(R);
        for (let j = 0; j < H; j++) {
          const dhHere = dh[j] + s.doutAt(s.dout[(time * D + d) * H + j], step === length - 1);
          const back = s.unitBack(s.pass.unit(d, n, step, j), dhHere, dc[j]);
          for (let block = 0; block < blocks; block++) {
            rows[s.order[block] * H + j] = back.dz[block];
            dz[((d * N + n) * T + step) * R + s.gradientOrder[block] * H + j] = back.dz[block];
          }
          dc[j] = back.dc;
        }
        for (let j = 0; j < H; j++) {
          let before = 0;
          for (let r = 0; r < R; r++) before += s.backWeightHhAt(d, r, j) * rows[r];
          dh[j] = step === 0 ? before : s.handedOn(before);
        }
      }
      dh0.set(dh, (d * N + n) * H);
      dc0.set(dc, (d * N + n) * H);
    }
  return { dz: (d, n, step, r) => dz[((d * N + n) * T + step) * R + r], dh0, dc0 };
}

/** Calls `visit` for every step that the layer computes. */
function eachStep(s: State, visit: (d: number, n: number, step: number, length: number) => void): void {
  for (let d = 0; d < s.D; d++)
    for (let n = 0; n < s.N; n++) {
      const length = s.length(n, d);
      for (let step = 0; step < length; step++) visit(d, n, step, length);
    }
}

/** Σ over the steps of dz · `value`, for each column. */
export function weightGradient(
  s: State,
  columns: number,
  value: (d: number, n: number, step: number, k: number) => number,
) {
  const R = rowsOf(s);
  const sums = new Float64Array(s.D * R * columns);
  eachStep(s, (d, n, step, length) => {
    if (!s.counts(step, length)) return;
    for (let r = 0; r < R; r++)
      for (let k = 0; k < columns; k++)
        sums[(d * R + r) * columns + k] += s.back.dz(d, n, step, r) * value(d, n, step, k);
  });
  return sums;
}

/** States after the last step of every sequence. */
export const lastOf = (s: State, state: Pass['h']) =>
  Float64Array.from({ length: s.D * s.N * s.H }, (_, i) => {
    const [d, n, j] = [Math.floor(i / (s.N * s.H)), Math.floor(i / s.H) % s.N, i % s.H];
    return state(d, n, s.length(n, d), j);
  });

/** The rules and steps of both layers, except for those of a unit. */
export const recurrentSteps: Omit<Steps<Given, Made>, 'unit' | 'unitBack'> = {
  length: (s) => (n) => s.lengths?.[n] ?? s.T,
  inputTime: (s) => (d, n, step) => (s.isReverse(d) ? s.length(n, d) - 1 - step : step),
  outputTime: (s) => s.inputTime,
  order: () => [0, 1, 2, 3],
  gradientOrder: (s) => s.order,
  weightIhAt: (s) => (d, r, i) => s.weightIh[(d * rowsOf(s) + r) * s.I + i],
  weightHhAt: (s) => (d, r, j) => s.weightHh[(d * rowsOf(s) + r) * s.H + j],
  backWeightIhAt: (s) => s.weightIhAt,
  backWeightHhAt: (s) => s.weightHhAt,
  recurrent: () => (h) => h,
  pass: passOf,
  out: (s) => {
    const out = new Float64Array(s.dout.length);
    eachStep(s, (d, n, step) => {
      const time = timeAt(s, n, s.outputTime(d, n, step));
      for (let j = 0; j < s.H; j++) out[(time * s.D + d) * s.H + j] = s.pass.h(d, n, step + 1, j);
    });
    return out;
  },
  h_n: (s) => lastOf(s, s.pass.h),
  c_n: (s) => lastOf(s, s.pass.c),

  doutAt: () => (value) => value,
  handedOn: () => (value) => value,
  back: backOf,
  counts: () => () => true,
  stateOfWeight: () => 0,
  dx: (s) => {
    const dx = new Float64Array(s.x.length);
    eachStep(s, (d, n, step) => {
      const time = timeAt(s, n, s.inputTime(d, n, step));
      for (let i = 0; i < s.I; i++)
        for (let r = 0; r < rowsOf(s); r++) dx[time * s.I + i] += s.backWeightIhAt(d, r, i) * s.back.dz(d, n, step, r);
    });
    return dx;
  },
  dh0: (s) => s.back.dh0,
  dc0: (s) => s.back.dc0,
  dweight_ih: (s) => weightGradient(s, s.I, (d, n, step, i) => s.x[timeAt(s, n, s.inputTime(d, n, step)) * s.I + i]),
  dweight_hh: (s) => weightGradient(s, s.H, (d, n, step, j) => s.pass.h(d, n, step + s.stateOfWeight, j)),
  dbias: (s) => weightGradient(s, 1, () => 1),
  dbias_ih: (s) => s.dbias,
  dbias_hh: (s) => s.dbias,
};
