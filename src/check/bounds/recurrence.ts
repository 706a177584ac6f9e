/**
 * Rounding error in recurrent layers, by running error analysis through the steps: the error of a state or gradient
 * enters the next step multiplied by the weights.
 *
 * D directions, N sequences, T steps, I input and H hidden features, R rows of a weight; u is the unit roundoff and
 * e(·) bounds the error of its argument. A row of a product, Σ w · v over n terms, loses
 * Σ |w| · (e(v) + (sumUnits(n) + 4) · u · |v|).
 *
 * z   is such a row of x, h and the biases; the cells are in rnn.ts and lstm.ts
 * dh  is W_hhᵀ · dz of the next step, plus dout; dx is W_ihᵀ · dz, over both directions
 * dweight, dbias  are rows over all steps of all sequences
 *
 * Source: Higham (see bounds.ts), sections 3.1 and 3.3.
 */
import { cells, type Cell as Kind } from '../../kernels/kernels.js';
import type { Instance } from '../../layers/instance.js';
import { planRecurrence, type RecurrentInputs, type RecurrentOptions } from '../../layers/recurrence.js';
import type { FloatArray } from '../../tensor/tensor.js';
import { sumUnits, TERM_UNITS, type Bounds } from './bounds.js';
import { arithmetic, type Arithmetic, type Running } from './running.js';

/** One hidden unit at one step. */
export interface Unit {
  /** Pre-activations and activations, by block. */
  readonly z: readonly Running[];
  readonly a: readonly Running[];
  readonly h: Running;
  readonly c: Running;
  readonly cBefore: Running;
}

/** A cell: forward from its pre-activations, and backward from the gradients of its states. */
export interface Cell {
  readonly kind: Kind;
  readonly forward: (by: Arithmetic, z: readonly Running[], cBefore: Running) => Unit;
  readonly backward: (
    by: Arithmetic,
    unit: Unit,
    dh: Running,
    dc: Running,
  ) => { readonly dz: readonly Running[]; readonly dc: Running };
}

/** Values of an array, each with its error. */
class Row {
  readonly values: Float64Array;
  readonly errors: Float64Array;
  constructor(length: number) {
    this.values = new Float64Array(length);
    this.errors = new Float64Array(length);
  }
  get(i: number): Running {
    return { value: this.values[i], error: this.errors[i] };
  }
  set(i: number, { value, error }: Running): void {
    this.values[i] = value;
    this.errors[i] = error;
  }
  /** Adds w · v, a term of a sum in which each term loses `loss` times its magnitude. */
  add(i: number, w: number, v: Running, loss: number): void {
    this.values[i] += w * v.value;
    this.errors[i] += Math.abs(w) * (v.error + loss * Math.abs(v.value));
  }
}

