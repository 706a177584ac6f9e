/** Known mistakes in activation, in addition to slips in its formulas. */
import { activation as layer } from '../../layers/activation.js';
import { activation as bounds } from '../bounds/activation.js';
import { defineChecks, type Mistake } from '../define.js';

const relu = { needs: { function: 'relu' } };
const tanh = { needs: { function: 'tanh' } };

const mistakes: readonly Mistake[] = [
  {
    id: 'negative_part_kept',
    tensors: ['out'],
    explanation: 'out is the negative part of x, min(0, x).',
    fix: 'out = max(0, x)',
    ...relu,
    formulas: ['out = −relu(−x)'],
  },
  {
    id: 'absolute_value',
    tensors: ['out'],
    explanation: 'out is the absolute value of x.',
    fix: 'out = max(0, x)',
    hidden: 'no element of x is negative',
    ...relu,
    formulas: ['out = relu(x) + relu(−x)'],
  },
  {
    id: 'leaky',
    tensors: ['out'],
    explanation: 'Negative elements were multiplied by 0.01, as in leaky_relu.',
    fix: 'out = 0 where x is negative',
    hidden: 'no element of x is negative',
    ...relu,
    formulas: ['out = relu(x) − 0.01 · relu(−x)'],
  },
  {
    id: 'tanh_of_half',
    tensors: ['out'],
    explanation: 'out is 2σ(x) − 1, which is tanh(x / 2).',
    fix: 'tanh(x) = 2σ(2x) − 1',
    ...tanh,
    formulas: ['out = 2 · σ(x) − 1'],
  },
  {
    id: 'one_at_zero',
    tensors: ['dx'],
    explanation: 'The derivative at 0 was taken to be 1.',
    fix: 'the derivative at 0 is 0, as in PyTorch: dx = dout where x > 0',
    hidden: 'no element of x is 0',
    ...relu,
    given: ({ inputs: { x } }) => ({ given: { x: x.data.map((value) => (value === 0 ? 1 : value)) } }),
    only: 'backward',
  },
  {
    id: 'tanh_twice',
    tensors: ['dx'],
    explanation: 'The derivative was computed at out: tanh was applied twice.',
    fix: "f'(x) = 1 − out², since out is tanh(x) already",
    ...tanh,
    formulas: ['dx = dout · (1 − tanh(out)²)'],
  },
];

export const activation = defineChecks({
  layer,
  bounds,
  mistakes,
  slowness: 45,
  axes: () => ['index'],
  constants: () => ({}),
  readings: ({ function: f }) => [
    { option: 'function', value: f === 'relu' ? 'tanh' : 'relu', because: 'the other function was applied' },
  ],
  example(numbers, needs) {
    const x = numbers.tensor([4, 4]);
    // Where relu has its kink.
    x.data.fill(0, 0, 2);
    return { inputs: { x }, options: { function: 'tanh', ...needs }, upstream: ['out'] };
  },
});
