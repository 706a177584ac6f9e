/** Dropout of a matrix in nested loops. */
import type { Answers, Nested } from '../../definition.js';

interface Given {
  x: Nested;
  mask?: number[][] | undefined;
  rate: number;
  training: boolean;
  scaling: 'inverted' | 'test_time';
  dout?: number[][] | undefined;
}

function zeros(n: number, m: number): number[][] {
  return Array.from({ length: n }, () => Array<number>(m).fill(0));
}

export default function dropout(given: Given): Answers {
  const { mask = [], rate, training, scaling, dout } = given;
  if (!Array.isArray(given.x) || !Array.isArray(given.x[0]) || Array.isArray(given.x[0][0]))
    throw new Error('unsupported: x is not a matrix');
  const x = given.x as number[][];
  const N = x.length;
  const D = x[0].length;

  const out = zeros(N, D);
  for (let i = 0; i < N; i++) {
    for (let j = 0; j < D; j++) {
      if (training) {
        if (mask[i][j] === 1) {
          out[i][j] = x[i][j];
          if (scaling === 'inverted') out[i][j] /= 1 - rate;
        }
      } else {
        out[i][j] = x[i][j];
        if (scaling === 'test_time') out[i][j] *= 1 - rate;
      }
    }
  }
  if (!dout) return { out };

  const dx = zeros(N, D);
  for (let i = 0; i < N; i++) {
    for (let j = 0; j < D; j++) {
      if (training) {
        if (mask[i][j] === 1) {
          dx[i][j] = dout[i][j];
          if (scaling === 'inverted') dx[i][j] /= 1 - rate;
        }
      } else {
        dx[i][j] = dout[i][j];
        if (scaling === 'test_time') dx[i][j] *= 1 - rate;
      }
    }
  }
  return { out, dx };
}
