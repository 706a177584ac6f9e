/**
 * Softmax cross-entropy: the mean over the batch of −log p[label], where p = softmax(scores).
 *
 * N batch, K classes.
 *
 * forward   loss = Σ_n −log p[n, label_n] / N
 * backward  dscores[N, K] = (p − onehot(label)) / N
 */
import { stack, Tensor, unstack } from './tensor.js';

export interface Loss {
  readonly loss: number;
  readonly dscores: Tensor;
}

export function crossEntropy(scores: Tensor, labels: readonly number[]): Loss {
  const N = labels.length;
  let loss = 0;
  const rows = unstack(scores).map(({ shape, data }, n) => {
    const p = softmax(data);
    loss -= Math.log(p[labels[n]]) / N;
    const drow = p.map((value, k) => (value - (k === labels[n] ? 1 : 0)) / N);
    return new Tensor(shape, drow);
  });
  return { loss, dscores: stack(rows) };
}

/** The largest score is subtracted first, so that no exponential overflows. */
function softmax(scores: Float32Array<ArrayBuffer>): Float32Array<ArrayBuffer> {
  const largest = Math.max(...scores);
  const powers = scores.map((score) => Math.exp(score - largest));
  const sum = powers.reduce((total, power) => total + power, 0);
  return powers.map((power) => power / sum);
}

/** How many of the rows have their largest score at their label. */
export function countCorrect(scores: Tensor, labels: readonly number[]): number {
  return unstack(scores).filter(({ data }, n) => data.indexOf(Math.max(...data)) === labels[n]).length;
}
