/** How batchnorm goes wrong. Dimensions and formulas as in the layer's own file; statistics here are over groups. */
import type { Static } from '@sinclair/typebox';
import type { BatchnormInputs, BatchnormOptions, BatchnormUpstream } from '../../../schemas/batchnorm.js';
import { batchnorm as layer } from '../../layers/batchnorm.js';
import type { Decoded } from '../../layers/definition.js';
import { sizeOf, type FloatArray } from '../../tensor/tensor.js';
import { each } from '../arrays.js';
import { defineChecks, type Call, type Mistake } from '../definition.js';

interface Given {
  readonly N: number;
  readonly C: number;
  readonly S: number;
  /** Elements of x. */
  readonly size: number;
  readonly training: boolean;
  readonly epsilon: number;
  readonly momentum: number;
  readonly x: FloatArray;
  readonly dout: FloatArray;
  readonly gamma: FloatArray;
  readonly beta: FloatArray;
  readonly pastMean: FloatArray | undefined;
  readonly pastVariance: FloatArray | undefined;
}

interface Made {
  /** Which elements share a mean and a variance: the group of element i, and how many groups there are. */
  readonly groupOf: (i: number) => number;
  readonly groups: number;
  /** Values in a group. */
  readonly m: number;
  readonly batchMean: FloatArray;
  readonly batchVariance: FloatArray;
  readonly usesBatch: boolean;
  readonly mean: FloatArray;
  readonly var: FloatArray;
  readonly rstd: FloatArray;
  readonly normalised: FloatArray;
  readonly out: FloatArray;
  readonly running_mean: FloatArray | undefined;
  readonly running_var: FloatArray | undefined;
  readonly dbeta: FloatArray;
  readonly dgamma: FloatArray;
  readonly dNormalised: FloatArray;
  /** Whether the statistics depend on x on the way back. */
  readonly throughStatistics: boolean;
  /** The gradients of what the two paths share, of each group. */
  readonly dVariance: FloatArray;
  readonly dMean: FloatArray;
  readonly dx: FloatArray;
}

type State = Given & Made;

const channelOf = ({ C, S }: Pick<Given, 'C' | 'S'>, i: number) => Math.floor(i / S) % C;

/** Σ over the elements of each group. */
function sums(
  { size, groups, groupOf }: Pick<State, 'size' | 'groups' | 'groupOf'>,
  value: (i: number) => number,
): Float64Array {
  const totals = new Float64Array(groups);
  for (let i = 0; i < size; i++) totals[groupOf(i)] += value(i);
  return totals;
}

/** Σ over the elements of each channel. */
function channelSums(s: State, value: (i: number) => number): Float64Array {
  return sums({ size: s.size, groups: s.C, groupOf: (i) => channelOf(s, i) }, value);
}

const reciprocalRoot = (s: State, value: number) => (s.usesBatch && value === 0 ? 0 : 1 / Math.sqrt(value));

type Weighing = Pick<State, 'training' | 'C' | 'momentum'>;

const momentumOf = ({ C, momentum }: State) => ({ C, momentum });

const run = (s: Weighing, past: FloatArray | undefined, batch: (c: number) => number, weight = s.momentum) =>
  past && (s.training ? each(s.C, (c) => (1 - weight) * past[c] + weight * batch(c)) : past);

const unbiased = (s: State) => s.m / (s.m - 1);

