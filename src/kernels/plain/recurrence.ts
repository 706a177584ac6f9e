import { floatArray, floatDtypeOf, type FloatArray } from '../../tensor/tensor.js';
import type { Kernels } from '../kernels.js';
import { activate, activateBackward, lstmCell, lstmCellBackward } from './cells.js';
import { addPerChannel, sumPerChannel } from './channels.js';
import { matmul } from './matmul.js';

/** Block `index` of an array made of equal ones. */
function block(data: FloatArray, index: number, size: number): FloatArray {
  return data.subarray(index * size, (index + 1) * size);
}

/** Copies rows of H from `from` to `to` for the sequences that have ended before step `s`. */
function carryEnded(lengths: Int32Array | undefined, s: number, H: number, from: FloatArray, to: FloatArray): void {
  lengths?.forEach((length, n) => {
    if (s >= length) to.set(from.subarray(n * H, (n + 1) * H), n * H);
  });
}

export const recur: Kernels['recur'] = (cell, inputs, pass, { T, N, I, H }) => {
  const { xs, weightIh, weightHh, biasIh, biasHh, lengths } = inputs;
  const R = cell === 'gated' ? 4 * H : H;
  const allGates = 'gates' in pass ? pass.gates : floatArray(floatDtypeOf(xs), T * N * R);
  matmul(xs, weightIh, allGates, { M: T * N, N: R, K: I, transposeB: true });
  for (const bias of [biasIh, biasHh]) if (bias) addPerChannel(allGates, bias, { N: T * N, C: R, S: 1 });
  for (let s = 0; s < T; s++) {
    const gates = block(allGates, s, N * R);
    const [hPrevious, h] = [block(pass.h, s, N * H), block(pass.h, s + 1, N * H)];
    const [cPrevious, c] = [block(pass.c, s, N * H), block(pass.c, s + 1, N * H)];
    matmul(hPrevious, weightHh, gates, { M: N, N: R, K: H, transposeB: true, accumulate: true });
    if (cell === 'gated') lstmCell(gates, cPrevious, c, h, { N, H });
    else {
      activate(gates, cell);
      h.set(gates);
    }
    carryEnded(lengths, s, H, hPrevious, h);
    if (cell === 'gated') carryEnded(lengths, s, H, cPrevious, c);
  }
};

export const recurBackward: Kernels['recurBackward'] = (cell, inputs, pass, douts, gradients, { T, N, I, H }) => {
  const { xs, weightIh, weightHh, lengths } = inputs;
  const { dh, dc } = gradients;
  const R = cell === 'gated' ? 4 * H : H;
  const dtype = floatDtypeOf(dh);
  const dgates = floatArray(dtype, T * N * R);
  const dhBefore = floatArray(dtype, N * H);
  const dcAfter = floatArray(dtype, dc.length);
  for (let s = T - 1; s >= 0; s--) {
    if (douts) for (let i = 0, at = s * N * H; i < N * H; i++) dh[i] += douts[at + i];
    const [gates, dgatesOfStep] = [block(pass.gates, s, N * R), block(dgates, s, N * R)];
    dcAfter.set(dc);
    if (cell === 'gated') {
      const [cPrevious, c] = [block(pass.c, s, N * H), block(pass.c, s + 1, N * H)];
      lstmCellBackward({ gates, cPrevious, c }, dh, dc, dgatesOfStep, { N, H });
    } else activateBackward(gates, dh, cell, dgatesOfStep);
    lengths?.forEach((length, n) => {
      if (s >= length) dgatesOfStep.fill(0, n * R, (n + 1) * R);
    });
    matmul(dgatesOfStep, weightHh, dhBefore, { M: N, N: H, K: R });
    carryEnded(lengths, s, H, dh, dhBefore);
    if (cell === 'gated') carryEnded(lengths, s, H, dcAfter, dc);
    dh.set(dhBefore);
  }
  const ofWeight = { M: R, K: T * N, transposeA: true };
  matmul(dgates, xs, gradients.dweightIh, { ...ofWeight, N: I });
  // The states before each step: the last is beyond K and so left out.
  matmul(dgates, pass.h, gradients.dweightHh, { ...ofWeight, N: H });
  sumPerChannel(dgates, gradients.dbias, { N: T * N, C: R, S: 1 });
  matmul(dgates, weightIh, gradients.dxs, { M: T * N, N: I, K: R });
};
