import { cells, type Cell, type Kernels } from '../kernels.js';
import { NONE, type Memory } from './memory.js';

/** The numbers of the cells in assembly/cells.ts. */
const KIND: Readonly<Record<Cell, number>> = { tanh: 0, relu: 1, lstm: 2 };

/** As `Operands` of assembly/recurrence.ts reads them. */
const OPERANDS = [
  ...([
    'kind',
    'steps',
    'N',
    'I',
    'H',
    'R',
    'counts',
    'xs',
    'weightIh',
    'weightHh',
    'bias',
    'gates',
    'h',
    'c',
  ] as const),
  ...(['douts', 'dh', 'dc', 'dgates', 'dxs', 'dweightIh', 'dweightHh', 'dbias'] as const),
];
type Operands = Readonly<Partial<Record<(typeof OPERANDS)[number], number>>>;

function putOperands(memory: Memory, operands: Operands): number {
  return memory.put(Int32Array.from(OPERANDS, (name) => operands[name] ?? NONE));
}

export function recurrenceIn(memory: Memory): Pick<Kernels, 'recur' | 'recurBackward'> {
  return {
    recur(cell, { xs, weightIh, weightHh, biasIh, biasHh, counts }, pass, { T, N, I, H }) {
      const { h, c } = pass;
      const R = cells[cell].gates.length * H;
      const gates = 'gates' in pass ? pass.gates : undefined;
      const bias = biasIh && biasHh ? biasIh.map((value, r) => value + biasHh[r]) : (biasIh ?? biasHh);
      memory.scope(() => {
        const weights = {
          weightIh: memory.put(weightIh),
          weightHh: memory.put(weightHh),
          bias: memory.putIfGiven(bias),
        };
        const inputs = { xs: memory.put(xs), counts: memory.putIfGiven(counts), ...weights };
        const states = { h: memory.take(h.byteLength), c: memory.take(c.byteLength) };
        const results = { gates: gates ? memory.take(gates.byteLength) : NONE, ...states };
        memory.write(results.h, h.subarray(0, N * H));
        memory.write(results.c, c.subarray(0, N * H));
        memory.of(h).recur(putOperands(memory, { kind: KIND[cell], steps: T, N, I, H, R, ...inputs, ...results }));
        if (gates) memory.read(results.gates, gates);
        memory.read(results.h, h);
        memory.read(results.c, c);
      });
    },

    recurBackward(cell, { xs, weightIh, weightHh, counts }, pass, douts, gradients, { T, N, I, H }) {
      const { dh, dc, dxs, dweightIh, dweightHh, dbias } = gradients;
      const R = dbias.length;
      const sums = new Float64Array(R);
      memory.scope(() => {
        const inputs = { xs: memory.put(xs), counts: memory.putIfGiven(counts), douts: memory.putIfGiven(douts) };
        const weights = { weightIh: memory.put(weightIh), weightHh: memory.put(weightHh) };
        const states = { gates: memory.put(pass.gates), h: memory.put(pass.h), c: memory.put(pass.c) };
        const gates = { dh: memory.put(dh), dc: memory.put(dc), dgates: memory.take(pass.gates.byteLength) };
        const [atDxs, atDih, atDhh, atSums] = [dxs, dweightIh, dweightHh, sums].map((data) =>
          memory.take(data.byteLength),
        );
        const results = { dxs: atDxs, dweightIh: atDih, dweightHh: atDhh, dbias: atSums };
        const sizes = { kind: KIND[cell], steps: T, N, I, H, R };
        const operands = putOperands(memory, { ...sizes, ...inputs, ...weights, ...states, ...gates, ...results });
        memory.of(dh).recurBackward(operands);
        memory.of(dh).recurGradients(operands);
        memory.read(atDxs, dxs);
        memory.read(atDih, dweightIh);
        memory.read(atDhh, dweightHh);
        memory.read(atSums, sums);
        memory.read(gates.dh, dh);
        memory.read(gates.dc, dc);
      });
      dbias.set(sums);
    },
  };
}
