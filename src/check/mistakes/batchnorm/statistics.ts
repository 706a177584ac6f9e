/** Mistakes in the statistics that batchnorm normalises with, and in the running statistics. */
import type { Tensors } from '../../../layers/instance.js';
import { areClose, largestMagnitude } from '../../compare.js';
import { sizeOf, sameShape } from '../../../tensor/tensor.js';
import { sharing, type Mistake } from '../../define.js';
import type { Way } from '../../written.js';

const FORWARD = ['out', 'dx', 'dgamma'];

const RUNNING = { needs: { training: true }, concerns: ['running_mean', 'momentum'] };

const running = (mean: string, variance: string): Way => ({
  formulas: [`running_mean = ${mean}`, `running_var = ${variance}`],
});

const PAST = '(1 − momentum) · running_var_before + momentum';

const runningMistakes: readonly Mistake[] = sharing(RUNNING, [
  {
    id: 'running_var_biased',
    tensors: ['running_var'],
    explanation: 'The running variance was updated with the biased variance of the batch, divided by m.',
    fix: 'running_var = (1 − momentum) · running_var + momentum · var · m / (m − 1)',
    hidden: 'momentum is 0',
    formulas: [`running_var = ${PAST} · batch_var`],
  },
  {
    id: 'momentum_inverted',
    tensors: ['running_mean', 'running_var'],
    explanation: 'momentum was used as the weight of the past, as in Keras; here it is the weight of the batch.',
    fix: 'running = (1 − momentum) · running + momentum · batch',
    hidden: 'momentum is 0.5',
    given: ({ options }) => ({ given: { momentum: [1 - Number(options.momentum)] } }),
  },
  {
    id: 'running_without_past',
    tensors: ['running_mean', 'running_var'],
    explanation: 'The running statistics were replaced by those of the batch, or by momentum · batch without the past.',
    fix: 'running = (1 − momentum) · running + momentum · batch',
    ways: [
      running('batch_mean', 'batch_var · m / (m − 1)'),
      running('momentum · batch_mean', 'momentum · batch_var · m / (m − 1)'),
    ],
  },
  {
    id: 'running_not_updated',
    tensors: ['running_mean', 'running_var'],
    explanation: 'The running statistics were returned unchanged.',
    fix: 'running = (1 − momentum) · running + momentum · batch',
    hidden: 'momentum is 0',
    ...running('running_mean_before', 'running_var_before'),
  },
  {
    id: 'running_updated_in_inference',
    tensors: ['running_mean', 'running_var'],
    explanation: 'The running statistics were updated in inference.',
    fix: 'return them unchanged when training is false',
    hidden: 'momentum is 0',
    needs: { training: false },
    ways: ['batch_var · m / (m − 1)', 'batch_var'].map((variance) =>
      running('(1 − momentum) · running_mean_before + momentum · batch_mean', `${PAST} · ${variance}`),
    ),
  },
  {
    id: 'running_var_of_deviation',
    tensors: ['running_var'],
    explanation: 'running_var was updated with the standard deviation of the batch, not with its variance.',
    fix: 'running_var = (1 − momentum) · running_var + momentum · var · m / (m − 1)',
    hidden: 'the variance is 1',
    ways: ['√(batch_var · m / (m − 1))', '√batch_var'].map((deviation) => ({
      formulas: [`running_var = ${PAST} · ${deviation}`],
    })),
  },
]);

const SCALED = 'xhat · Σ_ns dxhat · xhat';

/** dx as the derivative of a deviation that has this factor in the path through the variance. */
const derived = (factor: string) => `dx = rstd · (dxhat − Σ_ns dxhat / m − ${SCALED} / m · ${factor})`;

/** The batch's variance is unbiased, and corrected again in running_var or not; or only x̂ is computed from it. */
const unbiased = (rstd: (variance: string) => string, derivative: string): readonly Way[] => {
  const batch = ['batch_var = Σ_ns centred² / (m − 1)', `rstd = ${rstd('var')}`];
  return [
    batch,
    [...batch, `running_var = ${PAST} · batch_var`],
    [`rstd = ${rstd('(batch_var · m / (m − 1))')}`],
  ].flatMap((formulas) => [{ formulas }, { formulas: [...formulas, derivative] }]);
};

