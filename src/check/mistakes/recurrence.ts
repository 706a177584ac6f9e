/**
 * What recurrent layers get wrong alike: the passage through time and its way back, as in the layers' shared file.
 *
 * D directions, N sequences, T steps, I input and H hidden features, R rows of a weight in blocks of H. Step s of a
 * sequence is counted in the order of the pass. What a mistake may have otherwise is a rule: a small function that the
 * two loops over time call.
 */
import { planRecurrence, type RecurrentInputs, type RecurrentOptions } from '../../layers/recurrence.js';
import type { FloatArray } from '../../tensor/tensor.js';
import type { Call, Constants, Example, Mistake, Options, Steps, Way } from '../definition.js';
import type { Numbers } from '../random.js';

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
  /** States before step s, and after the last. */
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
  /** In which block its gradient is put. */
  readonly gradientOrder: readonly number[];
  readonly weightIhAt: (d: number, r: number, i: number) => number;
  readonly weightHhAt: (d: number, r: number, j: number) => number;
  readonly backWeightIhAt: (d: number, r: number, i: number) => number;
  readonly backWeightHhAt: (d: number, r: number, j: number) => number;
  /** What of the state enters the pre-activations. */
  readonly recurrent: (h: number, c: number) => number;
  readonly unit: (z: readonly number[], cBefore: number) => Unit;
  readonly pass: Pass;
  readonly out: FloatArray;
  readonly h_n: FloatArray;
  readonly c_n: FloatArray;

  /** dout of step s; `last` is the last step of the sequence. */
  readonly doutAt: (value: number, isLast: boolean) => number;
  /** What of the hidden state's gradient goes on to the step before. */
  readonly handedOn: (value: number) => number;
  /** From gradients of a unit's states to those of its pre-activations and of the cell state before. */
  readonly unitBack: (unit: Unit, dh: number, dc: number) => { readonly dz: readonly number[]; readonly dc: number };
  readonly back: Back;
  /** Whether a step counts in the gradients of the weights. */
  readonly counts: (s: number, length: number) => boolean;
  /** Which state dweight_hh takes: 0 the one before the step, 1 the one after. */
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

const rowsOf = ({ blocks, H }: Given) => blocks * H;

const timeAt = ({ timeMajor, N, T }: Given, n: number, t: number) => (timeMajor ? t * N + n : n * T + t);

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

