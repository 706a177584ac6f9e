/** How linear goes wrong. N is all rows of x, whatever axes they come from. */
import type { LinearInputs, LinearUpstream } from '../../../schemas/linear.js';
import type { Decoded } from '../../layers/definition.js';
import { linear as layer } from '../../layers/linear.js';
import { sizeOf, tensor, type FloatArray, type Shape, type Tensor } from '../../tensor/tensor.js';
import { each, sumOf } from '../arrays.js';
import { defineChecks, type Call, type Mistake } from '../definition.js';

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
  /** What comes out in another shape is a tensor. */
  readonly dbias: FloatArray | Tensor | undefined;
}

type State = Given & Made;

const bySum = (s: State) => each(s.O, (o) => sumOf(s.N, (n) => s.dout[n * s.O + o]));

const steps = {
  product: (s: State) =>
    each(s.N * s.O, (i) => {
      const [n, o] = [Math.floor(i / s.O), i % s.O];
      return sumOf(s.I, (k) => s.x[n * s.I + k] * s.weight[o * s.I + k]);
    }),
  out: (s: State) => s.product.map((value, i) => value + s.bias[i % s.O]),
  dx: (s: State) =>
    each(s.N * s.I, (i) => {
      const [n, k] = [Math.floor(i / s.I), i % s.I];
      return sumOf(s.O, (o) => s.dout[n * s.O + o] * s.weight[o * s.I + k]);
    }),
  dweight: (s: State) =>
    each(s.O * s.I, (i) => {
      const [o, k] = [Math.floor(i / s.I), i % s.I];
      return sumOf(s.N, (n) => s.dout[n * s.O + o] * s.x[n * s.I + k]);
    }),
  dbias: bySum,
};

/** What people divide by and call the batch size. */
const counts = [(s: State) => s.N, (s: State) => s.shape[0], (s: State) => s.N / s.shape[0]];

/** Rows that are left where each row overwrites the one before, or where the loop is missing. */
const oneRow = [(s: State) => s.N - 1, () => 0];

