/** Mistakes in the statistics that batchnorm normalises with, and in the running statistics. */
import { each } from '../../arrays.js';
import { sharing, type Mistake } from '../../definition.js';
import {
  momentumOf,
  FORWARD,
  grouped,
  reciprocalRoot,
  run,
  steps,
  sums,
  unbiased,
  type Given,
  type Made,
  type State,
} from './steps.js';

const runningMistakes: readonly Mistake<Given, Made>[] = sharing({ needs: { training: true } }, [
  {
    id: 'running_var_biased',
    tensors: ['running_var'],
    explanation: 'The running variance was updated with the biased variance of the batch, divided by m.',
    fix: 'running_var = (1 − momentum) · running_var + momentum · var · m / (m − 1)',
    hidden: 'momentum is 0',
    steps: { running_var: (s) => run(s, s.pastVariance, (c) => s.batchVariance[c]) },
  },
  {
    id: 'momentum_inverted',
    tensors: ['running_mean', 'running_var'],
    explanation: 'momentum was used as the weight of the past, as in Keras; here it is the weight of the batch.',
    fix: 'running = (1 − momentum) · running + momentum · batch',
    hidden: 'momentum is 0.5',
    given: ({ momentum }) => ({ momentum: 1 - momentum }),
  },
  {
    id: 'running_without_past',
    tensors: ['running_mean', 'running_var'],
    explanation: 'The running statistics were replaced by those of the batch, or by momentum · batch without the past.',
    fix: 'running = (1 − momentum) · running + momentum · batch',
    ways: [1, 0].map((past) => ({
      steps: {
        running_mean: (s: State) => s.pastMean && each(s.C, (c) => (past || s.momentum) * s.batchMean[c]),
        running_var: (s: State) =>
          s.pastVariance && each(s.C, (c) => (past || s.momentum) * s.batchVariance[c] * unbiased(s)),
      },
    })),
  },
  {
    id: 'running_not_updated',
    tensors: ['running_mean', 'running_var'],
    explanation: 'The running statistics were returned unchanged.',
    fix: 'running = (1 − momentum) · running + momentum · batch',
    hidden: 'momentum is 0',
    given: () => ({ momentum: 0 }),
  },
  {
    id: 'running_updated_in_inference',
    tensors: ['running_mean', 'running_var'],
    explanation: 'The running statistics were updated in inference.',
    fix: 'return them unchanged when training is false',
    hidden: 'momentum is 0',
    needs: { training: false },
    ways: [1, 0].map((corrected) => ({
      steps: {
        running_mean: (s: State) => run({ ...momentumOf(s), training: true }, s.pastMean, (c) => s.batchMean[c]),
        running_var: (s: State) =>
          run(
            { ...momentumOf(s), training: true },
            s.pastVariance,
            (c) => s.batchVariance[c] * (corrected ? unbiased(s) : 1),
          ),
      },
    })),
  },
  {
    id: 'running_var_of_deviation',
    tensors: ['running_var'],
    explanation: 'running_var was updated with the standard deviation of the batch, not with its variance.',
    fix: 'running_var = (1 − momentum) · running_var + momentum · var · m / (m − 1)',
    hidden: 'the variance is 1',
    ways: [1, 0].map((corrected) => ({
      steps: {
        running_var: (s: State) =>
          run(s, s.pastVariance, (c) => Math.sqrt(s.batchVariance[c] * (corrected ? unbiased(s) : 1))),
      },
    })),
  },
]);

const rootMistakes: readonly Mistake<Given, Made>[] = sharing({ tensors: FORWARD }, [
  {
    id: 'epsilon_outside_root',
    explanation: 'epsilon was added to the standard deviation: x̂ = (x − mean) / (√var + epsilon).',
    fix: 'x̂ = (x − mean) / √(var + epsilon)',
    hidden: 'epsilon is far smaller than the variance: try a larger one',
    steps: { rstd: (s) => each(s.groups, (g) => reciprocalRoot(s, (Math.sqrt(s.var[g]) + s.epsilon) ** 2)) },
  },
  {
    id: 'epsilon_forgotten',
    explanation: 'epsilon was left out: x̂ = (x − mean) / √var.',
    fix: 'x̂ = (x − mean) / √(var + epsilon)',
    hidden: 'epsilon is far smaller than the variance: try a larger one',
    given: () => ({ epsilon: 0 }),
  },
  {
    id: 'epsilon_as_floor',
    explanation: 'epsilon was used as a lower bound of the variance: x̂ = (x − mean) / √max(var, epsilon).',
    fix: 'x̂ = (x − mean) / √(var + epsilon)',
    hidden: 'epsilon is far smaller than the variance: try a larger one',
    steps: { rstd: (s) => each(s.groups, (g) => reciprocalRoot(s, Math.max(s.var[g], s.epsilon))) },
  },
  {
    id: 'epsilon_twice',
    explanation: 'epsilon was added twice: inside the square root and outside it, or twice to the variance.',
    fix: 'x̂ = (x − mean) / √(var + epsilon)',
    hidden: 'epsilon is far smaller than the variance: try a larger one',
    ways: [
      { given: ({ epsilon }) => ({ epsilon: 2 * epsilon }) },
      { steps: { rstd: (s) => each(s.groups, (g) => 1 / (Math.sqrt(s.var[g] + s.epsilon) + s.epsilon)) } },
    ],
  },
  {
    id: 'root_missing',
    explanation: 'x was divided by the variance, not by its square root.',
    fix: 'x̂ = (x − mean) / √(var + epsilon)',
    hidden: 'the variance is 1',
    steps: { rstd: (s) => each(s.groups, (g) => 1 / (s.var[g] + s.epsilon)) },
  },
]);

