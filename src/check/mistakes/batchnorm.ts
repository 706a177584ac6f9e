/** Known mistakes in batchnorm, in addition to slips in its formulas. */
import type { Static } from '@sinclair/typebox';
import type { BatchnormOptions } from '../../../schemas/batchnorm.js';
import { batchnorm as layer } from '../../layers/batchnorm.js';
import { sizeOf } from '../../tensor/tensor.js';
import { batchnorm as bounds } from '../bounds/batchnorm.js';
import { defineChecks, sharing, type Mistake } from '../define.js';
import { PLACE } from '../definition.js';
import type { Way } from '../written.js';
import { withCancellation } from './batchnorm/cancellation.js';
import { isOpen, statisticsMistakes } from './batchnorm/statistics.js';

const TRAINING = { needs: { training: true } };

/** Of the three paths along which an element reaches the loss. */
const dxMistakes: readonly Mistake[] = sharing({ tensors: ['dx'] }, [
  {
    id: 'gamma_missing_in_dx',
    explanation: 'dx was computed from dout as if it were the gradient of x̂: gamma is missing.',
    fix: 'dx̂ = dout · gamma, and dx from dx̂',
    hidden: 'gamma is all ones',
    formulas: ['dxhat = dout'],
  },
  {
    id: 'statistics_taken_for_constants',
    explanation:
      'Mean and variance were treated as constants in backward, which is correct only in inference: dx = gamma · rstd · dout.',
    fix: 'dx = gamma · rstd · (dout − Σ dout / m − x̂ · Σ (dout · x̂) / m)',
    ...TRAINING,
    formulas: ['dx = dxhat · rstd'],
  },
  {
    id: 'training_gradient_in_inference',
    explanation: 'The training formula was used in inference, where the running statistics do not depend on x.',
    fix: 'dx = gamma / √(running_var + epsilon) · dout',
    needs: { training: false },
    ways: [
      { formulas: ['dx = rstd / m · (m · dxhat − Σ_ns dxhat − xhat · Σ_ns dxhat · xhat)'] },
      // With the path from the variance to the mean: it makes a difference, because the mean of x̂ is not 0 here.
      {
        formulas: [
          'dx = rstd / m · (m · dxhat − Σ_ns dxhat − (xhat − (batch_mean − mean) · rstd) · Σ_ns dxhat · xhat)',
        ],
      },
    ],
  },
  {
    id: 'mean_path_missing',
    explanation: 'The path through the mean was left out of dx.',
    fix: 'subtract gamma · rstd · Σ dout / m',
    hidden: 'dout sums to 0 in every channel',
    ...TRAINING,
    formulas: ['dx = rstd · (dxhat − xhat · Σ_ns dxhat · xhat / m)'],
  },
  {
    id: 'variance_path_missing',
    explanation: 'The path through the variance was left out of dx.',
    fix: 'subtract gamma · rstd · x̂ · Σ (dout · x̂) / m',
    hidden: 'dout · x̂ sums to 0 in every channel',
    ...TRAINING,
    formulas: ['dx = rstd · (dxhat − Σ_ns dxhat / m)'],
  },
  {
    id: 'variance_path_of_wrong_power',
    explanation: 'The derivative with respect to the variance has the wrong exponent: −1/2 or −1 instead of −3/2.',
    fix: 'dvar = −½ · (var + epsilon)^(−3/2) · Σ dx̂ · (x − mean)',
    hidden: 'the variance is 1',
    ...TRAINING,
    ways: ['rstd', 'rstd²'].map((missing) => ({
      formulas: [`dx = rstd · (dxhat − Σ_ns dxhat / m − xhat / ${missing} · Σ_ns dxhat · xhat / m)`],
    })),
  },
  {
    id: 'sums_for_means_in_dx',
    explanation: 'dx subtracts the sums over the batch, Σ dout and x̂ · Σ (dout · x̂); it should subtract the means.',
    fix: 'divide both sums by m, the number of values in a channel',
    hidden: 'a channel has one value',
    ...TRAINING,
    formulas: ['dx = rstd · (dxhat − Σ_ns dxhat − xhat · Σ_ns dxhat · xhat)'],
  },
  {
    id: 'sums_divided_by_m_minus_1',
    explanation: 'dx divides Σ dout and Σ (dout · x̂) by m − 1, as for an unbiased variance.',
    fix: 'divide both sums by m, the number of values in a channel',
    ...TRAINING,
    formulas: ['dx = rstd · (dxhat − Σ_ns dxhat / (m − 1) − xhat · Σ_ns dxhat · xhat / (m − 1))'],
  },
  {
    id: 'rstd_missing_in_dx',
    explanation: 'dx is not divided by the standard deviation.',
    fix: 'dx = gamma · rstd · (…)',
    hidden: 'the variance is 1',
    formulas: ({ options }) => [
      options.training === true ? 'dx = dxhat − Σ_ns dxhat / m − xhat · Σ_ns dxhat · xhat / m' : 'dx = dxhat',
    ],
  },
]);

