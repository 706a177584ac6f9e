import type { Cell, Kernels } from '../kernels.js';
import { NONE, type Memory } from './memory.js';

/** As assembly/cells.ts numbers them. */
const KIND: Readonly<Record<Cell, number>> = { tanh: 0, relu: 1, gated: 2 };

export function recurrenceIn(memory: Memory): Pick<Kernels, 'recur' | 'recurBackward'> {
  return {
    recur(cell, { xs, weightIh, weightHh, biasIh, biasHh, lengths }, pass, { T, N, I, H }) {
      const { h, c } = pass;
      const gates = 'gates' in pass ? pass.gates : undefined;
      const bias = biasIh && biasHh ? biasIh.map((value, r) => value + biasHh[r]) : (biasIh ?? biasHh);
      memory.scope(() => {
        const operands = [memory.put(xs), memory.put(weightIh), memory.put(weightHh), memory.putIfGiven(bias)] as const;
        const ends = memory.putIfGiven(lengths);
        const atGates = gates ? memory.take(gates.byteLength) : NONE;
        const [atH, atC] = [h, c].map(({ byteLength }) => memory.take(byteLength));
        memory.write(atH, h.subarray(0, N * H));
        memory.write(atC, c.subarray(0, N * H));
        memory.of(h).recur(KIND[cell], ...operands, ends, atGates, atH, atC, T, N, I, H);
        if (gates) memory.read(atGates, gates);
        memory.read(atH, h);
        memory.read(atC, c);
      });
    },

    recurBackward(cell, { xs, weightIh, weightHh, lengths }, pass, douts, gradients, { T, N, I, H }) {
      const { dh, dc, dxs, dweightIh, dweightHh, dbias } = gradients;
      const R = dbias.length;
      const sums = new Float64Array(R);
      const functions = memory.of(dh);
      memory.scope(() => {
        const [atXs, atWeightIh, atWeightHh] = [xs, weightIh, weightHh].map((data) => memory.put(data));
        const [atGates, atH, atC, atDh, atDc] = [pass.gates, pass.h, pass.c, dh, dc].map((data) => memory.put(data));
        const [ends, given] = [memory.putIfGiven(lengths), memory.putIfGiven(douts)];
        const atDgates = memory.take(pass.gates.byteLength);
        const past = [atGates, atH, atC] as const;
        functions.recurBackward(KIND[cell], atWeightHh, ends, ...past, given, atDh, atDc, atDgates, T, N, H);
        const results = [dxs, dweightIh, dweightHh, sums] as const;
        const [atDxs, atDih, atDhh, atSums] = results.map(({ byteLength }) => memory.take(byteLength));
        functions.recurGradients(atXs, atH, atWeightIh, atDgates, atDxs, atDih, atDhh, atSums, T * N, I, H, R);
        [atDxs, atDih, atDhh, atSums].forEach((address, i) => {
          memory.read(address, results[i]);
        });
        memory.read(atDh, dh);
        memory.read(atDc, dc);
      });
      dbias.set(sums);
    },
  };
}
