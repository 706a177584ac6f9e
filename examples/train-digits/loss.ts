/**
 * Softmax cross-entropy: the mean over the batch of −log p[label], where p = softmax(scores).
 *
 * N batch, K classes.
 *
 * forward   loss = Σ_n −log p[n, label_n] / N
 * backward  dscores[N, K] = (p − onehot(label)) / N
 */
import type { Matrix, Vector } from './client.js';

export interface Loss {
  readonly loss: number;
  readonly dscores: Matrix;
}

export function crossEntropy(scores: Matrix, labels: readonly number[]): Loss {
  const N = scores.length;
  let loss = 0;
  const dscores = scores.map((row, n) => {
    const p = softmax(row);
    loss -= Math.log(p[labels[n]]) / N;
    return p.map((value, k) => (value - (k === labels[n] ? 1 : 0)) / N);
  });
  return { loss, dscores };
}

/** The largest score is taken off first, so that no exponential overflows. */
function softmax(scores: Vector): Vector {
  const largest = Math.max(...scores);
  const powers = scores.map((score) => Math.exp(score - largest));
  const sum = powers.reduce((total, power) => total + power, 0);
  return powers.map((power) => power / sum);
}

/** How many of the rows have their largest score at their label. */
export function countCorrect(scores: Matrix, labels: readonly number[]): number {
  return scores.filter((row, n) => row.indexOf(Math.max(...row)) === labels[n]).length;
}
