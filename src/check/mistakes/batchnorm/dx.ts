/** Mistakes of batchnorm's dx: of the three paths along which an element reaches the loss. */
import { each } from '../../arrays.js';
import type { Mistake } from '../../definition.js';
import { channelOf, steps, unbiased, zeros, type Given, type Made, type State } from './steps.js';

export const dxMistakes: readonly Mistake<Given, Made>[] = [
  {
    id: 'gamma_missing_in_dx',
    tensors: ['dx'],
    explanation: 'dx was computed from dout as if it were the gradient of x̂: gamma is missing.',
    fix: 'dx̂ = dout · gamma, and dx from dx̂',
    hidden: 'gamma is all ones',
    ways: [{ steps: { dNormalised: (s) => s.dout } }],
  },
  {
    id: 'statistics_taken_for_constants',
    tensors: ['dx'],
    explanation:
      'Mean and variance were treated as constants in backward, which is right in inference alone: dx = gamma · rstd · dout.',
    fix: 'dx = gamma · rstd · (dout − Σ dout / m − x̂ · Σ (dout · x̂) / m)',
    needs: { training: true },
    ways: [{ steps: { throughStatistics: () => false } }],
  },
  {
    id: 'training_gradient_in_inference',
    tensors: ['dx'],
    explanation: "Training's formula was used in inference, where the running statistics do not depend on x.",
    fix: 'dx = gamma / √(running_var + epsilon) · dout',
    needs: { training: false },
    ways: [
      { steps: { throughStatistics: () => true } },
      // By way of the closed formula, whose mean of x̂ is not 0 here.
      {
        steps: {
          dx: (s) => {
            const scale = s.rstd.map((r, c) => r * s.gamma[c]);
            return each(s.size, (i) => {
              const c = channelOf(s, i);
              return scale[c] * (s.dout[i] - s.dbeta[c] / s.m - (s.normalised[i] * s.dgamma[c]) / s.m);
            });
          },
        },
      },
    ],
  },
  {
    id: 'mean_path_missing',
    tensors: ['dx'],
    explanation: 'The path through the mean was left out of dx.',
    fix: 'subtract gamma · rstd · Σ dout / m',
    hidden: 'dout sums to 0 in every channel',
    needs: { training: true },
    ways: [{ steps: { dMean: zeros } }],
  },
  {
    id: 'variance_path_missing',
    tensors: ['dx'],
    explanation: 'The path through the variance was left out of dx.',
    fix: 'subtract gamma · rstd · x̂ · Σ (dout · x̂) / m',
    hidden: 'dout · x̂ sums to 0 in every channel',
    needs: { training: true },
    ways: [{ steps: { dVariance: zeros } }],
  },
  {
    id: 'mean_path_of_wrong_sign',
    tensors: ['dx'],
    explanation: 'The path through the mean was added to dx with the wrong sign.',
    fix: 'subtract gamma · rstd · Σ dout / m',
    needs: { training: true },
    ways: [{ steps: { dMean: (s) => steps.dMean(s).map((value) => -value) } }],
  },
  {
    id: 'variance_path_of_wrong_sign',
    tensors: ['dx'],
    explanation: 'The path through the variance was added to dx with the wrong sign.',
    fix: 'dvar = −½ · (var + epsilon)^(−3/2) · Σ dx̂ · (x − mean)',
    needs: { training: true },
    ways: [{ steps: { dVariance: (s) => steps.dVariance(s).map((value) => -value) } }],
  },
  {
    id: 'variance_path_of_wrong_power',
    tensors: ['dx'],
    explanation: 'The derivative by the variance has the wrong power: (var + epsilon)^(−1/2), or ^(−1), for ^(−3/2).',
    fix: 'dvar = −½ · (var + epsilon)^(−3/2) · Σ dx̂ · (x − mean)',
    hidden: 'the variance is 1',
    needs: { training: true },
    ways: [1, 2].map((power) => ({
      steps: {
        dVariance: (s: State) => steps.dVariance(s).map((value, g) => value * s.rstd[g] ** (power - 3)),
      },
    })),
  },
  {
    id: 'variance_path_without_half',
    tensors: ['dx'],
    explanation: 'The path through the variance is twice as large as it should be, or half: ½ or 2 is missing.',
    fix: 'dvar = −½ · (var + epsilon)^(−3/2) · Σ dx̂ · (x − mean), and dx takes dvar · 2 · (x − mean) / m of it',
    needs: { training: true },
    ways: [2, 0.5].map((factor) => ({
      steps: { dVariance: (s: State) => steps.dVariance(s).map((value) => value * factor) },
    })),
  },
  {
    id: 'sums_for_means_in_dx',
    tensors: ['dx'],
    explanation:
      'dx subtracts the sums over the batch, Σ dout and x̂ · Σ (dout · x̂), where it should subtract the means.',
    fix: 'divide both sums by m, the number of values in a channel',
    hidden: 'a channel has one value',
    needs: { training: true },
    ways: [
      {
        steps: {
          dMean: (s) => steps.dMean(s).map((value) => value * s.m),
          dVariance: (s) => steps.dVariance(s).map((value) => value * s.m),
        },
      },
    ],
  },
  {
    id: 'batch_size_for_count',
    tensors: ['dx'],
    explanation: 'dx divides the sums by N alone, where a channel has N values for each place in space.',
    fix: 'divide by m = N · (places in space)',
    hidden: 'x has no spatial axes',
    needs: { training: true },
    ways: [
      {
        steps: {
          dMean: (s) => steps.dMean(s).map((value) => value * s.S),
          dVariance: (s) => steps.dVariance(s).map((value) => value * s.S),
        },
      },
    ],
  },
  {
    id: 'sums_divided_by_m_minus_1',
    tensors: ['dx'],
    explanation: 'dx divides Σ dout and Σ (dout · x̂) by m − 1, as an unbiased variance is.',
    fix: 'divide both sums by m, the number of values in a channel',
    needs: { training: true },
    ways: [
      {
        steps: {
          dMean: (s) => steps.dMean(s).map((value) => value * unbiased(s)),
          dVariance: (s) => steps.dVariance(s).map((value) => value * unbiased(s)),
        },
      },
    ],
  },
  {
    id: 'rstd_missing_in_dx',
    tensors: ['dx'],
    explanation: 'dx is not divided by the standard deviation.',
    fix: 'dx = gamma · rstd · (…)',
    hidden: 'the variance is 1',
    ways: [{ steps: { dx: (s) => steps.dx(s).map((value, i) => value / s.rstd[s.groupOf(i)]) } }],
  },
];
