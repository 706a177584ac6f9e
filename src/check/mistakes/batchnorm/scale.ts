/** Mistakes of scale and shift, and of their gradients. */
import { each, scaled } from '../../arrays.js';
import type { Mistake } from '../../definition.js';
import { channelSums, steps, type Given, type Made, type State } from './steps.js';

export const scaleMistakes: readonly Mistake<Given, Made>[] = [
  {
    id: 'mean_not_subtracted',
    tensors: ['out', 'dgamma'],
    explanation: 'x was divided by the standard deviation, but its mean was not subtracted.',
    fix: 'x̂ = (x − mean) / √(var + epsilon)',
    hidden: 'the mean is 0',
    steps: { normalised: (s) => each(s.size, (i) => s.x[i] * s.rstd[s.groupOf(i)]) },
  },
  {
    id: 'gamma_and_beta_exchanged',
    tensors: ['out', 'dx'],
    explanation: 'gamma and beta were swapped: gamma was added, and beta was used as the factor.',
    fix: 'out = gamma · x̂ + beta',
    given: ({ gamma, beta }) => ({ gamma: beta, beta: gamma }),
  },
  {
    id: 'beta_missing',
    tensors: ['out'],
    explanation: 'beta was not added.',
    fix: 'out = gamma · x̂ + beta',
    hidden: 'beta is 0',
    given: ({ beta }) => ({ beta: new Float64Array(beta.length) }),
  },
  {
    id: 'gamma_missing',
    tensors: ['out'],
    explanation: 'x̂ was not multiplied by gamma.',
    fix: 'out = gamma · x̂ + beta',
    hidden: 'gamma is all ones',
    given: ({ gamma }) => ({ gamma: new Float64Array(gamma.length).fill(1) }),
  },
  {
    id: 'beta_scaled',
    tensors: ['out'],
    explanation: 'beta was added before gamma was multiplied: out = gamma · (x̂ + beta).',
    fix: 'out = gamma · x̂ + beta',
    hidden: 'gamma is all ones, or beta is 0',
    given: ({ gamma, beta }) => ({ beta: gamma.map((value, c) => value * beta[c]) }),
  },
  {
    id: 'dgamma_from_x',
    tensors: ['dgamma'],
    explanation: 'dgamma was computed from x instead of x̂.',
    fix: 'dgamma = Σ dout · x̂',
    steps: { dgamma: (s) => channelSums(s, (i) => s.dout[i] * s.x[i]) },
  },
  {
    id: 'dgamma_from_out',
    tensors: ['dgamma'],
    explanation: 'dgamma was computed from out instead of x̂.',
    fix: 'dgamma = Σ dout · x̂',
    hidden: 'out is x̂',
    steps: { dgamma: (s) => channelSums(s, (i) => s.dout[i] * s.out[i]) },
  },
  {
    id: 'dgamma_from_centered_x',
    tensors: ['dgamma'],
    explanation: 'dgamma was computed from x − mean, which was not divided by the standard deviation.',
    fix: 'dgamma = Σ dout · x̂',
    hidden: 'the variance is 1',
    steps: { dgamma: (s) => channelSums(s, (i) => s.dout[i] * (s.x[i] - s.mean[s.groupOf(i)])) },
  },
  {
    id: 'parameter_gradients_averaged',
    tensors: ['dgamma', 'dbeta'],
    explanation: 'The gradient was averaged over the batch, not summed.',
    fix: 'sum over the batch and all spatial positions; averaging belongs to the loss, not to the layer',
    hidden: 'there is one value per channel',
    ways: [(s: State) => s.m, (s: State) => s.N, (s: State) => s.S].map((count) => ({
      steps: scaled(steps, ['dgamma', 'dbeta'], (s: State) => 1 / count(s)),
    })),
  },
  {
    id: 'dgamma_and_dbeta_exchanged',
    tensors: ['dgamma', 'dbeta'],
    explanation: 'dgamma and dbeta were swapped.',
    fix: 'dbeta = Σ dout, dgamma = Σ dout · x̂',
    steps: { dgamma: (s) => steps.dbeta(s), dbeta: (s) => steps.dgamma(s) },
  },
];
