/** What becomes of a step's pre-activations. */
import type { FloatArray } from '../../tensor/tensor.js';
import type { Nonlinearity } from '../kernels.js';

interface CellShape {
  readonly N: number;
  readonly H: number;
}

/** 1 / (1 + e^-x); e^-x overflows to infinity below −709, which gives the right 0. */
function sigmoid(x: number): number {
  return 1 / (1 + Math.exp(-x));
}

/** In place: tanh, or max(0, ·). */
export function activate(x: FloatArray, nonlinearity: Nonlinearity): void {
  if (nonlinearity === 'tanh') for (let i = 0; i < x.length; i++) x[i] = Math.tanh(x[i]);
  // A comparison, since NaN must stay NaN.
  else for (let i = 0; i < x.length; i++) if (x[i] <= 0) x[i] = 0;
}

/** `dz = dh * f'`, with f' from the activation's value `h`. */
export function activateBackward(h: FloatArray, dh: FloatArray, nonlinearity: Nonlinearity, dz: FloatArray): void {
  if (nonlinearity === 'tanh') for (let i = 0; i < h.length; i++) dz[i] = dh[i] * (1 - h[i] * h[i]);
  // As in PyTorch the gradient passes where h is NaN.
  else for (let i = 0; i < h.length; i++) dz[i] = h[i] <= 0 ? 0 : dh[i];
}

/**
 * One lstm step for N rows. `gates[N, 4H]` (input, forget, cell, output) holds pre-activations and is replaced by
 * the activations; `c = f * cPrevious + i * g`, `h = o * tanh(c)`.
 */
export function lstmCell(
  gates: FloatArray,
  cPrevious: FloatArray,
  c: FloatArray,
  h: FloatArray,
  { N, H }: CellShape,
): void {
  for (let n = 0; n < N; n++)
    for (let j = 0; j < H; j++) {
      const at = n * 4 * H + j;
      const i = sigmoid(gates[at]);
      const f = sigmoid(gates[at + H]);
      const g = Math.tanh(gates[at + 2 * H]);
      const o = sigmoid(gates[at + 3 * H]);
      const cell = f * cPrevious[n * H + j] + i * g;
      gates[at] = i;
      gates[at + H] = f;
      gates[at + 2 * H] = g;
      gates[at + 3 * H] = o;
      c[n * H + j] = cell;
      h[n * H + j] = o * Math.tanh(cell);
    }
}

/** `dgates` (of the pre-activations) and, in place, `dc` from the gradient of `c` to that of `cPrevious`. */
export function lstmCellBackward(
  { gates, cPrevious, c }: { gates: FloatArray; cPrevious: FloatArray; c: FloatArray },
  dh: FloatArray,
  dc: FloatArray,
  dgates: FloatArray,
  { N, H }: CellShape,
): void {
  for (let n = 0; n < N; n++)
    for (let j = 0; j < H; j++) {
      const at = n * 4 * H + j;
      const k = n * H + j;
      const [i, f, g, o] = [gates[at], gates[at + H], gates[at + 2 * H], gates[at + 3 * H]];
      const tanhC = Math.tanh(c[k]);
      const dcell = dc[k] + dh[k] * o * (1 - tanhC * tanhC);
      dgates[at] = dcell * g * i * (1 - i);
      dgates[at + H] = dcell * cPrevious[k] * f * (1 - f);
      dgates[at + 2 * H] = dcell * i * (1 - g * g);
      dgates[at + 3 * H] = dh[k] * tanhC * o * (1 - o);
      dc[k] = dcell * f;
    }
}