const BATCH = { tensors: [...FORWARD, 'mean', 'var'], needs: { training: true } };

const batchMistakes: readonly Mistake<Given, Made>[] = sharing(BATCH, [
  {
    id: 'unbiased_variance',
    tensors: [...FORWARD, 'var', 'running_var'],
    explanation: 'x was normalised with the unbiased variance, divided by m − 1.',
    fix: 'var = Σ (x − mean)² / m',
    ways: [
      {
        steps: {
          rstd: (s) => each(s.groups, (g) => reciprocalRoot(s, s.batchVariance[g] * unbiased(s) + s.epsilon)),
          var: (s) => s.batchVariance.map((value) => value * unbiased(s)),
          // The correction is applied twice.
          running_var: (s) => run(s, s.pastVariance, (c) => s.batchVariance[c] * unbiased(s) ** 2),
        },
      },
      // With the derivative of the unbiased variance.
      {
        steps: {
          var: (s) => s.batchVariance.map((value) => value * unbiased(s)),
          dVariance: (s) => steps.dVariance(s).map((value) => value * unbiased(s)),
        },
      },
    ],
  },
  {
    id: 'variance_not_centered',
    tensors: [...FORWARD, 'var', 'running_var'],
    explanation: 'The variance is the mean of x²: the mean was not subtracted before squaring.',
    fix: 'var = Σ (x − mean)² / m',
    hidden: 'the mean is 0',
    steps: { batchVariance: (s) => sums(s, (i) => s.x[i] ** 2).map((sum) => sum / s.m) },
  },
  {
    id: 'statistics_of_each_sample',
    explanation: 'Mean and variance were computed over the features of each sample, which is layer normalisation.',
    fix: 'compute them over the batch, and over all spatial axes, for each channel',
    steps: grouped((s) => [s.N, (i) => Math.floor(i / (s.C * s.S))]),
  },
  {
    id: 'statistics_of_each_plane',
    explanation: 'Mean and variance were computed over each plane of each sample, which is instance normalisation.',
    fix: 'compute them over the batch as well',
    hidden: 'the batch has one sample',
    axes: 1,
    steps: grouped((s) => [s.N * s.C, (i) => Math.floor(i / s.S)]),
  },
  {
    id: 'statistics_over_batch_axis_alone',
    explanation: 'Mean and variance were computed over the batch axis only, separately for every spatial position.',
    fix: 'compute them over the batch and over all spatial axes',
    axes: 1,
    steps: grouped((s) => [s.C * s.S, (i) => i % (s.C * s.S)]),
  },
  {
    id: 'statistics_over_everything',
    explanation: 'One mean and one variance were computed over the whole tensor.',
    fix: 'compute them for each channel',
    hidden: 'there is one channel',
    steps: grouped(() => [1, () => 0]),
  },
  {
    id: 'running_statistics_in_training',
    explanation: 'The running statistics were used in training.',
    fix: 'normalise with the statistics of the batch while training',
    concerns: ['running_mean'],
    ways: [
      { steps: { usesBatch: (s) => !s.pastMean } },
      { steps: { usesBatch: (s) => !s.pastMean, throughStatistics: (s) => !s.pastMean } },
    ],
  },
  {
    id: 'batch_statistics_in_inference',
    explanation: 'The statistics of the batch were used in inference.',
    fix: 'normalise with the running statistics when training is false',
    needs: { training: false },
    ways: [{ steps: { usesBatch: () => true } }, { steps: { usesBatch: () => true, throughStatistics: () => true } }],
  },
]);

export const statisticsMistakes = [...runningMistakes, ...rootMistakes, ...batchMistakes];
