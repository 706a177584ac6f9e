/** Known mistakes in linear. N counts the rows of x over all of its leading axes. */
import type { LinearInputs, LinearUpstream } from '../../../schemas/linear.js';
import type { Decoded } from '../../layers/definition.js';
import { linear as layer } from '../../layers/linear.js';
import { sizeOf, tensor, type FloatArray, type Shape, type Tensor } from '../../tensor/tensor.js';
import { each, scaled, sumOf } from '../arrays.js';
import { linear as bounds } from '../bounds/linear.js';
import type { Instance } from '../../layers/instance.js';
import { defineChecks, type Mistake } from '../definition.js';

interface Given {
  readonly N: number;
  readonly I: number;
  readonly O: number;
  readonly shape: Shape;
  readonly x: FloatArray;
  readonly dout: FloatArray;
  readonly weight: FloatArray;
  readonly bias: FloatArray;
}

interface Made {
  /** x · weightᵀ, without the bias. */
  readonly product: FloatArray;
  readonly out: FloatArray;
  readonly dx: FloatArray;
  readonly dweight: FloatArray;
  /** A tensor if its shape is wrong. */
  readonly dbias: FloatArray | Tensor | undefined;
}

type State = Given & Made;

/** A matrix, row by row. */
const matrix = (rows: number, columns: number, value: (row: number, column: number) => number) =>
  each(rows * columns, (i) => value(Math.floor(i / columns), i % columns));

const bySum = (s: State) => each(s.O, (o) => sumOf(s.N, (n) => s.dout[n * s.O + o]));

const steps = {
  product: (s: State) => matrix(s.N, s.O, (n, o) => sumOf(s.I, (k) => s.x[n * s.I + k] * s.weight[o * s.I + k])),
  out: (s: State) => s.product.map((value, i) => value + s.bias[i % s.O]),
  dx: (s: State) => matrix(s.N, s.I, (n, k) => sumOf(s.O, (o) => s.dout[n * s.O + o] * s.weight[o * s.I + k])),
  dweight: (s: State) => matrix(s.O, s.I, (o, k) => sumOf(s.N, (n) => s.dout[n * s.O + o] * s.x[n * s.I + k])),
  dbias: bySum,
};

/** Numbers that are mistaken for the batch size. */
const counts = [(s: State) => s.N, (s: State) => s.shape[0], (s: State) => s.N / s.shape[0]];

const averaged = (...names: readonly ('dx' | 'dweight' | 'dbias')[]) =>
  counts.map((count) => ({ steps: scaled(steps, names, (s: State) => 1 / count(s)) }));

/** Rows that are left where each row overwrites the one before, or where the loop is missing. */
const oneRow = [(s: State) => s.N - 1, () => 0];

