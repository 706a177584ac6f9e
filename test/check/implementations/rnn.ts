/** A handwritten RNN cell. */
import type { Implementation } from './implementation.js';
import { recurrent } from './recurrent.js';

export const rnn: Implementation = (instance, wrong = '') => {
  const relu = instance.options.nonlinearity === 'relu';
  const activate = (z: number): number => {
    if (wrong === 'nonlinearity_missing') return z;
    if (wrong === 'other_nonlinearity') return relu ? Math.tanh(z) : Math.max(0, z);
    return relu ? Math.max(0, z) : Math.tanh(z);
  };
  const slope = (z: number, h: number): number => {
    switch (wrong) {
      case 'derivative_missing':
      case 'nonlinearity_missing':
        return 1;
      case 'derivative_of_preactivation':
        return 1 - z * z;
      case 'derivative_without_square':
        return 1 - h;
      case 'derivative_of_sigmoid':
        return h * (1 - h);
      case 'derivative_of_the_other_nonlinearity':
        return relu ? 1 - h * h : Number(h > 0);
      case 'other_nonlinearity':
        return relu ? 1 - h * h : Number(h > 0);
      default:
        return relu ? Number(h > 0) : 1 - h * h;
    }
  };
  const cell = {
    gates: 1,
    forward: (z: readonly number[], cBefore: readonly number[]) => ({ h: z.map(activate), c: cBefore }),
    backward: (
      { z, h }: { z: readonly number[]; h: readonly number[] },
      dh: readonly number[],
      dc: readonly number[],
    ) => ({
      dz: dh.map((value, j) => value * slope(z[j], h[j])),
      dc,
    }),
  };
  return recurrent(instance, cell, wrong);
};
