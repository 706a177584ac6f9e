/** Mistakes of batchnorm's dx: of the three paths along which an element reaches the loss. */
import { each, scaled } from '../../arrays.js';
import { sharing, type Mistake } from '../../definition.js';
import { channelOf, steps, unbiased, zeros, type Given, type Made, type State } from './steps.js';

/** The paths through mean and variance. */
const PATHS = ['dMean', 'dVariance'] as const;

export const dxMistakes: readonly Mistake<Given, Made>[] = sharing({ tensors: ['dx'] }, [
  {
    id: 'gamma_missing_in_dx',
    explanation: 'dx was computed from dout as if it were the gradient of x̂: gamma is missing.',
    fix: 'dx̂ = dout · gamma, and dx from dx̂',
    hidden: 'gamma is all ones',
    steps: { dNormalised: (s) => s.dout },
  },
  {
    id: 'statistics_taken_for_constants',
    explanation:
      'Mean and variance were treated as constants in backward, which is correct only in inference: dx = gamma · rstd · dout.',
    fix: 'dx = gamma · rstd · (dout − Σ dout / m − x̂ · Σ (dout · x̂) / m)',
    needs: { training: true },
    steps: { throughStatistics: () => false },
  },
  {
    id: 'training_gradient_in_inference',
    explanation: 'The training formula was used in inference, where the running statistics do not depend on x.',
    fix: 'dx = gamma / √(running_var + epsilon) · dout',
    needs: { training: false },
    ways: [
      { steps: { throughStatistics: () => true } },
      // With the closed formula, which differs because the mean of x̂ is not 0 here.
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
    explanation: 'The path through the mean was left out of dx.',
    fix: 'subtract gamma · rstd · Σ dout / m',
    hidden: 'dout sums to 0 in every channel',
    needs: { training: true },
    steps: { dMean: zeros },
  },
  {
    id: 'variance_path_missing',
    explanation: 'The path through the variance was left out of dx.',
    fix: 'subtract gamma · rstd · x̂ · Σ (dout · x̂) / m',
    hidden: 'dout · x̂ sums to 0 in every channel',
    needs: { training: true },
    steps: { dVariance: zeros },
  },
  {
    id: 'mean_path_of_wrong_sign',
    explanation: 'The path through the mean was added to dx with the wrong sign.',
    fix: 'subtract gamma · rstd · Σ dout / m',
    needs: { training: true },
    steps: scaled(steps, ['dMean'], () => -1),
  },
  {
    id: 'variance_path_of_wrong_sign',
    explanation: 'The path through the variance was added to dx with the wrong sign.',
    fix: 'dvar = −½ · (var + epsilon)^(−3/2) · Σ dx̂ · (x − mean)',
    needs: { training: true },
    steps: scaled(steps, ['dVariance'], () => -1),
  },
  {
    id: 'variance_path_of_wrong_power',
    explanation: 'The derivative with respect to the variance has the wrong exponent: −1/2 or −1 instead of −3/2.',
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
    explanation:
      'The path through the variance is twice or half as large as it should be: a factor of ½ or 2 is missing.',
    fix: 'dvar = −½ · (var + epsilon)^(−3/2) · Σ dx̂ · (x − mean), which adds dvar · 2 · (x − mean) / m to dx',
    needs: { training: true },
    ways: [2, 0.5].map((factor) => ({ steps: scaled(steps, ['dVariance'], () => factor) })),
  },
  {
    id: 'sums_for_means_in_dx',
    explanation: 'dx subtracts the sums over the batch, Σ dout and x̂ · Σ (dout · x̂); it should subtract the means.',
    fix: 'divide both sums by m, the number of values in a channel',
    hidden: 'a channel has one value',
    needs: { training: true },
    steps: scaled(steps, PATHS, (s: State) => s.m),
  },
  {
    id: 'batch_size_for_count',
    explanation: 'dx divides the sums by N only, but a channel has N values at each spatial position.',
    fix: 'divide by m = N · (number of spatial positions)',
    needs: { training: true },
    axes: 1,
    steps: scaled(steps, PATHS, (s: State) => s.S),
  },
  {
    id: 'sums_divided_by_m_minus_1',
    explanation: 'dx divides Σ dout and Σ (dout · x̂) by m − 1, as for an unbiased variance.',
    fix: 'divide both sums by m, the number of values in a channel',
    needs: { training: true },
    steps: scaled(steps, PATHS, (s: State) => unbiased(s)),
  },
  {
    id: 'rstd_missing_in_dx',
    explanation: 'dx is not divided by the standard deviation.',
    fix: 'dx = gamma · rstd · (…)',
    hidden: 'the variance is 1',
    steps: { dx: (s) => steps.dx(s).map((value, i) => value / s.rstd[s.groupOf(i)]) },
  },
]);
