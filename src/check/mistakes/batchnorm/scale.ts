/** Mistakes of scale and shift, and of their gradients. */
import { each } from '../../arrays.js';
import type { Mistake } from '../../definition.js';
import { channelSums, steps, type Given, type Made, type State } from './steps.js';

export const scaleMistakes: readonly Mistake<Given, Made>[] = [
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
