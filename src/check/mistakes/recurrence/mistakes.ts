/** Mistakes that both recurrent layers share. */
import type { FloatArray } from '../../../tensor/tensor.js';
import { sharing } from '../../definition.js';
import {
  lastOf,
  recurrentSteps,
  rowsOf,
  timeAt,
  weightGradient,
  type Given,
  type RecurrentMistake,
  type State,
} from './steps.js';

/** Reads a matrix of R rows as if it were stored the other way round. */
const turned = (weight: 'weightIh' | 'weightHh', columns: 'I' | 'H') => (s: State) => {
  return (d: number, r: number, k: number) => s[weight][(d * s[columns] + k) * rowsOf(s) + r];
};

/** Transposes each block of H rows by itself. */
const blockTurned = (s: State) => (d: number, r: number, j: number) => {
  const [block, row] = [Math.floor(r / s.H), r % s.H];
  return s.weightHh[(d * rowsOf(s) + block * s.H + j) * s.H + row];
};

const scaled = (values: (s: State) => FloatArray, by: (s: State) => number) => (s: State) =>
  values(s).map((value) => value * by(s));

/** Both gradients of a bias. */
const biasGradients = (by: (s: State) => number) => {
  const dbias = scaled((s) => s.dbias, by);
  return { dbias_ih: dbias, dbias_hh: dbias };
};

const WEIGHTS = ['dweight_ih', 'dweight_hh', 'dbias_ih', 'dbias_hh'];

export interface Names {
  readonly outputs: readonly string[];
  readonly gradients: readonly string[];
}

