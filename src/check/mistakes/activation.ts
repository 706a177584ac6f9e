/** How activation goes wrong. */
import type { Static } from '@sinclair/typebox';
import type { ActivationInputs, ActivationOptions, ActivationUpstream } from '../../../schemas/activation.js';
import { activation as layer } from '../../layers/activation.js';
import type { Decoded } from '../../layers/definition.js';
import type { FloatArray } from '../../tensor/tensor.js';
import { activation as bounds } from '../bounds/activation.js';
import type { Instance } from '../../layers/instance.js';
import { defineChecks, type Mistake } from '../definition.js';

interface Given {
  readonly f: 'relu' | 'tanh';
  readonly x: FloatArray;
  readonly dout: FloatArray;
}
interface Made {
  readonly out: FloatArray;
  readonly slope: FloatArray;
  readonly dx: FloatArray;
}
type State = Given & Made;

const relu = { needs: { function: 'relu' } };
const tanh = { needs: { function: 'tanh' } };
const each = (data: FloatArray, of: (value: number, i: number) => number) => Float64Array.from(data, of);
const out = (of: (x: number) => number) => [{ steps: { out: ({ x }: State) => each(x, of) } }];
const slope = (of: (x: number) => number) => [{ steps: { slope: ({ x }: State) => each(x, of) } }];

const mistakes: readonly Mistake<Given, Made>[] = [
  {
    id: 'not_applied',
    tensors: ['out'],
    explanation: 'The function was not applied: out is x.',
    fix: 'out = f(x)',
    ways: out((x) => x),
  },
  {
    id: 'negative_part_kept',
    tensors: ['out'],
    explanation: 'out is the negative part of x, min(0, x).',
    fix: 'out = max(0, x)',
    ...relu,
    ways: out((x) => Math.min(0, x)),
  },
  {
    id: 'absolute_value',
    tensors: ['out'],
    explanation: 'out is the absolute value of x.',
    fix: 'out = max(0, x)',
    hidden: 'no element of x is negative',
    ...relu,
    ways: out(Math.abs),
  },
  {
    id: 'leaky',
    tensors: ['out'],
    explanation: 'Negative elements were multiplied by 0.01, as in leaky_relu.',
    fix: 'out = 0 where x is negative',
    hidden: 'no element of x is negative',
    ...relu,
    ways: out((x) => (x > 0 ? x : 0.01 * x)),
  },
  {
    id: 'sigmoid_for_tanh',
    tensors: ['out'],
    explanation: 'out is the sigmoid of x.',
    fix: 'tanh(x) = 2σ(2x) − 1',
    ...tanh,
    ways: out((x) => 1 / (1 + Math.exp(-x))),
  },
  {
    id: 'tanh_of_half',
    tensors: ['out'],
    explanation: 'out is 2σ(x) − 1, which is tanh(x / 2).',
    fix: 'tanh(x) = 2σ(2x) − 1',
    ...tanh,
    ways: out((x) => Math.tanh(x / 2)),
  },
  {
    id: 'derivative_missing',
    tensors: ['dx'],
    explanation: "dout was passed on unchanged: the factor f'(x) is missing.",
    fix: "dx = dout · f'(x)",
    ways: slope(() => 1),
  },
  {
    id: 'dout_ignored',
    tensors: ['dx'],
    explanation: "dx is f'(x), without the factor dout.",
    fix: "dx = dout · f'(x)",
    hidden: 'every element of dout is 1',
    ways: [{ steps: { dx: (s) => s.slope } }],
  },
  {
    id: 'sign_of_dout',
    tensors: ['dx'],
    explanation: 'The gradient passes where dout is positive, not where x is.',
    fix: 'dx = dout where x > 0, 0 elsewhere',
    ...relu,
    ways: [{ steps: { slope: (s) => each(s.dout, (value) => (value > 0 ? 1 : 0)) } }],
  },
  {
    id: 'one_at_zero',
    tensors: ['dx'],
    explanation: 'The derivative at 0 was taken to be 1.',
    fix: 'the derivative at 0 is 0, as in PyTorch: dx = dout where x > 0',
    hidden: 'no element of x is 0',
    ...relu,
    ways: slope((x) => (x >= 0 ? 1 : 0)),
  },
  {
    id: 'square_of_x',
    tensors: ['dx'],
    explanation: 'The derivative was computed as 1 − x², from x where it should be from tanh(x).',
    fix: "f'(x) = 1 − tanh(x)²",
    ...tanh,
    ways: slope((x) => 1 - x * x),
  },
  {
    id: 'square_missing',
    tensors: ['dx'],
    explanation: 'The derivative was computed as 1 − tanh(x), without the square.',
    fix: "f'(x) = 1 − tanh(x)²",
    ...tanh,
    ways: slope((x) => 1 - Math.tanh(x)),
  },
  {
    id: 'tanh_twice',
    tensors: ['dx'],
    explanation: 'The derivative was computed at out: tanh was applied twice.',
    fix: "f'(x) = 1 − out², since out is tanh(x) already",
    ...tanh,
    ways: slope((x) => 1 - Math.tanh(Math.tanh(x)) ** 2),
  },
];

function given({ inputs, options, upstream }: Instance): Given {
  const { x } = inputs as Decoded<typeof ActivationInputs>;
  const { dout } = upstream as Partial<Decoded<typeof ActivationUpstream>>;
  const { function: f } = options as Static<typeof ActivationOptions>;
  return { f, x: x.data, dout: dout?.data ?? new Float64Array(x.data.length) };
}

export const activation = defineChecks<Given, Made>({
  layer,
  bounds,
  given,
  steps: {
    out: ({ f, x }) => each(x, (value) => (f === 'tanh' ? Math.tanh(value) : value < 0 ? 0 : value)),
    slope: ({ f, x }) => each(x, (value) => (f === 'tanh' ? 1 - Math.tanh(value) ** 2 : value <= 0 ? 0 : 1)),
    // An infinite gradient that relu blocks is 0, not NaN.
    dx: (s) => each(s.dout, (value, i) => (s.f === 'relu' && s.slope[i] === 0 ? 0 : value * s.slope[i])),
  },
  mistakes,
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
