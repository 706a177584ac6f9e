import { floatArray, dtypeOf, type FloatArray } from '../../tensor/tensor.js';
import { cells, type Kernels, type RecurrenceShape, type States } from '../kernels.js';
import { cellFunctions } from './cells.js';
import { addPerChannel, sumPerChannel } from './channels.js';
import { matmul } from './matmul.js';

/** One step: its number of sequences, its first row, and the first row of the states before it. */
interface Step {
  readonly count: number;
  readonly first: number;
  readonly before: number;
}

/** States start with N initial rows, so the states after a step are N rows after the rows of the step. */
function stepsOf(counts: Int32Array | undefined, { T, N }: RecurrenceShape): Step[] {
  const steps: Step[] = [];
  for (let s = 0, first = 0, before = 0; s < T; s++) {
    const count = counts ? counts[s] : N;
    steps.push({ count, first, before });
    before = N + first;
    first += count;
  }
  return steps;
}

function rows(data: FloatArray, first: number, count: number, width: number): FloatArray {
  return data.subarray(first * width, (first + count) * width);
}

function cellStates({ c }: States, { count, first, before }: Step, { N, H }: RecurrenceShape) {
  return { cBefore: rows(c, before, count, H), c: rows(c, N + first, count, H) };
}

export const recur: Kernels['recur'] = (cell, inputs, pass, shape) => {
  const { xs, weightIh, weightHh, biasIh, biasHh, counts } = inputs;
  const { N, I, H } = shape;
  const R = cells[cell].gates.length * H;
  const S = xs.length / I;
  const allGates = 'gates' in pass ? pass.gates : floatArray(dtypeOf(xs), S * R);
  matmul(xs, weightIh, allGates, { M: S, N: R, K: I, transposeB: true });
  for (const bias of [biasIh, biasHh]) if (bias) addPerChannel(allGates, bias, { N: S, C: R, S: 1 });
  for (const { count, first, before } of stepsOf(counts, shape)) {
    const gates = rows(allGates, first, count, R);
    const h = rows(pass.h, N + first, count, H);
    matmul(rows(pass.h, before, count, H), weightHh, gates, {
      M: count,
      N: R,
      K: H,
      transposeB: true,
      accumulate: true,
    });
    cellFunctions[cell].forward({ N: count, H, gates, ...cellStates(pass, { count, first, before }, shape) }, h);
  }
};

export const recurBackward: Kernels['recurBackward'] = (cell, inputs, pass, douts, gradients, shape) => {
  const { xs, weightIh, weightHh, counts } = inputs;
  const { I, H } = shape;
  const R = cells[cell].gates.length * H;
  const S = xs.length / I;
  const dtype = dtypeOf(gradients.dh);
  const dgates = floatArray(dtype, S * R);
  const hBefore = floatArray(dtype, S * H);
  for (const { count, first, before } of stepsOf(counts, shape).reverse()) {
    const [dh, dc] = [rows(gradients.dh, 0, count, H), rows(gradients.dc, 0, count, H)];
    if (douts) for (let i = 0; i < count * H; i++) dh[i] += douts[first * H + i];
    const [gates, dgatesOfStep] = [rows(pass.gates, first, count, R), rows(dgates, first, count, R)];
    const step = { N: count, H, gates, ...cellStates(pass, { count, first, before }, shape) };
    cellFunctions[cell].backward(step, dh, dc, dgatesOfStep);
    matmul(dgatesOfStep, weightHh, dh, { M: count, N: H, K: R });
    hBefore.set(rows(pass.h, before, count, H), first * H);
  }
  const ofWeight = { M: R, K: S, transposeA: true };
  matmul(dgates, xs, gradients.dweightIh, { ...ofWeight, N: I });
  matmul(dgates, hBefore, gradients.dweightHh, { ...ofWeight, N: H });
  sumPerChannel(dgates, gradients.dbias, { N: S, C: R, S: 1 });
  matmul(dgates, weightIh, gradients.dxs, { M: S, N: I, K: R });
};
