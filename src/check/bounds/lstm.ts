/** Rounding error in an lstm unit, operation by operation (formulas: layers/lstm.ts). The rest is in recurrence.ts. */
import { recurrentBounds, type Cell } from './recurrence.js';

const cell: Cell = {
  kind: 'lstm',
  forward: (by, z, cBefore) => {
    const [i, f, g, o] = [by.sigmoid(z[0]), by.sigmoid(z[1]), by.tanh(z[2]), by.sigmoid(z[3])];
    const c = by.plus(by.times(f, cBefore), by.times(i, g));
    return { z, a: [i, f, g, o], h: by.times(o, by.tanh(c)), c, cBefore };
  },
  backward: (by, { a: [i, f, g, o], c, cBefore }, dh, dcAfter) => {
    const shown = by.tanh(c);
    const dc = by.plus(dcAfter, by.times(dh, o, by.complement(by.times(shown, shown))));
    return {
      dz: [
        by.times(dc, g, i, by.complement(i)),
        by.times(dc, cBefore, f, by.complement(f)),
        by.times(dc, i, by.complement(by.times(g, g))),
        by.times(dh, shown, o, by.complement(o)),
      ],
      dc: by.times(dc, f),
    };
  },
};

export const lstm = recurrentBounds(() => cell);