/** @param names of the layer's tensors: with a cell state or without */
export function recurrentMistakes({ outputs, gradients }: Names): readonly RecurrentMistake[] {
  const all = [...outputs, ...gradients];
  const biasMissing = (name: string, field: 'biasHh' | 'biasIh'): RecurrentMistake => ({
    id: `${name}_missing`,
    tensors: all,
    explanation: `${name} was not added.`,
    fix: 'z_t = weight_ih · x_t + bias_ih + weight_hh · h_(t−1) + bias_hh',
    hidden: `${name} is 0`,
    given: (given) => ({ [field]: new Float64Array(given[field].length) }),
  });
  const bidirectional = { direction: 'bidirectional' };
  const reverse = { direction: ['bidirectional', 'reverse'] };
  return sharing({ tensors: all }, [
    {
      id: 'later_steps_dropped',
      tensors: gradients,
      explanation: 'No gradient flows back from later steps.',
      fix: 'dh_t = dout_t + weight_hhᵀ · dz_(t+1)',
      hidden: 'there is one step',
      steps: { handedOn: () => () => 0 },
    },
    {
      id: 'dout_dropped',
      tensors: gradients,
      explanation: 'dout was used only at the last step, or not at all; each step has its own upstream gradient.',
      fix: 'dh_t = dout_t + weight_hhᵀ · dz_(t+1)',
      hidden: 'there is one step',
      ways: [
        { steps: { doutAt: () => (value, isLast) => (isLast ? value : 0) } },
        { steps: { doutAt: () => () => 0 } },
      ],
    },
    {
      id: 'weight_gradients_of_one_step',
      tensors: WEIGHTS,
      explanation: 'The gradient was computed from one step: it is assigned (=) where it should be accumulated (+=).',
      fix: 'sum over all steps',
      hidden: 'there is one step',
      ways: [
        { steps: { counts: () => (step) => step === 0 } },
        { steps: { counts: () => (step, length) => step === length - 1 } },
      ],
    },
    {
      id: 'weight_gradients_averaged',
      tensors: WEIGHTS,
      explanation: 'The gradient was divided by the batch size, or by the number of steps.',
      fix: 'sum over batch and steps; averaging belongs to the loss, not to the layer',
      hidden: 'there is one sequence',
      ways: [(s: State) => 1 / s.N, (s: State) => 1 / s.T, (s: State) => 1 / (s.N * s.T)].map((by) => ({
        steps: {
          dweight_ih: scaled((s) => recurrentSteps.dweight_ih(s), by),
          dweight_hh: scaled((s) => recurrentSteps.dweight_hh(s), by),
          ...biasGradients(by),
        },
      })),
    },
    {
      id: 'dweight_hh_of_state_after',
      tensors: ['dweight_hh'],
      explanation: 'dweight_hh was computed with h_t, the state after the step.',
      fix: 'dweight_hh = Σ_t dz_t · h_(t−1)ᵀ',
      steps: { stateOfWeight: () => 1 },
    },
    {
      id: 'dweight_hh_without_h0',
      tensors: ['dweight_hh'],
      explanation: 'The first step was left out of dweight_hh, as if h0 were zeros.',
      fix: 'dweight_hh = Σ_t dz_t · h_(t−1)ᵀ, with h0 before the first step',
      hidden: 'h0 is zeros',
      steps: {
        dweight_hh: (s) => weightGradient(s, s.H, (d, n, step, j) => (step === 0 ? 0 : s.pass.h(d, n, step, j))),
      },
    },
    {
      id: 'dweight_hh_transposed',
      tensors: ['dweight_hh'],
      explanation: 'dweight_hh was computed as h · dzᵀ, so each of its blocks is transposed.',
      fix: 'dweight_hh = Σ_t dz_t · h_(t−1)ᵀ',
      hidden: 'dweight_hh is symmetric',
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
    {
      id: 'dh_n_ignored',
      tensors: gradients,
      explanation: 'dh_n, the gradient of the last hidden state, was ignored.',
      fix: 'start the backward pass with dh = dh_n',
      hidden: 'dh_n is 0',
      given: ({ dhLast }) => ({ dhLast: new Float64Array(dhLast.length) }),
    },
    {
      id: 'h0_ignored',
      explanation: 'h0 was ignored: the initial hidden state was zero.',
      fix: 'compute h_1 from h0',
      hidden: 'h0 is 0',
      given: ({ h0 }) => ({ h0: new Float64Array(h0.length) }),
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
      explanation: 'weight_hh was transposed: h was multiplied on the wrong side.',
      fix: 'z_t = … + weight_hh · h_(t−1); in rows, h · weight_hhᵀ',
      hidden: 'weight_hh is symmetric',
      ways: [{ steps: { weightHhAt: blockTurned } }, { steps: { weightHhAt: turned('weightHh', 'H') } }],
    },
    {
      id: 'weight_hh_not_transposed_in_backward',
      tensors: gradients,
      explanation: 'The gradient was propagated through weight_hh instead of its transpose.',
      fix: 'dh_(t−1) = weight_hhᵀ · dz_t; in rows, dz · weight_hh',
      hidden: 'weight_hh is symmetric',
      ways: [{ steps: { backWeightHhAt: blockTurned } }, { steps: { backWeightHhAt: turned('weightHh', 'H') } }],
    },
    {
      id: 'weight_ih_transposed',
      explanation: 'weight_ih was read as [I, rows]; it is [rows, I].',
      fix: 'z_t = weight_ih · x_t + …; in rows, x · weight_ihᵀ',
      hidden: 'weight_ih is symmetric',
      steps: { weightIhAt: turned('weightIh', 'I') },
    },
    {
      id: 'dx_weight_transposed',
      tensors: ['dx'],
      explanation: 'dx was computed with weight_ih read as [I, rows].',
      fix: 'dx_t = weight_ihᵀ · dz_t; in rows, dz · weight_ih',
      hidden: 'weight_ih is symmetric',
      steps: { backWeightIhAt: turned('weightIh', 'I') },
    },
    biasMissing('bias_hh', 'biasHh'),
    biasMissing('bias_ih', 'biasIh'),
    {
      id: 'bias_gradients_added',
      tensors: ['dbias_ih', 'dbias_hh'],
      explanation: 'The two bias gradients were added together, or split between the two; each is Σ dz.',
      fix: 'dbias_ih = dbias_hh = Σ_t dz_t',
      concerns: ['bias_ih', 'bias_hh'],
      ways: [2, 0.5].map((factor) => ({ steps: biasGradients(() => factor) })),
    },
    {
      id: 'lengths_ignored',
      explanation: 'sequence_lengths was ignored: steps past the end of a sequence changed its state.',
      fix: 'stop each sequence at its own end; out and dx are 0 past it',
      hidden: 'all sequences have T steps',
      given: () => ({ lengths: undefined }),
    },
    {
      id: 'last_state_at_last_time',
      tensors: ['h_n'],
      explanation: 'h_n was taken from out at time T, but not every pass ends there.',
      fix: 'h_n is the state after the last step of each pass',
      hidden: 'every pass ends at time T',
      concerns: [['sequence_lengths', 'direction']],
      steps: { h_n: (s) => lastOf(s, (d, n, _, j) => s.out[(timeAt(s, n, s.T - 1) * s.D + d) * s.H + j]) },
    },
    {
      id: 'reverse_not_turned_back',
      tensors: ['out', ...gradients],
      explanation: 'The outputs of the reverse pass are in the order of the pass, not in time order.',
      fix: 'reverse the outputs of the reverse pass, each sequence within its own length',
      hidden: 'there is one step',
      needs: reverse,
      steps: { outputTime: () => (_d, _n, step) => step },
    },
    {
      id: 'reverse_input_not_turned',
      explanation: 'The reverse pass read its input in time order.',
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
      explanation: 'The reverse pass starts at time T for every sequence, past the end of the shorter ones.',
      fix: 'the reverse pass starts at the end of each sequence',
      hidden: 'all sequences have T steps',
      needs: reverse,
      concerns: ['sequence_lengths'],
      ways: [
        { steps: { length: wholeInReverse } },
        {
          steps: {
            length: wholeInReverse,
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
      explanation: 'The features of the reverse direction come before those of the forward direction.',
      fix: 'put the forward features first in out',
      needs: bidirectional,
      steps: {
        out: (s) => {
          const right = recurrentSteps.out(s);
          return right.map((_, i) => right[i + (i % (2 * s.H) < s.H ? s.H : -s.H)]);
        },
      },
    },
    {
      id: 'dx_of_one_direction',
      tensors: ['dx'],
      explanation: 'dx is the gradient of only one direction, but both read x.',
      fix: 'add the dx of both directions',
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
  ]);
}

const wholeInReverse = (s: State) => (n: number, d: number) => (s.isReverse(d) ? s.T : (s.lengths?.[n] ?? s.T));

const sequenceOfOut = (s: Given, i: number) => {
  const row = Math.floor(i / (s.D * s.H));
  return s.timeMajor ? row % s.N : Math.floor(row / s.T);
};
const timeOfOut = (s: Given, i: number) => {
  const row = Math.floor(i / (s.D * s.H));
  return s.timeMajor ? Math.floor(row / s.N) : row % s.T;
};

/** The fields of a state that `dx` reads, so that one of them can be replaced. */
function stateOf(s: State): State {
  const { D, N, T, I, H, blocks, timeMajor, x, length, inputTime, back } = s;
  return { D, N, T, I, H, blocks, timeMajor, x, length, inputTime, back } as State;
}
