/** The cells: a step forward from its pre-activations and backward to their gradients, for N rows. */
import type { FloatArray } from '../../tensor/tensor.js';
import type { Cell } from '../kernels.js';

/** A step's arrays: `gates[N, R]`, and the states `[N, H]`; cell states are empty if the cell has none. */
export interface CellStep {
  readonly N: number;
  readonly H: number;
  readonly gates: FloatArray;
  readonly cBefore: FloatArray;
  readonly c: FloatArray;
}

interface CellFunctions {
  /** Turns the pre-activations in `gates` into activations; fills `c` and `h`. */
  forward(step: CellStep, h: FloatArray): void;
  /** Fills `dgates`, the gradient of the pre-activations; replaces the gradient of `c` in `dc` by that of `cBefore`. */
  backward(step: CellStep, dh: FloatArray, dc: FloatArray, dgates: FloatArray): void;
}

/** 1 / (1 + e^-x); e^-x overflows to infinity below −709, which correctly results in 0. */
function sigmoid(x: number): number {
  return 1 / (1 + Math.exp(-x));
}

const tanh: CellFunctions = {
  forward({ gates }, h) {
    for (let i = 0; i < gates.length; i++) h[i] = gates[i] = Math.tanh(gates[i]);
  },
  backward({ gates }, dh, _, dgates) {
    for (let i = 0; i < gates.length; i++) dgates[i] = dh[i] * (1 - gates[i] * gates[i]);
  },
};

const relu: CellFunctions = {
  forward({ gates }, h) {
    // Compared with <= rather than >, so that NaN stays NaN.
    for (let i = 0; i < gates.length; i++) h[i] = gates[i] = gates[i] <= 0 ? 0 : gates[i];
  },
  backward({ gates }, dh, _, dgates) {
    // As in PyTorch, the gradient passes where h is NaN.
    for (let i = 0; i < gates.length; i++) dgates[i] = gates[i] <= 0 ? 0 : dh[i];
  },
};

/** `c = f · cBefore + i · g`, `h = o · tanh(c)`. */
const lstm: CellFunctions = {
  forward({ N, H, gates, cBefore, c }, h) {
    for (let n = 0; n < N; n++)
      for (let j = 0; j < H; j++) {
        const at = n * 4 * H + j;
        const i = sigmoid(gates[at]);
        const f = sigmoid(gates[at + H]);
        const g = Math.tanh(gates[at + 2 * H]);
        const o = sigmoid(gates[at + 3 * H]);
        const cell = f * cBefore[n * H + j] + i * g;
        gates[at] = i;
        gates[at + H] = f;
        gates[at + 2 * H] = g;
        gates[at + 3 * H] = o;
        c[n * H + j] = cell;
        h[n * H + j] = o * Math.tanh(cell);
      }
  },
  backward({ N, H, gates, cBefore, c }, dh, dc, dgates) {
    for (let n = 0; n < N; n++)
      for (let j = 0; j < H; j++) {
        const at = n * 4 * H + j;
        const k = n * H + j;
        const [i, f, g, o] = [gates[at], gates[at + H], gates[at + 2 * H], gates[at + 3 * H]];
        const tanhC = Math.tanh(c[k]);
        const dcell = dc[k] + dh[k] * o * (1 - tanhC * tanhC);
        dgates[at] = dcell * g * i * (1 - i);
        dgates[at + H] = dcell * cBefore[k] * f * (1 - f);
        dgates[at + 2 * H] = dcell * i * (1 - g * g);
        dgates[at + 3 * H] = dh[k] * tanhC * o * (1 - o);
        dc[k] = dcell * f;
      }
  },
};

export const cellFunctions: Readonly<Record<Cell, CellFunctions>> = { tanh, relu, lstm };
