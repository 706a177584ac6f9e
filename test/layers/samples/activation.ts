import fc, { type Arbitrary } from 'fast-check';
import { sizeOf, tensor, type Tensor } from '../../../src/tensor/tensor.js';
import { make, values, type Implementation } from '../../check/implementations/implementation.js';
import { seed, size, type Configuration } from '../../support/arbitraries.js';
import { randomNumbers } from '../../support/random.js';
import type { Sample } from './sample.js';

/** On which side of relu's kink each element is. */
const side = ({ out }: Readonly<Record<string, Tensor>>) =>
  Array.from(out.data, (value) => (value > 0 ? '+' : '0')).join('');

const configuration: Arbitrary<Configuration> = fc
  .record({
    shape: fc.array(size(4), { minLength: 1, maxLength: 4 }),
    function: fc.constantFrom('relu', 'tanh'),
    seed,
  })
  .map(({ shape, seed, ...options }) => {
    const x = tensor(shape, Float64Array.from(randomNumbers(seed).spread(sizeOf(shape))));
    return { inputs: { x }, options, upstream: ['out'], seed, ...(options.function === 'relu' ? { side } : {}) };
  });

const implementation: Implementation = ({ inputs: { x }, options, upstream }, wrong = '') => {
  const f = (value: number) => {
    if (wrong === 'not_applied') return value;
    if (options.function === 'relu') {
      if (wrong === 'negative_part_kept') return value < 0 ? value : 0;
      if (wrong === 'absolute_value') return value < 0 ? -value : value;
      if (wrong === 'leaky' && value < 0) return value / 100;
      return value > 0 ? value : 0;
    }
    if (wrong === 'sigmoid_for_tanh') return 1 / (1 + Math.exp(-value));
    if (wrong === 'tanh_of_half') return 2 / (1 + Math.exp(-value)) - 1;
    const e = Math.expm1(-2 * Math.abs(value));
    return Math.sign(value) * (-e / (2 + e));
  };
  const slope = (value: number, d: number) => {
    if (wrong === 'derivative_missing') return 1;
    if (options.function === 'relu') {
      if (wrong === 'sign_of_dout') return d > 0 ? 1 : 0;
      return value > 0 || (value === 0 && wrong === 'one_at_zero') ? 1 : 0;
    }
    const t = f(value);
    if (wrong === 'square_of_x') return (1 - value) * (1 + value);
    if (wrong === 'square_missing') return 1 - t;
    if (wrong === 'tanh_twice') return (1 - f(t)) * (1 + f(t));
    return (1 - t) * (1 + t);
  };
  const numbers = values(x);
  const out = make(x.shape, numbers.map(f));
  if (!('dout' in upstream)) return { out };
  const dout = values(upstream.dout);
  const dx = numbers.map((value, i) => slope(value, dout[i]) * (wrong === 'dout_ignored' ? 1 : dout[i]));
  return { out, dx: make(x.shape, dx) };
};

export const sample: Sample = {
  configuration,
  implementation,
  examples: [
    {
      name: 'relu, whose derivative at 0 is 0',
      forward: { x: [-1, 0, 2], function: 'relu' },
      answers: { out: [0, 0, 2] },
      backward: { dout: [0.5, 1, -3] },
      gradients: { dx: [0, 0, -3] },
    },
    {
      name: 'relu, which multiplies no infinite gradient by 0',
      forward: { x: [-1, 0, 2], function: 'relu' },
      answers: { out: [0, 0, 2] },
      backward: { dout: ['Infinity', '-Infinity', 1] },
      gradients: { dx: [0, 0, 1] },
    },
    {
      name: 'relu, which keeps −0',
      forward: { x: [-0, 1], function: 'relu' },
      answers: { out: [-0, 1] },
      backward: { dout: [1, 1] },
      gradients: { dx: [0, 1] },
    },
    {
      // tanh(ln 2) = (2 − 1/2) / (2 + 1/2) = 0.6, and its derivative there is 1 − 0.36.
      name: 'tanh of ln 2',
      forward: { x: [[Math.LN2, 0]], function: 'tanh' },
      answers: { out: [[0.6, 0]] },
      backward: { dout: [[0.5, 2]] },
      gradients: { dx: [[0.32, 2]] },
    },
  ],
  refusals: [
    [{ x: [1] }, '/function', '/function is missing; expected "relu" or "tanh"'],
    [{ x: [1], function: 'gelu' }, '/function', '/function is "gelu"; expected "relu" or "tanh"'],
    [{ x: 1, function: 'relu' }, '/x', '/x is 1; expected a tensor, nested arrays of numbers'],
  ],
};
