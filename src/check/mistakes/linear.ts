/** Known mistakes in linear, in addition to slips in its formulas. n counts the rows of x over all of its leading axes. */
import { linear as layer } from '../../layers/linear.js';
import { linear as bounds } from '../bounds/linear.js';
import { defineChecks, type Mistake } from '../define.js';

const mistakes: readonly Mistake[] = [
  {
    id: 'divided_by_batch_size',
    tensors: ['dweight', 'dbias'],
    explanation: 'The gradient was divided by the batch size; averaging belongs to the loss, not to the layer.',
    fix: 'sum over the batch: dweight = doutᵀ · x',
    hidden: 'the batch has one row',
    ways: ['rows', 'N', 'S'].map((count) => ({
      formulas: [`dweight = Σ_n dout · x / ${count}`, `dbias = Σ_n dout / ${count}`],
    })),
  },
  {
    id: 'weight_not_transposed',
    tensors: ['out'],
    explanation: 'x was multiplied by weight as if weight were [I, O]; it is [O, I].',
    fix: 'out = x · weightᵀ + bias',
    hidden: 'weight is square and symmetric',
    given: ({ inputs: { weight } }) => ({ given: { weight: reread(weight.data, weight.shape) } }),
    only: 'forward',
  },
  {
    id: 'dx_weight_transposed',
    tensors: ['dx'],
    explanation: 'dout was multiplied by weightᵀ instead of weight.',
    fix: 'dx = dout · weight',
    hidden: 'weight is square and symmetric',
    given: ({ inputs: { weight } }) => ({ given: { weight: reread(weight.data, weight.shape) } }),
    only: 'backward',
  },
  {
    id: 'dweight_transposed',
    tensors: ['dweight'],
    explanation: 'dweight is xᵀ · dout, which has shape [I, O]; weight has shape [O, I].',
    fix: 'dweight = doutᵀ · x',
    hidden: 'dweight is square and symmetric',
    formulas: ['dweight[i,o] = Σ_n dout · x'],
  },
  {
    id: 'dbias_over_first_axis_alone',
    tensors: ['dbias'],
    explanation: 'dbias was summed only over the first axis, but x has further axes before the last.',
    fix: 'dbias = Σ dout, over every axis but the last',
    axes: 1,
    formulas: ['dbias[s,o] = Σ_b dout[row,o]'],
  },
  {
    id: 'dbias_over_features',
    tensors: ['dbias'],
    explanation: 'dbias was summed over the output features, so it has one value per row.',
    fix: 'dbias = Σ dout, over every axis but the last',
    formulas: ['dbias[n] = Σ_o dout'],
  },
];

/** The elements of an [O, I] weight, read as if it were [I, O]. */
const reread = (data: ArrayLike<number>, [O, I]: readonly number[]) =>
  Float64Array.from({ length: O * I }, (_, at) => data[(at % I) * O + Math.floor(at / I)]);

export const linear = defineChecks({
  layer,
  bounds,
  mistakes,
  axes: (name, _, rank) => {
    if (name === 'dbias') return ['output feature'];
    return name === 'dweight'
      ? ['output feature', 'input feature']
      : ['batch', ...Array<string>(Math.max(0, rank - 2)).fill('row'), 'feature'].slice(-rank);
  },
  constants({ inputs: { x, weight } }) {
    const [O, I] = weight.shape;
    return { N: x.shape.length === 1 ? 1 : x.shape[0], rows: x.data.length / I, I, O };
  },
  readings: () => [],
  example(numbers) {
    const [I, O] = [3, 3];
    return {
      inputs: { x: numbers.tensor([2, 4, I]), weight: numbers.tensor([O, I]), bias: numbers.tensor([O]) },
      options: {},
      upstream: ['out'],
    };
  },
});