/** Σ over the steps of dz · what `value` has in the column. */
function weightGradient(s: State, columns: number, value: (d: number, n: number, step: number, k: number) => number) {
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
const lastOf = (s: State, state: Pass['h']) =>
  Float64Array.from({ length: s.D * s.N * s.H }, (_, i) => {
    const [d, n, j] = [Math.floor(i / (s.N * s.H)), Math.floor(i / s.H) % s.N, i % s.H];
    return state(d, n, s.length(n, d), j);
  });

/** The rules and steps of both layers, but for those of a unit. */
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

/** Reads a matrix of R rows as if it were stored the other way round. */
const turned = (weight: (s: State) => FloatArray, columns: (s: State) => number) => (s: State) => {
  return (d: number, r: number, k: number) => weight(s)[d * rowsOf(s) * columns(s) + k * rowsOf(s) + r];
};

/** Transposes each block of H rows by itself. */
const blockTurned = (s: State) => (d: number, r: number, j: number) => {
  const [block, row] = [Math.floor(r / s.H), r % s.H];
  return s.weightHh[(d * rowsOf(s) + block * s.H + j) * s.H + row];
};

const scaled = (values: (s: State) => FloatArray, by: (s: State) => number) => (s: State) =>
  values(s).map((value) => value * by(s));

const WEIGHTS = ['dweight_ih', 'dweight_hh', 'dbias_ih', 'dbias_hh'];

export interface Names {
  readonly outputs: readonly string[];
  readonly gradients: readonly string[];
}

/** @param names of the layer's tensors: with a cell state or without */
export function recurrentMistakes({ outputs, gradients }: Names): readonly RecurrentMistake[] {
  const all = [...outputs, ...gradients];
  const bidirectional = { direction: 'bidirectional' };
  const reverse = { direction: ['bidirectional', 'reverse'] };
  return [
    {
      id: 'later_steps_dropped',
      tensors: gradients,
      explanation: 'No gradient comes back from later steps: each step has dout[t] alone.',
      fix: 'dh_t = dout_t + what step t + 1 hands back through weight_hh',
      hidden: 'there is one step',
      ways: [{ steps: { handedOn: () => () => 0 } }],
    },
    {
      id: 'dout_dropped',
      tensors: gradients,
      explanation: 'dout was used at the last step alone, or not at all; every step has its own.',
      fix: 'dh_t = dout_t + what step t + 1 hands back',
      hidden: 'there is one step, or no dout',
      ways: [
        { steps: { doutAt: () => (value, isLast) => (isLast ? value : 0) } },
        { steps: { doutAt: () => () => 0 } },
      ],
    },
    {
      id: 'weight_gradients_of_one_step',
      tensors: WEIGHTS,
      explanation: 'The gradients of weights and biases are those of one step: = stands where += belongs.',
      fix: 'sum dz_t · x_tᵀ, dz_t · h_(t−1)ᵀ and dz_t over all steps',
      hidden: 'there is one step',
      ways: [
        { steps: { counts: () => (step) => step === 0 } },
        { steps: { counts: () => (step, length) => step === length - 1 } },
      ],
    },
    {
      id: 'weight_gradients_averaged',
      tensors: WEIGHTS,
      explanation: 'The gradients of weights and biases were divided by the batch size, or by the number of steps.',
      fix: 'sum over batch and steps; what divides by the batch size is the loss',
      hidden: 'there is one sequence',
      ways: [(s: State) => 1 / s.N, (s: State) => 1 / s.T, (s: State) => 1 / (s.N * s.T)].map((by) => ({
        steps: {
          dweight_ih: scaled((s) => recurrentSteps.dweight_ih(s), by),
          dweight_hh: scaled((s) => recurrentSteps.dweight_hh(s), by),
          dbias_ih: scaled((s) => s.dbias, by),
          dbias_hh: scaled((s) => s.dbias, by),
        },
      })),
    },
    {
      id: 'dweight_hh_of_state_after',
      tensors: ['dweight_hh'],
      explanation: 'dweight_hh was computed with h_t, the state after the step.',
      fix: 'dweight_hh = Σ_t dz_t · h_(t−1)ᵀ',
      ways: [{ steps: { stateOfWeight: () => 1 } }],
    },
    {
      id: 'dweight_hh_without_h0',
      tensors: ['dweight_hh'],
      explanation: 'The first step was left out of dweight_hh, as if h0 were zeros.',
      fix: 'dweight_hh = Σ_t dz_t · h_(t−1)ᵀ, with h0 before the first step',
      hidden: 'h0 is zeros',
      ways: [
        {
          steps: {
            dweight_hh: (s) => weightGradient(s, s.H, (d, n, step, j) => (step === 0 ? 0 : s.pass.h(d, n, step, j))),
          },
        },
      ],
    },
    {
      id: 'dweight_hh_transposed',
      tensors: ['dweight_hh'],
      explanation: 'dweight_hh was computed as h · dzᵀ, and so each of its blocks is transposed.',
      fix: 'dweight_hh = Σ_t dz_t · h_(t−1)ᵀ',
      hidden: 'dweight_hh is symmetric',
      ways: [
        {
          steps: {
            dweight_hh: (s) => {
              const right = recurrentSteps.dweight_hh(s);
              return right.map((_, at) => {
                const [row, column] = [Math.floor(at / s.H), at % s.H];
                const first = row - (row % s.H);
                return right[(first + column) * s.H + (row % s.H)];
              });
            },
          },
        },
      ],
    },
    {
      id: 'dh_n_ignored',
      tensors: gradients,
      explanation: 'dh_n, the gradient of the last hidden state, was ignored.',
      fix: 'start the way back with dh = dh_n',
      hidden: 'no dh_n was given, or it is 0',
      ways: [{ given: ({ dhLast }) => ({ dhLast: new Float64Array(dhLast.length) }) }],
    },
    {
      id: 'h0_ignored',
      tensors: all,
      explanation: 'h0 was ignored: the first hidden state was zeros.',
      fix: 'h_1 is made from h0',
      hidden: 'no h0 was given, or it is 0',
      ways: [{ given: ({ h0 }) => ({ h0: new Float64Array(h0.length) }) }],
    },
    {
      id: 'dh0_before_weight',
      tensors: ['dh0'],
      explanation: 'dh0 is the gradient of the pre-activation of the first step: it was not multiplied by weight_hhᵀ.',
      fix: 'dh0 = weight_hhᵀ · dz_1',
      ways: Array.from({ length: outputs.includes('c_n') ? 4 : 1 }, (_, block) => ({
        steps: {
          dh0: (s: State) =>
            Float64Array.from({ length: s.h0.length }, (_, i) =>
              s.back.dz(Math.floor(i / (s.N * s.H)), Math.floor(i / s.H) % s.N, 0, block * s.H + (i % s.H)),
            ),
        },
      })),
    },
    {
      id: 'weight_hh_transposed',
      tensors: all,
      explanation: 'weight_hh was transposed: h was multiplied from the other side.',
      fix: 'z_t = … + weight_hh · h_(t−1); in rows, h · weight_hhᵀ',
      hidden: 'weight_hh is symmetric',
      ways: [
        { steps: { weightHhAt: blockTurned } },
        {
          steps: {
            weightHhAt: turned(
              (s) => s.weightHh,
              (s) => s.H,
            ),
          },
        },
      ],
    },
    {
      id: 'weight_hh_not_transposed_in_backward',
      tensors: gradients,
      explanation: 'The gradient went back through weight_hh as it is, where its transpose belongs.',
      fix: 'dh_(t−1) = weight_hhᵀ · dz_t; in rows, dz · weight_hh',
      hidden: 'weight_hh is symmetric',
      ways: [
        { steps: { backWeightHhAt: blockTurned } },
        {
          steps: {
            backWeightHhAt: turned(
              (s) => s.weightHh,
              (s) => s.H,
            ),
          },
        },
      ],
    },
    {
      id: 'weight_ih_transposed',
      tensors: all,
      explanation: 'weight_ih was read as [I, rows]: it is [rows, I].',
      fix: 'z_t = weight_ih · x_t + …; in rows, x · weight_ihᵀ',
      hidden: 'weight_ih is symmetric',
      ways: [
        {
          steps: {
            weightIhAt: turned(
              (s) => s.weightIh,
              (s) => s.I,
            ),
          },
        },
      ],
    },
    {
      id: 'dx_weight_transposed',
      tensors: ['dx'],
      explanation: 'dx was computed with weight_ih read as [I, rows].',
      fix: 'dx_t = weight_ihᵀ · dz_t; in rows, dz · weight_ih',
      hidden: 'weight_ih is symmetric',
      ways: [
        {
          steps: {
            backWeightIhAt: turned(
              (s) => s.weightIh,
              (s) => s.I,
            ),
          },
        },
      ],
    },
    {
      id: 'bias_hh_missing',
      tensors: all,
      explanation: 'bias_hh was not added.',
      fix: 'z_t = weight_ih · x_t + bias_ih + weight_hh · h_(t−1) + bias_hh',
      hidden: 'bias_hh is 0',
      ways: [{ given: ({ biasHh }) => ({ biasHh: new Float64Array(biasHh.length) }) }],
    },
    {
      id: 'bias_ih_missing',
      tensors: all,
      explanation: 'bias_ih was not added.',
      fix: 'z_t = weight_ih · x_t + bias_ih + weight_hh · h_(t−1) + bias_hh',
      hidden: 'bias_ih is 0',
      ways: [{ given: ({ biasIh }) => ({ biasIh: new Float64Array(biasIh.length) }) }],
    },
    {
      id: 'bias_gradients_added',
      tensors: ['dbias_ih', 'dbias_hh'],
      explanation: 'The two bias gradients were added up, or shared between the two; each is Σ dz.',
      fix: 'dbias_ih = dbias_hh = Σ_t dz_t',
      hidden: 'there is one bias',
      ways: [2, 0.5].map((factor) => ({
        steps: {
          dbias_ih: scaled(
            (s) => s.dbias,
            () => factor,
          ),
          dbias_hh: scaled(
            (s) => s.dbias,
            () => factor,
          ),
        },
      })),
    },
    {
      id: 'lengths_ignored',
      tensors: all,
      explanation: 'sequence_lengths was ignored: steps past the end of a sequence moved its state.',
      fix: 'stop each sequence at its own end; out and dx are 0 past it',
      hidden: 'all sequences have T steps',
      ways: [{ given: () => ({ lengths: undefined }) }],
    },
    {
      id: 'last_state_at_last_time',
      tensors: ['h_n'],
      explanation: 'h_n was taken from out at time T: 0 for a shorter sequence, and the first step of a reverse pass.',
      fix: 'h_n is the state after the last step of the pass: of each sequence, in each direction',
      hidden: 'all sequences have T steps, and the direction is forward',
      ways: [
        {
          steps: {
            h_n: (s) =>
              Float64Array.from({ length: s.D * s.N * s.H }, (_, i) => {
                const [d, n, j] = [Math.floor(i / (s.N * s.H)), Math.floor(i / s.H) % s.N, i % s.H];
                return s.out[(timeAt(s, n, s.T - 1) * s.D + d) * s.H + j];
              }),
          },
        },
      ],
    },
    {
      id: 'reverse_not_turned_back',
      tensors: ['out', ...gradients],
      explanation: 'The outputs of the reverse pass stand in the order of the pass, not in the order of time.',
      fix: 'turn the outputs of the reverse pass about, each sequence within its own length',
      hidden: 'there is one step',
      needs: reverse,
      ways: [{ steps: { outputTime: () => (_d, _n, step) => step } }],
    },
    {
      id: 'reverse_input_not_turned',
      tensors: all,
      explanation: 'The reverse pass read its input in the order of time.',
      fix: 'the reverse pass starts at the end of each sequence',
      hidden: 'there is one step',
      needs: reverse,
      ways: [
        { steps: { inputTime: () => (_d, _n, step) => step } },
        {
          steps: {
            inputTime: () => (_d, _n, step) => step,
            outputTime: (s) => (d, n, step) => (s.isReverse(d) ? s.length(n, d) - 1 - step : step),
          },
        },
      ],
    },
    {
      id: 'reverse_from_the_last_time',
      tensors: all,
      explanation:
        'The reverse pass starts at time T for every sequence, in what lies past the end of the shorter ones.',
      fix: 'the reverse pass starts at the end of each sequence',
      hidden: 'all sequences have T steps',
      needs: reverse,
      ways: [
        {
          steps: {
            length: (s) => (n, d) => (s.isReverse(d) ? s.T : (s.lengths?.[n] ?? s.T)),
          },
        },
        {
          steps: {
            length: (s) => (n, d) => (s.isReverse(d) ? s.T : (s.lengths?.[n] ?? s.T)),
            out: (s) =>
              recurrentSteps
                .out(s)
                .map((value, i) => (timeOfOut(s, i) < (s.lengths?.[sequenceOfOut(s, i)] ?? s.T) ? value : 0)),
          },
        },
      ],
    },
    {
      id: 'directions_exchanged',
      tensors: ['out'],
      explanation: 'The features of the reverse direction stand before those of the forward one.',
      fix: 'out has the forward features first',
      needs: bidirectional,
      ways: [
        {
          steps: {
            out: (s) => {
              const right = recurrentSteps.out(s);
              return right.map((_, i) => right[i + (i % (2 * s.H) < s.H ? s.H : -s.H)]);
            },
          },
        },
      ],
    },
    {
      id: 'dx_of_one_direction',
      tensors: ['dx'],
      explanation: 'dx has what one direction gives; both read x.',
      fix: 'dx is the sum of what the two directions give',
      needs: bidirectional,
      ways: [0, 1].map((direction) => ({
        steps: {
          dx: (s: State) =>
            recurrentSteps.dx({
              ...stateOf(s),
              backWeightIhAt: (d, r, i) => (d === direction ? s.backWeightIhAt(d, r, i) : 0),
            }),
        },
      })),
    },
  ];
}

const sequenceOfOut = (s: Given, i: number) => {
  const row = Math.floor(i / (s.D * s.H));
  return s.timeMajor ? row % s.N : Math.floor(row / s.T);
};
const timeOfOut = (s: Given, i: number) => {
  const row = Math.floor(i / (s.D * s.H));
  return s.timeMajor ? Math.floor(row / s.N) : row % s.T;
};

/** What `dx` reads of a state, to be read with something else in its place. */
function stateOf(s: State): State {
  const { D, N, T, I, H, blocks, timeMajor, x, length, inputTime, back } = s;
  return { D, N, T, I, H, blocks, timeMajor, x, length, inputTime, back } as State;
}

export function recurrentGiven({ inputs, options, upstream }: Call, blocks: 1 | 4): Given {
  const recurrent = inputs as unknown as RecurrentInputs;
  const { x, weight_ih, weight_hh, bias_ih, bias_hh, h0, c0, sequence_lengths } = recurrent;
  const plan = planRecurrence(recurrent, options as unknown as RecurrentOptions, blocks);
  const { N, T, I, H, R, directions, timeMajor } = plan;
  const D = directions.length;
  const orZeros = (given: { data: unknown } | undefined, size: number) =>
    given ? (given.data as FloatArray) : new Float64Array(size);
  return {
    D,
    N,
    T,
    I,
    H,
    blocks,
    nonlinearity: String(options.nonlinearity),
    isReverse: (d) => directions[d] === 'reverse',
    timeMajor,
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

/** Names of the axes of a recurrent layer's tensors. */
export function recurrentAxes(row: string) {
  return (name: string, { direction, time_major }: Options): readonly string[] => {
    const directions = direction === 'bidirectional' ? ['direction'] : [];
    if (name === 'out' || name === 'dx')
      return time_major === true ? ['time step', 'batch', 'feature'] : ['batch', 'time step', 'feature'];
    if (name.startsWith('dweight')) return [...directions, row, 'column'];
    return name.startsWith('dbias') ? [...directions, row] : [...directions, 'batch', 'feature'];
  };
}

export function recurrentConstants({ inputs, options }: Call): Constants {
  const [first, second] = inputs.x.shape;
  const [N, T] = options.time_major === true ? [second, first] : [first, second];
  return { N, T, 'N · T': N * T };
}

export const recurrentReadings = ({ direction, time_major }: Options) => [
  ...['forward', 'reverse', 'bidirectional']
    .filter((value) => value !== direction)
    .map((value) => ({ option: 'direction', value, because: 'the pass went the other way' })),
  { option: 'time_major', value: time_major !== true, because: 'batch and time were exchanged' },
];

/** @param blocks of a weight; four have a cell state */
export function recurrentExample(numbers: Numbers, needs: Options, blocks: 1 | 4): Example {
  const [N, T, I, H] = [2, 4, 3, 3];
  const R = blocks * H;
  const leading = needs.direction === 'bidirectional' ? [2] : [];
  const cell = blocks === 4;
  return {
    inputs: {
      x: numbers.tensor([N, T, I]),
      weight_ih: numbers.tensor([...leading, R, I], -1, 1),
      weight_hh: numbers.tensor([...leading, R, H], -1, 1),
      bias_ih: numbers.tensor([...leading, R], -1, 1),
      bias_hh: numbers.tensor([...leading, R], -1, 1),
      h0: numbers.tensor([...leading, N, H], -1, 1),
      ...(cell ? { c0: numbers.tensor([...leading, N, H], -1, 1) } : {}),
      sequence_lengths: numbers.integers([T, T - 1]),
    },
    options: { direction: 'forward', time_major: false, ...(cell ? {} : { nonlinearity: 'tanh' }), ...needs },
    upstream: ['out', 'h_n', ...(cell ? ['c_n'] : [])],
  };
}

export type RecurrentWay = Way<Given, Made>;