/** For mistakes that make all of these tensors wrong: where one passes or was not claimed, a slip explains the other. */
const together =
  (...names: readonly string[]): NonNullable<Way['given']> =>
  (_, claims, right) => {
    const isPossible = names.every((name) => name in claims && isOpen(name, claims, right));
    // A case is made without claims.
    return isPossible || Object.keys(claims).length === 0 ? {} : undefined;
  };

/** Of scale and shift, and of their gradients. */
const scaleMistakes: readonly Mistake[] = [
  {
    id: 'gamma_and_beta_exchanged',
    tensors: ['out', 'dx'],
    explanation: 'gamma and beta were swapped: gamma was added, and beta was used as the factor.',
    fix: 'out = gamma · x̂ + beta',
    formulas: ['out = beta · xhat + gamma', 'dxhat = dout · beta'],
    given: together('out'),
  },
  {
    id: 'scale_and_shift_missing',
    tensors: ['out'],
    explanation: 'out is x̂, which was neither multiplied by gamma nor shifted by beta.',
    fix: 'out = gamma · x̂ + beta',
    hidden: 'gamma is all ones, and beta is 0',
    formulas: ['out = xhat'],
  },
  {
    id: 'beta_scaled',
    tensors: ['out'],
    explanation: 'beta was added before gamma was multiplied: out = gamma · (x̂ + beta).',
    fix: 'out = gamma · x̂ + beta',
    hidden: 'gamma is all ones, or beta is 0',
    formulas: ['out = gamma · (xhat + beta)'],
  },
  {
    id: 'dgamma_and_dbeta_exchanged',
    tensors: ['dgamma', 'dbeta'],
    explanation: 'dgamma and dbeta were swapped.',
    fix: 'dbeta = Σ dout, dgamma = Σ dout · x̂',
    formulas: ['dgamma = Σ_ns dout', 'dbeta = Σ_ns dout · xhat'],
    given: together('dgamma', 'dbeta'),
  },
];

const AXES = { x: ['batch', 'channel', PLACE], channels: ['channel'] };

export const batchnorm = withCancellation(
  defineChecks({
    layer,
    bounds,
    mistakes: [...dxMistakes, ...statisticsMistakes, ...scaleMistakes],
    axes: (tensor) => (['out', 'dx'].includes(tensor) ? AXES.x : AXES.channels),
    constants({ inputs, options }) {
      const { x } = inputs;
      const { epsilon, momentum } = options as Static<typeof BatchnormOptions>;
      const updated = 'running_mean' in inputs ? { momentum, '1 − momentum': 1 - momentum } : {};
      const [N, C] = x.shape;
      const m = sizeOf(x.shape) / C;
      return { N, m, 'm − 1': m - 1, 'm / (m − 1)': m / (m - 1), C, ...updated, epsilon };
    },
    // Sums of squares, and means of them.
    nonNegative({ inputs, options }) {
      const { momentum } = options as Static<typeof BatchnormOptions>;
      const isMean = 'running_var' in inputs && momentum >= 0 && momentum <= 1;
      return isMean && inputs.running_var.data.every((value: number) => value >= 0) ? ['var', 'running_var'] : ['var'];
    },
    idle: {
      epsilon: ({ options }) => options.epsilon === 0,
      momentum: ({ inputs, options }) => !('running_mean' in inputs) || options.momentum === 0,
    },
    readings: () =>
      Object.entries({
        epsilon: [0, 1e-12, 1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3],
        momentum: [0.1, 0.9, 0.01, 0.99, 0.001, 0.999, 0.2, 0.5],
      }).flatMap(([option, values]) =>
        values.map((value) => ({ option, value, because: 'a default in other libraries' })),
      ),
    example(numbers, needs) {
      const [N, C, S] = [3, 2, 3];
      const x = numbers.tensor([N, C, S], -2, 3);
      // One channel varies by less than epsilon: there, mistakes in adding epsilon show most.
      x.data.forEach((value, i) => {
        if (Math.floor(i / S) % C === 1) x.data[i] = Math.round(value * 10 + 50) / 100;
      });
      const running_var = numbers.tensor([C], 0.5, 3);
      running_var.data[1] = numbers.integer(5, 20) / 100;
      return {
        inputs: {
          x,
          gamma: numbers.tensor([C], 0.5, 2.5),
          beta: numbers.tensor([C]),
          running_mean: numbers.tensor([C], -1, 1),
          running_var,
        },
        options: { training: true, epsilon: 0.25, momentum: 0.3, ...needs },
        upstream: ['out'],
      };
    },
  }),
);
