/** Tensors as other languages print them, read back. */
import type { Tensors } from '../../src/layers/instance.js';
import { mapped } from './instances.js';

type Print = (values: readonly number[]) => readonly string[];

const each =
  (print: (value: number) => string): Print =>
  (values) =>
    values.map(print);

/** Both libraries switch to scientific notation according to the extremes of the whole array. */
function extremes(values: readonly number[]): { largest: number; isWide: boolean } {
  const magnitudes = values.map(Math.abs).filter((value) => value > 0 && Number.isFinite(value));
  const [largest, least] = [Math.max(0, ...magnitudes), Math.min(Infinity, ...magnitudes)];
  return { largest, isWide: largest >= 1e8 || least < 1e-4 || largest / least > 1000 };
}

const library =
  (decimals: number): Print =>
  (values) =>
    values.map((value) => (extremes(values).isWide ? value.toExponential(decimals) : value.toFixed(decimals)));

/** NumPy prints 8 decimals (numpy.set_printoptions), PyTorch 4 (torch.set_printoptions). */
export const prints: Readonly<Record<string, Print>> = {
  '%.4e': each((value) => value.toExponential(4)),
  '%.6g': each((value) => value.toPrecision(6)),
  '%.4f': each((value) => value.toFixed(4)),
  'NumPy’s default': library(8),
  'PyTorch’s default': library(4),
};

export const printed = (tensors: Tensors, print: Print): Tensors =>
  mapped(tensors, (data) => Float64Array.from(print(Array.from(data)), Number));

/** Whether a print with this many decimals leaves at least three digits of the largest value. */
export const isTold = (data: ArrayLike<number>): boolean =>
  extremes(Array.from(data)).largest >= 0.0995 || Array.from(data).every((value) => value === 0);
