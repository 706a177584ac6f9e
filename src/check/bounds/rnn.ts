/**
 * Rounding error in an rnn unit: h = tanh(z) or relu(z), dz = dh · (1 − h²) or dh where h > 0.
 *
 * If rounding may change the sign of z, relu's derivative may be 0 or 1. The rest is in recurrence.ts.
 */
import { recurrentBounds, type Cell } from './recurrence.js';

const NONE = { value: 0, error: 0 };

const tanh: Cell = {
  kind: 'tanh',
  forward: (by, z) => {
    const h = by.tanh(z[0]);
    return { z, a: [h], h, c: NONE, cBefore: NONE };
  },
  backward: (by, { h }, dh) => ({ dz: [by.times(dh, by.complement(by.times(h, h)))], dc: NONE }),
};

const relu: Cell = {
  kind: 'relu',
  forward: (_, z) => {
    const [{ value, error }] = z;
    const h = value + error > 0 ? { value: value > 0 ? value : 0, error } : NONE;
    return { z, a: [h], h, c: NONE, cBefore: NONE };
  },
  backward: (by, { z: [z] }, dh) => {
    const isOpen = z.error > 0 && Math.abs(z.value) <= z.error;
    return { dz: [by.times(dh, { value: z.value > 0 ? 1 : 0, error: isOpen ? 1 : 0 })], dc: NONE };
  },
};

export const rnn = recurrentBounds(({ nonlinearity }) => (nonlinearity === 'relu' ? relu : tanh));