const mistakes: readonly Mistake<Given, Made>[] = [
  {
    id: 'divided_by_batch_size',
    tensors: ['dweight', 'dbias'],
    explanation: 'dweight and dbias were divided by the batch size; the loss has done so already.',
    fix: 'dweight = doutᵀ · x, dbias = Σ dout',
    hidden: 'the batch has one row',
    ways: counts.map((count) => ({
      steps: {
        dweight: (s: State) => steps.dweight(s).map((value) => value / count(s)),
        dbias: (s: State) => bySum(s).map((value) => value / count(s)),
      },
    })),
  },
  {
    id: 'dbias_averaged',
    tensors: ['dbias'],
    explanation: 'dbias is the mean of dout over the batch, not the sum.',
    fix: 'dbias = Σ dout, over every axis but the last',
    hidden: 'the batch has one row',
    ways: counts.map((count) => ({ steps: { dbias: (s: State) => bySum(s).map((value) => value / count(s)) } })),
  },
  {
    id: 'dweight_averaged',
    tensors: ['dweight'],
    explanation: 'dweight is a mean over the batch, not a sum.',
    fix: 'dweight = doutᵀ · x',
    hidden: 'the batch has one row',
    ways: counts.map((count) => ({
      steps: { dweight: (s: State) => steps.dweight(s).map((value) => value / count(s)) },
    })),
  },
  {
    id: 'dx_averaged',
    tensors: ['dx'],
    explanation: 'dx was divided by the batch size.',
    fix: 'dx = dout · weight',
    hidden: 'the batch has one row',
    ways: counts.map((count) => ({ steps: { dx: (s: State) => steps.dx(s).map((value) => value / count(s)) } })),
  },
  {
    id: 'weight_not_transposed',
    tensors: ['out'],
    explanation: 'x was multiplied by weight as if it were [I, O]: it is [O, I].',
    fix: 'out = x · weightᵀ + bias',
    hidden: 'weight is square and symmetric',
    ways: [
      {
        steps: {
          product: (s) =>
            each(s.N * s.O, (i) => {
              const [n, o] = [Math.floor(i / s.O), i % s.O];
              return sumOf(s.I, (k) => s.x[n * s.I + k] * s.weight[k * s.O + o]);
            }),
        },
      },
    ],
  },
  {
    id: 'dx_weight_transposed',
    tensors: ['dx'],
    explanation: 'dout was multiplied by weightᵀ: going back it is weight itself.',
    fix: 'dx = dout · weight',
    hidden: 'weight is square and symmetric',
    ways: [
      {
        steps: {
          dx: (s) =>
            each(s.N * s.I, (i) => {
              const [n, k] = [Math.floor(i / s.I), i % s.I];
              return sumOf(s.O, (o) => s.dout[n * s.O + o] * s.weight[k * s.O + o]);
            }),
        },
      },
    ],
  },
  {
    id: 'dweight_transposed',
    tensors: ['dweight'],
    explanation: 'dweight is xᵀ · dout, of shape [I, O], where weight is [O, I].',
    fix: 'dweight = doutᵀ · x',
    hidden: 'dweight is square and symmetric',
    ways: [
      {
        steps: {
          dweight: (s) => {
            const right = steps.dweight(s);
            return each(s.O * s.I, (i) => right[(i % s.O) * s.I + Math.floor(i / s.O)]);
          },
        },
      },
    ],
  },
  {
    id: 'dweight_of_one_row',
    tensors: ['dweight'],
    explanation: 'dweight is that of one row of the batch: = stands where += belongs.',
    fix: 'dweight = doutᵀ · x, the sum over all rows',
    hidden: 'the batch has one row',
    ways: oneRow.map((row) => ({
      steps: {
        dweight: (s: State) =>
          each(s.O * s.I, (i) => s.dout[row(s) * s.O + Math.floor(i / s.I)] * s.x[row(s) * s.I + (i % s.I)]),
      },
    })),
  },
  {
    id: 'dbias_of_one_row',
    tensors: ['dbias'],
    explanation: 'dbias is that of one row of the batch: = stands where += belongs.',
    fix: 'dbias = Σ dout, over every axis but the last',
    hidden: 'the batch has one row',
    ways: oneRow.map((row) => ({ steps: { dbias: (s: State) => each(s.O, (o) => s.dout[row(s) * s.O + o]) } })),
  },
  {
    id: 'dbias_over_first_axis_alone',
    tensors: ['dbias'],
    explanation: 'dbias was summed over the first axis alone; x has further axes before the last.',
    fix: 'dbias = Σ dout, over every axis but the last',
    hidden: 'x is of rank 2',
    ways: [
      {
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
    ],
  },
  {
    id: 'dbias_over_features',
    tensors: ['dbias'],
    explanation: 'dbias was summed over the output features, and so has a value for each row.',
    fix: 'dbias = Σ dout, over every axis but the last',
    ways: [
      {
        steps: {
          dbias: (s) =>
            tensor(
              s.shape.slice(0, -1),
              each(s.N, (n) => sumOf(s.O, (o) => s.dout[n * s.O + o])),
            ),
        },
      },
    ],
  },
  {
    id: 'bias_missing',
    tensors: ['out'],
    explanation: 'The bias was not added.',
    fix: 'out = x · weightᵀ + bias',
    hidden: 'bias is 0',
    ways: [{ given: ({ bias }) => ({ bias: new Float64Array(bias.length) }) }],
  },
  {
    id: 'bias_subtracted',
    tensors: ['out'],
    explanation: 'The bias was subtracted.',
    fix: 'out = x · weightᵀ + bias',
    hidden: 'bias is 0',
    ways: [{ given: ({ bias }) => ({ bias: bias.map((value) => -value) }) }],
  },
];

function given({ inputs, upstream }: Call): Given {
  const { x, weight, bias } = inputs as Decoded<typeof LinearInputs>;
  const { dout } = upstream as Partial<Decoded<typeof LinearUpstream>>;
  const [O, I] = weight.shape;
  const N = x.data.length / I;
  return {
    N,
    I,
    O,
    shape: x.shape,
    x: x.data,
    dout: dout?.data ?? new Float64Array(N * O),
    weight: weight.data,
    bias: bias?.data ?? new Float64Array(O),
  };
}

export const linear = defineChecks<Given, Made>({
  layer,
  given,
  steps,
  mistakes,
  axes: (name, _, rank) => {
    if (name === 'dbias') return ['output feature'];
    return name === 'dweight'
      ? ['output feature', 'input feature']
      : ['batch', ...Array<string>(rank - 2).fill('row'), 'feature'];
  },
  constants({ inputs: { x, weight } }) {
    const [O, I] = weight.shape;
    return { N: x.shape[0], rows: x.data.length / I, I, O };
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