const mistakes: readonly Mistake<Given, Made>[] = [
  {
    id: 'divided_by_batch_size',
    tensors: ['dweight', 'dbias'],
    explanation: 'The gradient was divided by the batch size; averaging belongs to the loss, not to the layer.',
    fix: 'sum over the batch: dweight = doutᵀ · x',
    hidden: 'the batch has one row',
    ways: averaged('dweight', 'dbias'),
  },
  {
    id: 'dbias_averaged',
    tensors: ['dbias'],
    explanation: 'dbias is the mean of dout over the batch, not the sum.',
    fix: 'dbias = Σ dout, over every axis but the last',
    hidden: 'the batch has one row',
    ways: averaged('dbias'),
  },
  {
    id: 'dweight_averaged',
    tensors: ['dweight'],
    explanation: 'dweight is a mean over the batch, not a sum.',
    fix: 'dweight = doutᵀ · x',
    hidden: 'the batch has one row',
    ways: averaged('dweight'),
  },
  {
    id: 'dx_averaged',
    tensors: ['dx'],
    explanation: 'dx was divided by the batch size.',
    fix: 'dx = dout · weight',
    hidden: 'the batch has one row',
    ways: averaged('dx'),
  },
  {
    id: 'weight_not_transposed',
    tensors: ['out'],
    explanation: 'x was multiplied by weight as if weight were [I, O]; it is [O, I].',
    fix: 'out = x · weightᵀ + bias',
    hidden: 'weight is square and symmetric',
    steps: {
      product: (s) => matrix(s.N, s.O, (n, o) => sumOf(s.I, (k) => s.x[n * s.I + k] * s.weight[k * s.O + o])),
    },
  },
  {
    id: 'dx_weight_transposed',
    tensors: ['dx'],
    explanation: 'dout was multiplied by weightᵀ instead of weight.',
    fix: 'dx = dout · weight',
    hidden: 'weight is square and symmetric',
    steps: {
      dx: (s) => matrix(s.N, s.I, (n, k) => sumOf(s.O, (o) => s.dout[n * s.O + o] * s.weight[k * s.O + o])),
    },
  },
  {
    id: 'dweight_transposed',
    tensors: ['dweight'],
    explanation: 'dweight is xᵀ · dout, which has shape [I, O]; weight has shape [O, I].',
    fix: 'dweight = doutᵀ · x',
    hidden: 'dweight is square and symmetric',
    steps: {
      dweight: (s) => {
        const right = steps.dweight(s);
        return matrix(s.I, s.O, (k, o) => right[o * s.I + k]);
      },
    },
  },
  {
    id: 'dweight_of_one_row',
    tensors: ['dweight'],
    explanation:
      'dweight was computed from one row of the batch: it is assigned (=) where it should be accumulated (+=).',
    fix: 'dweight = doutᵀ · x, the sum over all rows',
    hidden: 'the batch has one row',
    ways: oneRow.map((row) => ({
      steps: {
        dweight: (s: State) => matrix(s.O, s.I, (o, k) => s.dout[row(s) * s.O + o] * s.x[row(s) * s.I + k]),
      },
    })),
  },
  {
    id: 'dbias_of_one_row',
    tensors: ['dbias'],
    explanation:
      'dbias was computed from one row of the batch: it is assigned (=) where it should be accumulated (+=).',
    fix: 'dbias = Σ dout, over every axis but the last',
    hidden: 'the batch has one row',
    ways: oneRow.map((row) => ({ steps: { dbias: (s: State) => each(s.O, (o) => s.dout[row(s) * s.O + o]) } })),
  },
  {
    id: 'dbias_over_first_axis_alone',
    tensors: ['dbias'],
    explanation: 'dbias was summed only over the first axis, but x has further axes before the last.',
    fix: 'dbias = Σ dout, over every axis but the last',
    axes: 1,
    steps: {
      dbias: (s) => {
        if (s.shape.length === 2) return bySum(s);
        const inner = [...s.shape.slice(1, -1), s.O];
        const size = sizeOf(inner);
        return tensor(
          inner,
          each(size, (i) => sumOf(s.shape[0], (n) => s.dout[n * size + i])),
        );
      },
    },
  },
  {
    id: 'dbias_over_features',
    tensors: ['dbias'],
    explanation: 'dbias was summed over the output features, so it has one value per row.',
    fix: 'dbias = Σ dout, over every axis but the last',
    steps: {
      dbias: (s) =>
        tensor(
          s.shape.slice(0, -1),
          each(s.N, (n) => sumOf(s.O, (o) => s.dout[n * s.O + o])),
        ),
    },
  },
  {
    id: 'bias_missing',
    tensors: ['out'],
    explanation: 'The bias was not added.',
    fix: 'out = x · weightᵀ + bias',
    hidden: 'bias is 0',
    given: ({ bias }) => ({ bias: new Float64Array(bias.length) }),
  },
  {
    id: 'bias_subtracted',
    tensors: ['out'],
    explanation: 'The bias was subtracted.',
    fix: 'out = x · weightᵀ + bias',
    hidden: 'bias is 0',
    given: ({ bias }) => ({ bias: bias.map((value) => -value) }),
  },
];

function given({ inputs, upstream }: Instance): Given {
  const { x, weight, bias } = inputs as Decoded<typeof LinearInputs>;
  const { dout } = upstream as Partial<Decoded<typeof LinearUpstream>>;
  const [O, I] = weight.shape;
  const N = x.data.length / I;
  return {
    N,
    I,
    O,
    // Without a batch there is one row.
    shape: x.shape.length === 1 ? [1, I] : x.shape,
    x: x.data,
    dout: dout?.data ?? new Float64Array(N * O),
    weight: weight.data,
    bias: bias?.data ?? new Float64Array(O),
  };
}

export const linear = defineChecks<Given, Made>({
  layer,
  bounds,
  given,
  steps,
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
