import type { Cell, Kernels } from '../kernels.js';
import type { Memory } from './memory.js';

/** As assembly/cells.ts numbers them. */
export const KIND: Readonly<Record<Cell, number>> = { tanh: 0, relu: 1, gated: 2 };

type CellKernels = Pick<Kernels, 'activate' | 'activateBackward' | 'lstmCell' | 'lstmCellBackward'>;

export function cellsIn(memory: Memory): CellKernels {
  return {
    activate(x, nonlinearity) {
      memory.scope(() => {
        const at = memory.put(x);
        memory.of(x).activate(at, x.length, KIND[nonlinearity]);
        memory.read(at, x);
      });
    },

    activateBackward(h, dh, nonlinearity, dz) {
      memory.scope(() => {
        const at = memory.put(dh);
        memory.of(h).activateBackward(memory.put(h), at, at, h.length, KIND[nonlinearity]);
        memory.read(at, dz);
      });
    },

    lstmCell(gates, cPrevious, c, h, { N, H }) {
      memory.scope(() => {
        const [atGates, past] = [memory.put(gates), memory.put(cPrevious)];
        const [atC, atH] = [memory.take(c.byteLength), memory.take(h.byteLength)];
        memory.of(h).lstmCell(atGates, past, atC, atH, N, H);
        memory.read(atGates, gates);
        memory.read(atC, c);
        memory.read(atH, h);
      });
    },

    lstmCellBackward({ gates, cPrevious, c }, dh, dc, dgates, { N, H }) {
      memory.scope(() => {
        const cell = [memory.put(gates), memory.put(cPrevious), memory.put(c)] as const;
        const [atDc, atDgates] = [memory.put(dc), memory.take(dgates.byteLength)];
        memory.of(dh).lstmCellBackward(...cell, memory.put(dh), atDc, atDgates, N, H);
        memory.read(atDc, dc);
        memory.read(atDgates, dgates);
      });
    },
  };
}