const steps = {
  groupOf: (s: State) => (i: number) => channelOf(s, i),
  groups: (s: State) => s.C,
  m: (s: State) => s.size / s.groups,
  batchMean: (s: State) => sums(s, (i) => s.x[i]).map((sum) => sum / s.m),
  batchVariance: (s: State) => sums(s, (i) => (s.x[i] - s.batchMean[s.groupOf(i)]) ** 2).map((sum) => sum / s.m),
  usesBatch: (s: State) => s.training || !s.pastMean,
  mean: (s: State) => (s.usesBatch || !s.pastMean ? s.batchMean : s.pastMean),
  var: (s: State) => (s.usesBatch || !s.pastVariance ? s.batchVariance : s.pastVariance),
  rstd: (s: State) => each(s.groups, (g) => reciprocalRoot(s, s.var[g] + s.epsilon)),
  normalised: (s: State) => each(s.size, (i) => (s.x[i] - s.mean[s.groupOf(i)]) * s.rstd[s.groupOf(i)]),
  out: (s: State) => each(s.size, (i) => s.normalised[i] * s.gamma[channelOf(s, i)] + s.beta[channelOf(s, i)]),
  running_mean: (s: State) => run(s, s.pastMean, (c) => s.batchMean[c]),
  running_var: (s: State) => run(s, s.pastVariance, (c) => s.batchVariance[c] * unbiased(s)),
  dbeta: (s: State) => channelSums(s, (i) => s.dout[i]),
  dgamma: (s: State) => channelSums(s, (i) => s.dout[i] * s.normalised[i]),
  dNormalised: (s: State) => each(s.size, (i) => s.dout[i] * s.gamma[channelOf(s, i)]),
  throughStatistics: (s: State) => s.training,
  dVariance: (s: State) =>
    sums(s, (i) => s.dNormalised[i] * (s.x[i] - s.mean[s.groupOf(i)])).map((sum, g) => -0.5 * s.rstd[g] ** 3 * sum),
  dMean: (s: State) => sums(s, (i) => s.dNormalised[i]).map((sum, g) => -s.rstd[g] * sum),
  dx: (s: State) =>
    each(s.size, (i) => {
      const g = s.groupOf(i);
      const direct = s.dNormalised[i] * s.rstd[g];
      if (!s.throughStatistics) return direct;
      return direct + (s.dVariance[g] * 2 * (s.x[i] - s.mean[g])) / s.m + s.dMean[g] / s.m;
    }),
};

const FORWARD = ['out', 'dx', 'dgamma'];
const zeros = (s: State) => new Float64Array(s.groups);

/** Statistics over something else than a channel. */
const grouped = (groups: (s: State) => number, groupOf: (s: State, i: number) => number) => ({
  steps: { groups, groupOf: (s: State) => (i: number) => groupOf(s, i) },
});

const mistakes: readonly Mistake<Given, Made>[] = [
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
  {
    id: 'mean_not_subtracted',
    tensors: ['out', 'dgamma'],
    explanation: 'x was divided by the standard deviation, but its mean was not subtracted.',
    fix: 'x̂ = (x − mean) / √(var + epsilon)',
    hidden: 'the mean is 0',
    ways: [{ steps: { normalised: (s) => each(s.size, (i) => s.x[i] * s.rstd[s.groupOf(i)]) } }],
  },
  {
    id: 'gamma_and_beta_exchanged',
    tensors: ['out', 'dx'],
    explanation: 'gamma was added and beta multiplied.',
    fix: 'out = gamma · x̂ + beta',
    ways: [{ given: ({ gamma, beta }) => ({ gamma: beta, beta: gamma }) }],
  },
  {
    id: 'beta_missing',
    tensors: ['out'],
    explanation: 'beta was not added.',
    fix: 'out = gamma · x̂ + beta',
    hidden: 'beta is 0',
    ways: [{ given: ({ beta }) => ({ beta: new Float64Array(beta.length) }) }],
  },
  {
    id: 'gamma_missing',
    tensors: ['out'],
    explanation: 'x̂ was not multiplied by gamma.',
    fix: 'out = gamma · x̂ + beta',
    hidden: 'gamma is all ones',
    ways: [{ given: ({ gamma }) => ({ gamma: new Float64Array(gamma.length).fill(1) }) }],
  },
  {
    id: 'beta_scaled',
    tensors: ['out'],
    explanation: 'beta was added before gamma was multiplied: out = gamma · (x̂ + beta).',
    fix: 'out = gamma · x̂ + beta',
    hidden: 'gamma is all ones, or beta is 0',
    ways: [{ given: ({ gamma, beta }) => ({ beta: gamma.map((value, c) => value * beta[c]) }) }],
  },
  {
    id: 'dgamma_from_x',
    tensors: ['dgamma'],
    explanation: 'dgamma was computed from x, where x̂ belongs.',
    fix: 'dgamma = Σ dout · x̂',
    ways: [{ steps: { dgamma: (s) => channelSums(s, (i) => s.dout[i] * s.x[i]) } }],
  },
  {
    id: 'dgamma_from_out',
    tensors: ['dgamma'],
    explanation: 'dgamma was computed from out, where x̂ belongs.',
    fix: 'dgamma = Σ dout · x̂',
    hidden: 'gamma is all ones and beta is 0',
    ways: [{ steps: { dgamma: (s) => channelSums(s, (i) => s.dout[i] * s.out[i]) } }],
  },
  {
    id: 'dgamma_from_centered_x',
    tensors: ['dgamma'],
    explanation: 'dgamma was computed from x − mean, which was not divided by the standard deviation.',
    fix: 'dgamma = Σ dout · x̂',
    hidden: 'the variance is 1',
    ways: [{ steps: { dgamma: (s) => channelSums(s, (i) => s.dout[i] * (s.x[i] - s.mean[s.groupOf(i)])) } }],
  },
  {
    id: 'parameter_gradients_averaged',
    tensors: ['dgamma', 'dbeta'],
    explanation: 'dgamma and dbeta were averaged over the batch, not summed.',
    fix: 'dbeta = Σ dout, dgamma = Σ dout · x̂; what divides by the batch size is the loss',
    hidden: 'there is one value a channel',
    ways: [(s: State) => s.m, (s: State) => s.N, (s: State) => s.S].map((count) => ({
      steps: {
        dgamma: (s: State) => steps.dgamma(s).map((value) => value / count(s)),
        dbeta: (s: State) => steps.dbeta(s).map((value) => value / count(s)),
      },
    })),
  },
  {
    id: 'dgamma_and_dbeta_exchanged',
    tensors: ['dgamma', 'dbeta'],
    explanation: 'dgamma and dbeta were returned in each other’s places.',
    fix: 'dbeta = Σ dout, dgamma = Σ dout · x̂',
    ways: [{ steps: { dgamma: (s) => steps.dbeta(s), dbeta: (s) => steps.dgamma(s) } }],
  },
];

