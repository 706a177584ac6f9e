/** Mistakes of the statistics that batchnorm normalises with, and of those that run. */
import { each } from '../../arrays.js';
import type { Mistake } from '../../definition.js';
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

export const statisticsMistakes: readonly Mistake<Given, Made>[] = [
  {
    id: 'running_var_biased',
    tensors: ['running_var'],
    explanation: 'The running variance takes the biased variance of the batch, divided by m.',
    fix: 'running_var = (1 − momentum) · running_var + momentum · var · m / (m − 1)',
    hidden: 'momentum is 0',
    needs: { training: true },
    ways: [{ steps: { running_var: (s) => run(s, s.pastVariance, (c) => s.batchVariance[c]) } }],
  },
  {
    id: 'momentum_inverted',
    tensors: ['running_mean', 'running_var'],
    explanation: 'momentum was taken for the weight of the past, as Keras has it; here it is the weight of the batch.',
    fix: 'running = (1 − momentum) · running + momentum · batch',
    hidden: 'momentum is 0.5',
    needs: { training: true },
    ways: [{ given: ({ momentum }) => ({ momentum: 1 - momentum }) }],
  },
  {
    id: 'running_without_past',
    tensors: ['running_mean', 'running_var'],
    explanation: 'The running statistics were replaced by those of the batch, or took momentum · batch and no past.',
    fix: 'running = (1 − momentum) · running + momentum · batch',
    needs: { training: true },
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
    explanation: 'The running statistics were returned as they came.',
    fix: 'running = (1 − momentum) · running + momentum · batch',
    hidden: 'momentum is 0',
    needs: { training: true },
    ways: [{ given: () => ({ momentum: 0 }) }],
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
    explanation: 'running_var took the standard deviation of the batch for its variance.',
    fix: 'running_var = (1 − momentum) · running_var + momentum · var · m / (m − 1)',
    hidden: 'the variance is 1',
    needs: { training: true },
    ways: [1, 0].map((corrected) => ({
      steps: {
        running_var: (s: State) =>
          run(s, s.pastVariance, (c) => Math.sqrt(s.batchVariance[c] * (corrected ? unbiased(s) : 1))),
      },
    })),
  },
  {
    id: 'epsilon_outside_root',
    tensors: FORWARD,
    explanation: 'epsilon was added to the standard deviation: x̂ = (x − mean) / (√var + epsilon).',
    fix: 'x̂ = (x − mean) / √(var + epsilon)',
    hidden: 'epsilon is far smaller than the variance: try a larger one',
    ways: [
      { steps: { rstd: (s) => each(s.groups, (g) => reciprocalRoot(s, (Math.sqrt(s.var[g]) + s.epsilon) ** 2)) } },
    ],
  },
  {
    id: 'epsilon_forgotten',
    tensors: FORWARD,
    explanation: 'epsilon was left out: x̂ = (x − mean) / √var.',
    fix: 'x̂ = (x − mean) / √(var + epsilon)',
    hidden: 'epsilon is far smaller than the variance: try a larger one',
    ways: [{ given: () => ({ epsilon: 0 }) }],
  },
  {
    id: 'epsilon_as_floor',
    tensors: FORWARD,
    explanation: 'epsilon was taken for the least variance: x̂ = (x − mean) / √max(var, epsilon).',
    fix: 'x̂ = (x − mean) / √(var + epsilon)',
    hidden: 'epsilon is far smaller than the variance: try a larger one',
    ways: [{ steps: { rstd: (s) => each(s.groups, (g) => reciprocalRoot(s, Math.max(s.var[g], s.epsilon))) } }],
  },
  {
    id: 'epsilon_twice',
    tensors: FORWARD,
    explanation: 'epsilon was added twice: under the root and to it, or to the variance and again.',
    fix: 'x̂ = (x − mean) / √(var + epsilon)',
    hidden: 'epsilon is far smaller than the variance: try a larger one',
    ways: [
      { given: ({ epsilon }) => ({ epsilon: 2 * epsilon }) },
      { steps: { rstd: (s) => each(s.groups, (g) => 1 / (Math.sqrt(s.var[g] + s.epsilon) + s.epsilon)) } },
    ],
  },
  {
    id: 'root_missing',
    tensors: FORWARD,
    explanation: 'x was divided by the variance, not by its root.',
    fix: 'x̂ = (x − mean) / √(var + epsilon)',
    hidden: 'the variance is 1',
    ways: [{ steps: { rstd: (s) => each(s.groups, (g) => 1 / (s.var[g] + s.epsilon)) } }],
  },
  {
    id: 'unbiased_variance',
    tensors: [...FORWARD, 'var', 'running_var'],
    explanation: 'x was normalised with the unbiased variance, divided by m − 1.',
    fix: 'var = Σ (x − mean)² / m; the unbiased one is for running_var alone',
    needs: { training: true },
    ways: [
      {
        steps: {
          rstd: (s) => each(s.groups, (g) => reciprocalRoot(s, s.batchVariance[g] * unbiased(s) + s.epsilon)),
          var: (s) => s.batchVariance.map((value) => value * unbiased(s)),
          // Corrected once already, and then once more.
          running_var: (s) => run(s, s.pastVariance, (c) => s.batchVariance[c] * unbiased(s) ** 2),
        },
      },
      // With the derivative that belongs to it.
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
    needs: { training: true },
    ways: [{ steps: { batchVariance: (s) => sums(s, (i) => s.x[i] ** 2).map((sum) => sum / s.m) } }],
  },
  {
    id: 'statistics_of_each_sample',
    tensors: [...FORWARD, 'mean', 'var'],
    explanation: 'Mean and variance were taken over the features of each sample, which is layer normalisation.',
    fix: 'take them over the batch, and over all spatial axes, for each channel',
    needs: { training: true },
    ways: [
      grouped(
        (s) => s.N,
        (s, i) => Math.floor(i / (s.C * s.S)),
      ),
    ],
  },
  {
    id: 'statistics_of_each_plane',
    tensors: [...FORWARD, 'mean', 'var'],
    explanation: 'Mean and variance were taken over each plane of each sample, which is instance normalisation.',
    fix: 'take them over the batch, too',
    hidden: 'the batch has one sample',
    needs: { training: true },
    ways: [
      grouped(
        (s) => s.N * s.C,
        (s, i) => Math.floor(i / s.S),
      ),
    ],
  },
  {
    id: 'statistics_over_batch_axis_alone',
    tensors: [...FORWARD, 'mean', 'var'],
    explanation: 'Mean and variance were taken over the batch axis alone, for every place in space by itself.',
    fix: 'take them over the batch and over all spatial axes',
    hidden: 'x has no spatial axes',
    needs: { training: true },
    ways: [
      grouped(
        (s) => s.C * s.S,
        (s, i) => i % (s.C * s.S),
      ),
    ],
  },
  {
    id: 'statistics_over_everything',
    tensors: [...FORWARD, 'mean', 'var'],
    explanation: 'One mean and one variance were taken over the whole tensor.',
    fix: 'take them for each channel',
    hidden: 'there is one channel',
    needs: { training: true },
    ways: [
      grouped(
        () => 1,
        () => 0,
      ),
    ],
  },
  {
    id: 'running_statistics_in_training',
    tensors: [...FORWARD, 'mean', 'var'],
    explanation: 'The running statistics were used in training.',
    fix: 'normalise with the statistics of the batch while training',
    hidden: 'no running statistics were given',
    needs: { training: true },
    ways: [
      { steps: { usesBatch: (s) => !s.pastMean } },
      { steps: { usesBatch: (s) => !s.pastMean, throughStatistics: (s) => !s.pastMean } },
    ],
  },
  {
    id: 'batch_statistics_in_inference',
    tensors: [...FORWARD, 'mean', 'var'],
    explanation: 'The statistics of the batch were used in inference.',
    fix: 'normalise with the running statistics when training is false',
    needs: { training: false },
    ways: [{ steps: { usesBatch: () => true } }, { steps: { usesBatch: () => true, throughStatistics: () => true } }],
  },
];