export const recurrentBounds =
  (cellOf: (options: Readonly<Record<string, unknown>>) => Cell): Bounds =>
  ({ instance, right, unit: u }) => {
    const cell = cellOf(instance.options);
    const s = recurrentGiven(instance, cell.kind);
    const { D, N, T, I, H, blocks } = s;
    const R = blocks * H;
    const by = arithmetic(u);
    const lossOf = (terms: number) => (sumUnits(terms) + TERM_UNITS) * u;
    const ofRow = lossOf(I + H + 2);
    const ofSteps = lossOf(N * T);
    const [hasGradients, hasCells] = ['dx' in right, cells[cell.kind].hasCellState];
    const out = new Row(N * T * D * H);
    const [hLast, cLast] = [new Row(D * N * H), new Row(D * N * H)];
    const dx = new Row(N * T * I);
    const [dh0, dc0] = [new Row(D * N * H), new Row(D * N * H)];
    const [dweightIh, dweightHh, dbias] = [new Row(D * R * I), new Row(D * R * H), new Row(D * R)];

    for (let d = 0; d < D; d++)
      for (let n = 0; n < N; n++) {
        const length = s.lengths?.[n] ?? T;
        const first = (d * N + n) * H;
        const time = (step: number) => s.place(n, s.isReverse(d) ? length - 1 - step : step);
        const unitsOf: Unit[][] = [];
        let state = Array.from({ length: H }, (_, j) => ({
          h: by.given(s.h0[first + j]),
          c: by.given(s.c0[first + j]),
        }));
        const before: (typeof state)[] = [];
        for (let step = 0; step < length; step++) {
          before.push(state);
          const z = new Row(R);
          for (let r = 0; r < R; r++) {
            const row = d * R + r;
            z.add(r, 1, { value: s.biasIh[row], error: 0 }, ofRow);
            z.add(r, 1, { value: s.biasHh[row], error: 0 }, ofRow);
            for (let i = 0; i < I; i++)
              z.add(r, s.weightIh[row * I + i], { value: s.x[time(step) * I + i], error: 0 }, ofRow);
            for (let j = 0; j < H; j++) z.add(r, s.weightHh[row * H + j], state[j].h, ofRow);
          }
          const units = state.map(({ c }, j) =>
            cell.forward(
              by,
              Array.from({ length: blocks }, (_, block) => z.get(block * H + j)),
              c,
            ),
          );
          units.forEach(({ h }, j) => {
            out.set((time(step) * D + d) * H + j, h);
          });
          unitsOf.push(units);
          state = units;
        }
        state.forEach(({ h, c }, j) => {
          hLast.set(first + j, h);
          cLast.set(first + j, c);
        });
        if (!hasGradients) continue;

        let dh = Array.from({ length: H }, (_, j) => by.given(s.dhLast[first + j]));
        let dc = Array.from({ length: H }, (_, j) => by.given(s.dcLast[first + j]));
        for (let step = length - 1; step >= 0; step--) {
          const dz = new Row(R);
          dc = unitsOf[step].map((unit, j) => {
            const above = by.plus(dh[j], by.given(s.dout[(time(step) * D + d) * H + j]));
            const back = cell.backward(by, unit, above, dc[j]);
            back.dz.forEach((value, block) => {
              dz.set(block * H + j, value);
            });
            return back.dc;
          });
          const handed = new Row(H);
          for (let r = 0; r < R; r++) {
            const row = d * R + r;
            const own = dz.get(r);
            for (let i = 0; i < I; i++) {
              const at = time(step) * I + i;
              dx.add(at, s.weightIh[row * I + i], own, lossOf(D * R));
              dweightIh.add(row * I + i, s.x[at], own, ofSteps);
            }
            for (let j = 0; j < H; j++) {
              handed.add(j, s.weightHh[row * H + j], own, lossOf(R + 1));
              const { h } = before[step][j];
              dweightHh.add(row * H + j, h.value, own, ofSteps);
              dweightHh.errors[row * H + j] += (Math.abs(own.value) + own.error) * h.error;
            }
            dbias.add(row, 1, own, ofSteps);
          }
          dh = Array.from({ length: H }, (_, j) => handed.get(j));
        }
        dh.forEach((value, j) => {
          dh0.set(first + j, value);
        });
        dc.forEach((value, j) => {
          dc0.set(first + j, value);
        });
      }

    const forward = { out: out.errors, h_n: hLast.errors, ...(hasCells ? { c_n: cLast.errors } : {}) };
    if (!hasGradients) return forward;
    return {
      ...forward,
      dx: dx.errors,
      dweight_ih: dweightIh.errors,
      dweight_hh: dweightHh.errors,
      dbias_ih: dbias.errors,
      dbias_hh: dbias.errors,
      dh0: dh0.errors,
      dc0: dc0.errors,
    };
  };

/** What an instance gives, with zeros for what is absent. */
export function recurrentGiven({ inputs, options, upstream }: Instance, kind: Kind) {
  const recurrent = inputs as unknown as RecurrentInputs;
  const { x, weight_ih, weight_hh, bias_ih, bias_hh, h0, c0, sequence_lengths } = recurrent;
  const plan = planRecurrence(recurrent, options as unknown as RecurrentOptions, kind);
  const { N, T, I, H, R, directions, timeMajor } = plan;
  const D = directions.length;
  const orZeros = (given: { data: unknown } | undefined, size: number) =>
    given ? (given.data as FloatArray) : new Float64Array(size);
  return {
    ...{ D, N, T, I, H },
    /** Blocks of a weight: 1, or the 4 gates. */
    blocks: cells[kind].gates.length,
    isReverse: (d: number) => directions[d] === 'reverse',
    /** Row of x and out that holds a time step of a sequence. */
    place: (n: number, t: number) => (timeMajor ? t * N + n : n * T + t),
    lengths: sequence_lengths?.data,
    x: x.data,
    weightIh: weight_ih.data,
    weightHh: weight_hh.data,
    biasIh: orZeros(bias_ih, D * R),
    biasHh: orZeros(bias_hh, D * R),
    h0: orZeros(h0, D * N * H),
    c0: orZeros(c0, D * N * H),
    dout: orZeros(upstream.dout, N * T * D * H),
    dhLast: orZeros(upstream.dh_n, D * N * H),
    dcLast: orZeros(upstream.dc_n, D * N * H),
  };
}