function given({ inputs, options, upstream }: Call): Given {
  const { x, gamma, beta, running_mean, running_var } = inputs as Decoded<typeof BatchnormInputs>;
  const { dout } = upstream as Partial<Decoded<typeof BatchnormUpstream>>;
  const [N, C] = x.shape;
  const size = sizeOf(x.shape);
  return {
    N,
    C,
    S: size / (N * C),
    size,
    ...(options as Static<typeof BatchnormOptions>),
    x: x.data,
    dout: dout?.data ?? new Float64Array(size),
    gamma: gamma?.data ?? new Float64Array(C).fill(1),
    beta: beta?.data ?? new Float64Array(C),
    pastMean: running_mean?.data,
    pastVariance: running_var?.data,
  };
}

const AXES = { x: ['batch', 'channel', 'place'], channels: ['channel'] };

export const batchnorm = defineChecks<Given, Made>({
  layer,
  given,
  steps,
  mistakes,
  slowness: 70,
  axes: (tensor) => (['out', 'dx'].includes(tensor) ? AXES.x : AXES.channels),
  constants({ inputs: { x }, options }) {
    const { epsilon, momentum } = options as Static<typeof BatchnormOptions>;
    const [N, C] = x.shape;
    const m = sizeOf(x.shape) / C;
    return { N, m, 'm − 1': m - 1, 'm / (m − 1)': m / (m - 1), C, momentum, '1 − momentum': 1 - momentum, epsilon };
  },
  readings: () => [
    ...[0, 1e-12, 1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3].map((value) => ({
      option: 'epsilon',
      value,
      because: 'a default of other libraries',
    })),
    ...[0.1, 0.9, 0.01, 0.99, 0.001, 0.999, 0.2, 0.5].map((value) => ({
      option: 'momentum',
      value,
      because: 'a default of other libraries',
    })),
  ],
  example(numbers, needs) {
    const [N, C, S] = [3, 2, 3];
    const x = numbers.tensor([N, C, S], -2, 3);
    // One channel varies by less than epsilon, in which the ways to add it differ most.
    x.data.forEach((value, i) => {
      if (channelOf({ C, S }, i) === 1) x.data[i] = Math.round(value * 10 + 50) / 100;
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
});
