/** Mistakes that both recurrent layers share. The tables in the formulas are described in formulas/layers/recurrence.ts. */
import { overTime, recurrentSizes } from '../../../formulas/layers/recurrence.js';
import type { Instance } from '../../../layers/instance.js';
import { sharing, type Mistake } from '../../define.js';
import type { Way } from '../../written.js';

type Given = NonNullable<Way['given']>;

/** Zeros for a quantity that a tensor of the instance gives. */
export const zerosFor =
  (name: string, tensor: string): Given =>
  ({ inputs, upstream }) => {
    const { [tensor]: found } = { ...inputs, ...upstream };
    return { given: { [name]: new Float64Array(found.data.length) } };
  };

/** Another order of the elements of a weight, in each direction. */
const reread =
  (name: 'weight_ih' | 'weight_hh', from: (at: number, rows: number, columns: number) => number): Given =>
  ({ inputs: { [name]: weight } }) => {
    const [rows, columns] = weight.shape.slice(-2);
    const size = rows * columns;
    return {
      given: {
        [name]: Float64Array.from(weight.data, (_, i) => weight.data[i - (i % size) + from(i % size, rows, columns)]),
      },
    };
  };

/** A matrix as if it were stored the other way round. */
const turned = (at: number, rows: number, columns: number) => (at % columns) * rows + Math.floor(at / columns);

/** Each block of as many rows as columns transposed by itself. */
const blockTurned = (at: number, _: number, columns: number) => {
  const [row, column] = [Math.floor(at / columns), at % columns];
  return (row - (row % columns) + column) * columns + (row % columns);
};

/** The features of out of the other direction. */
const exchangedColumns: Given = (instance) => {
  const { D, H } = recurrentSizes(instance);
  return { given: { column: Int32Array.from({ length: D * H }, (_, i) => (i + H) % (D * H)) } };
};

/** All passes from the first time step to the last. */
const neverReversed: Given = (instance) => {
  const sizes = recurrentSizes(instance);
  return { given: { time: overTime(sizes, (_, n, t) => (t < sizes.of[n] ? t : -1)) } };
};

/** The reverse pass over all T steps. */
const reversedWithPadding: Given = (instance) => {
  const sizes = recurrentSizes(instance);
  const { D, N, T, of, isReverse } = sizes;
  const lengths = Array.from({ length: D * N }, (_, i) => (isReverse(Math.floor(i / N)) ? T : of[i % N]));
  const time = overTime(sizes, (d, n, t) => {
    if (isReverse(d)) return T - 1 - t;
    return t < of[n] ? t : -1;
  });
  return { given: { time }, lengths };
};

/** The states that are kept past the end of a sequence are written there. */
const repeatedPastTheEnd: Given = (instance) => {
  const sizes = recurrentSizes(instance);
  const { of, isReverse } = sizes;
  const place = (d: number, n: number, t: number) => (t < of[n] && isReverse(d) ? of[n] - 1 - t : t);
  return { given: { time: overTime(sizes, place) } };
};

/** The gradient of the hidden state without that from later steps: only dh_n enters at the last one. */
export const dhWithoutLater = ({ upstream }: Instance): string =>
  'dh_n' in upstream ? 'dh = dout_t + dh_n · is_last' : 'dh = dout_t';

const WEIGHTS = ['dweight_ih', 'dweight_hh', 'dbias_ih', 'dbias_hh'];

export interface Names {
  readonly outputs: readonly string[];
  readonly gradients: readonly string[];
}

const bidirectional = { direction: 'bidirectional' };
const reverse = { direction: ['bidirectional', 'reverse'] };

