/** Activations of a matrix, element by element; tanh is written with exponentials. */
import type { Answers, Nested } from '../../definition.js';

interface Given {
  x: Nested;
  function: 'relu' | 'tanh';
  dout?: number[][] | undefined;
}

function tanh(z: number): number {
  const up = Math.exp(z);
  const down = Math.exp(-z);
  return (up - down) / (up + down);
}

export default function activation({ x: given, function: name, dout }: Given): Answers {
  if (!Array.isArray(given) || !Array.isArray(given[0]) || Array.isArray(given[0][0]))
    throw new Error('unsupported: x is not a matrix');
  const x = given as number[][];
  const N = x.length;
  const D = x[0].length;

  const out: number[][] = [];
  for (let n = 0; n < N; n++) {
    out[n] = [];
    for (let d = 0; d < D; d++) {
      if (name === 'relu') out[n][d] = Math.max(0, x[n][d]);
      else out[n][d] = tanh(x[n][d]);
    }
  }
  if (!dout) return { out };

  const dx: number[][] = [];
  for (let n = 0; n < N; n++) {
    dx[n] = [];
    for (let d = 0; d < D; d++) {
      if (name === 'relu') {
        dx[n][d] = x[n][d] > 0 ? dout[n][d] : 0;
      } else {
        const t = tanh(x[n][d]);
        dx[n][d] = dout[n][d] * (1 - t ** 2);
      }
    }
  }
  return { out, dx };
}