const rootMistakes: readonly Mistake[] = sharing({ tensors: FORWARD, fix: 'x̂ = (x − mean) / √(var + epsilon)' }, [
  {
    id: 'epsilon_outside_root',
    explanation: 'epsilon was added to the standard deviation: x̂ = (x − mean) / (√var + epsilon).',
    hidden: 'epsilon is far smaller than the variance: try a larger one',
    ways: [[], [derived('1 / (√var · rstd)')]].map((derivative) => ({
      formulas: ['rstd = 1 / (√var + epsilon)', ...derivative],
    })),
  },
  {
    id: 'epsilon_as_floor',
    explanation: 'epsilon was used as a lower bound of the variance: x̂ = (x − mean) / √max(var, epsilon).',
    hidden: 'epsilon is far smaller than the variance: try a larger one',
    formulas: ['rstd = 1 / √(epsilon + relu(var − epsilon))'],
    // Elsewhere, it was left out.
    given: ({ options }, _, right) =>
      right.var.data.some((value) => value < Number(options.epsilon)) ? {} : undefined,
  },
  {
    id: 'unbiased_variance',
    tensors: [...FORWARD, 'var', 'running_var'],
    explanation: 'x was normalised with the unbiased variance, divided by m − 1.',
    fix: 'var = Σ (x − mean)² / m',
    needs: { training: true },
    ways: unbiased((variance) => `1 / √(${variance} + epsilon)`, derived('m / (m − 1)')),
  },
  {
    id: 'unbiased_deviation_and_epsilon_outside_root',
    explanation:
      'x was divided by the unbiased standard deviation plus epsilon: the variance was divided by m − 1, and epsilon was added after the root.',
    fix: 'x̂ = (x − mean) / √(var + epsilon), where var = Σ (x − mean)² / m',
    needs: { training: true },
    ways: unbiased((variance) => `1 / (√${variance} + epsilon)`, derived('m / (m − 1) / (1 − epsilon · rstd)')),
  },
]);

/** Differences up to this fraction of the largest value may be rounding, or the last printed digit. */
const DISTINCT = 1e-3;

/** Whether a claim is not there, or clearly wrong. */
export function isOpen(name: string, claims: Tensors, right: Tensors): boolean {
  if (!(name in claims) || !sameShape(claims[name].shape, right[name].shape)) return true;
  return !areClose(claims[name], right[name], { rtol: 0, atol: DISTINCT * largestMagnitude(right[name].data) });
}

/**
 * Statistics over other axes than those of a batch, with the derivative of that. They would also change out; and if each
 * value has its own, all is 0, the result of many mistakes.
 */
const over = (
  axes: string,
  count: string,
  kept: string,
  isAlone: (N: number, C: number, S: number) => boolean,
): Way => ({
  formulas: [
    `batch_mean[${kept}] = Σ_${axes} x / ${count}`,
    `batch_var[${kept}] = Σ_${axes} centred² / ${count}`,
    `mean[${kept}] = batch_mean`,
    `var[${kept}] = batch_var`,
    `dx = rstd · (dxhat − Σ_${axes} dxhat / ${count} − xhat · Σ_${axes} dxhat · xhat / ${count})`,
  ],
  given: ({ inputs: { x } }, claims, right) => {
    const [N, C] = x.shape;
    return isAlone(N, C, sizeOf(x.shape) / (N * C)) || !isOpen('out', claims, right) ? undefined : {};
  },
});

const BATCH = { tensors: [...FORWARD, 'mean', 'var'], needs: { training: true } };

/** The derivatives of training and of inference. */
const DERIVATIVES = [`dx = rstd / m · (m · dxhat − Σ_ns dxhat − ${SCALED})`, 'dx = dxhat · rstd'];

const batchMistakes: readonly Mistake[] = sharing(BATCH, [
  {
    id: 'statistics_of_each_sample',
    explanation: 'Mean and variance were computed over the features of each sample, which is layer normalisation.',
    fix: 'compute them over the batch, and over all spatial axes, for each channel',
    ...over('cs', 'C / S', 'n', (_, C, S) => C * S === 1),
  },
  {
    id: 'statistics_of_each_plane',
    explanation: 'Mean and variance were computed over each plane of each sample, which is instance normalisation.',
    fix: 'compute them over the batch as well',
    hidden: 'the batch has one sample',
    axes: 1,
    ...over('s', 'S', 'n,c', (_, __, S) => S === 1),
  },
  {
    id: 'statistics_over_batch_axis_alone',
    explanation: 'Mean and variance were computed over the batch axis only, separately for every spatial position.',
    fix: 'compute them over the batch and over all spatial axes',
    axes: 1,
    ...over('n', 'N', 'c,s', (N) => N === 1),
  },
  {
    id: 'statistics_over_everything',
    explanation: 'One mean and one variance were computed over the whole tensor.',
    fix: 'compute them for each channel',
    hidden: 'there is one channel',
    ways: ['w', 'c'].map((kept) => over('ncs', 'C / m', kept, () => false)),
  },
  {
    id: 'running_statistics_in_training',
    explanation: 'The running statistics were used in training.',
    fix: 'normalise with the statistics of the batch while training',
    concerns: ['running_mean'],
    ways: DERIVATIVES.map((dx) => ({ formulas: ['mean = running_mean_before', 'var = running_var_before', dx] })),
  },
  {
    id: 'batch_statistics_in_inference',
    explanation: 'The statistics of the batch were used in inference.',
    fix: 'normalise with the running statistics when training is false',
    needs: { training: false },
    concerns: ['running_mean'],
    ways: DERIVATIVES.toReversed().map((dx) => ({ formulas: ['mean = batch_mean', 'var = batch_var', dx] })),
  },
]);

export const statisticsMistakes = [...runningMistakes, ...rootMistakes, ...batchMistakes];