/** @param names of the layer's tensors: with a cell state or without */
export function recurrentMistakes({ outputs, gradients }: Names): readonly Mistake[] {
  return sharing({ tensors: [...outputs, ...gradients] }, [
    {
      id: 'later_steps_dropped',
      tensors: gradients,
      explanation: 'No gradient flows back from later steps.',
      fix: 'dh_t = dout_t + weight_hhᵀ · dz_(t+1)',
      hidden: 'there is one step',
      formulas: (instance) => [dhWithoutLater(instance)],
    },
    {
      id: 'dout_dropped',
      tensors: gradients,
      explanation: 'dout was used only at the last step, or not at all; each step has its own upstream gradient.',
      fix: 'dh_t = dout_t + weight_hhᵀ · dz_(t+1)',
      hidden: 'there is one step',
      ways: [{ formulas: ['dh = dout_t · is_last + dh_back[d,n,t+1,j]'] }, { formulas: ['dh = dh_back[d,n,t+1,j]'] }],
    },
    {
      id: 'weight_gradients_averaged',
      tensors: WEIGHTS,
      explanation: 'The gradient was divided by the batch size, or by the number of steps.',
      fix: 'sum over batch and steps; averaging belongs to the loss, not to the layer',
      hidden: 'there is one sequence',
      ways: ['N', 'T', '(N · T)'].map((count) => ({
        formulas: [
          `dweight_ih = Σ_nt dz · x_t / ${count}`,
          `dweight_hh = Σ_nt dz · h[d,n,t−1,k] / ${count}`,
          `dbias_ih = Σ_nt dz / ${count}`,
          `dbias_hh = Σ_nt dz / ${count}`,
        ],
      })),
    },
    {
      id: 'dweight_hh_of_state_after',
      tensors: ['dweight_hh'],
      explanation: 'dweight_hh was computed with h_t, the state after the step.',
      fix: 'dweight_hh = Σ_t dz_t · h_(t−1)ᵀ',
      formulas: ['dweight_hh = Σ_nt dz · h[d,n,t,k]'],
    },
    {
      id: 'dh_n_ignored',
      tensors: gradients,
      explanation: 'dh_n, the gradient of the last hidden state, was ignored.',
      fix: 'start the backward pass with dh = dh_n',
      hidden: 'dh_n is 0',
      given: zerosFor('dh_n', 'dh_n'),
    },
    {
      id: 'h0_ignored',
      explanation: 'h0 was ignored: the initial hidden state was zero.',
      fix: 'compute h_1 from h0',
      hidden: 'h0 is 0',
      given: zerosFor('h0', 'h0'),
    },
    {
      id: 'weight_hh_transposed',
      explanation: 'weight_hh was transposed: h was multiplied on the wrong side.',
      fix: 'z_t = … + weight_hh · h_(t−1); in rows, h · weight_hhᵀ',
      hidden: 'weight_hh is symmetric',
      ways: [{ given: reread('weight_hh', blockTurned) }, { given: reread('weight_hh', turned) }],
    },
    {
      id: 'weight_hh_not_transposed_in_backward',
      tensors: gradients,
      explanation: 'The gradient was propagated through weight_hh instead of its transpose.',
      fix: 'dh_(t−1) = weight_hhᵀ · dz_t; in rows, dz · weight_hh',
      hidden: 'weight_hh is symmetric',
      ways: [
        { given: reread('weight_hh', blockTurned), only: 'backward' },
        { given: reread('weight_hh', turned), only: 'backward' },
      ],
    },
    {
      id: 'weight_ih_transposed',
      explanation: 'weight_ih was read as [I, rows]; it is [rows, I].',
      fix: 'z_t = weight_ih · x_t + …; in rows, x · weight_ihᵀ',
      hidden: 'weight_ih is symmetric',
      given: reread('weight_ih', turned),
    },
    {
      id: 'dx_weight_transposed',
      tensors: ['dx'],
      explanation: 'dx was computed with weight_ih read as [I, rows].',
      fix: 'dx_t = weight_ihᵀ · dz_t; in rows, dz · weight_ih',
      hidden: 'weight_ih is symmetric',
      given: reread('weight_ih', turned),
      only: 'backward',
    },
    {
      id: 'bias_gradients_added',
      tensors: ['dbias_ih', 'dbias_hh'],
      explanation: 'The two bias gradients were added together, or split between the two; each is Σ dz.',
      fix: 'dbias_ih = dbias_hh = Σ_t dz_t',
      concerns: ['bias_ih', 'bias_hh'],
      ways: ['dz · 2', 'dz / 2'].map((each) => ({
        formulas: [`dbias_ih = Σ_nt ${each}`, `dbias_hh = Σ_nt ${each}`],
      })),
    },
    {
      id: 'last_state_at_last_time',
      tensors: ['h_n'],
      explanation: 'h_n was taken from out at time T, but not every pass ends there.',
      fix: 'h_n is the state after the last step of each pass',
      hidden: 'every pass ends at time T',
      concerns: [['sequence_lengths', 'direction']],
      formulas: ['h_n = out[end_a,end_b,column]'],
    },
    {
      id: 'last_output_repeated',
      tensors: ['out'],
      explanation: 'Past the end of a sequence, out repeats the last state; it is 0 there.',
      fix: 'set out to 0 past sequence_lengths',
      hidden: 'all sequences have T steps',
      concerns: ['sequence_lengths'],
      given: repeatedPastTheEnd,
      only: 'forward',
    },
    {
      id: 'reverse_not_turned_back',
      tensors: ['out', ...gradients],
      explanation: 'The outputs of the reverse pass are in the order of the pass, not in time order.',
      fix: 'reverse the outputs of the reverse pass, each sequence within its own length',
      hidden: 'there is one step',
      needs: reverse,
      ways: [
        { formulas: ['out[counted_a,counted_b,column] = h', 'dout_t = dout[counted_a,counted_b,column]'] },
        { formulas: ['out[counted_a,counted_b,column] = h'] },
      ],
    },
    {
      id: 'reverse_input_not_turned',
      explanation: 'The reverse pass read its input in time order.',
      fix: 'the reverse pass starts at the end of each sequence',
      hidden: 'there is one step',
      needs: reverse,
      ways: [
        { formulas: ['x_t = x[counted_a,counted_b,i]', 'dx[counted_a,counted_b,i] += Σ_r dz · weight_ih'] },
        { given: neverReversed },
      ],
    },
    {
      id: 'reverse_from_the_last_time',
      explanation: 'The reverse pass starts at time T for every sequence, past the end of the shorter ones.',
      fix: 'the reverse pass starts at the end of each sequence',
      hidden: 'all sequences have T steps',
      needs: reverse,
      concerns: ['sequence_lengths'],
      ways: [{ given: reversedWithPadding }, { given: reversedWithPadding, formulas: ['out = h · is_within'] }],
    },
    {
      id: 'directions_exchanged',
      tensors: ['out', ...gradients],
      explanation: 'The features of the reverse direction come before those of the forward direction.',
      fix: 'put the forward features first in out',
      needs: bidirectional,
      ways: [{ given: exchangedColumns, only: 'forward' }, { given: exchangedColumns }],
    },
    {
      id: 'dx_of_one_direction',
      tensors: ['dx'],
      explanation: 'dx is the gradient of only one direction, but both read x.',
      fix: 'add the dx of both directions',
      needs: bidirectional,
      ways: ['is_first_direction', 'is_second_direction'].map((isIncluded) => ({
        formulas: [`dx = Σ_r dz · weight_ih · ${isIncluded}`],
      })),
    },
  ]);
}
