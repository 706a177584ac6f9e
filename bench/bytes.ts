/**
 * The bytes that a session occupies, and the bytes that a training step transfers (forward, then backward with the
 * session). Nothing is estimated: the layers compute, and the bytes that they keep and of all bodies are counted.
 */
import { codecs, type MediaType } from '../src/codec/codecs.js';
import type { Fields } from '../src/codec/fields.js';
import { sharedCopies } from '../src/tensor/shared.js';
import { kernels } from '../src/runtime/kernels.js';
import type { Case } from './cases.js';
import { prepare } from './kernels.js';

/** A token has 32 characters. */
const TOKEN = 'x'.repeat(32);

export interface Bytes {
  /** The tensors that forward keeps for backward. */
  readonly session: number;
  /** All four bodies of a step. */
  readonly http: Readonly<Record<MediaType, number>>;
}

export function bytesOfStep(given: Case, dtype: 'float32' | 'float64'): Bytes {
  const { inputs, dout, forward, backward } = prepare(given, dtype);
  const { outputs, cache } = forward(kernels);
  const tensors = sharedCopies(cache);
  const answer: Fields = { ...outputs, session: TOKEN };
  const bodies: Fields[] = [
    { ...inputs, ...(given.options as Fields), ...(dtype === 'float32' ? { dtype } : {}) },
    answer,
    { session: TOKEN, dout, release: true },
  ];
  const measure = (fields: Fields, type: MediaType) =>
    codecs[type].encode(fields).reduce((sum, { byteLength }) => sum + byteLength, 0);
  const types = Object.keys(codecs) as MediaType[];
  const http = Object.fromEntries(types.map((type) => [type, 0])) as Record<MediaType, number>;
  for (const fields of bodies) for (const type of types) http[type] += measure(fields, type);
  const gradients = backward(tensors, kernels) as Fields;
  for (const type of types) http[type] += measure(gradients, type);
  return { session: Object.values(tensors).reduce((sum, { data }) => sum + data.byteLength, 0), http };
}

/** Three significant digits, in the most readable unit. */
export function formatBytes(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`;
  const power = bytes < 1e6 ? 1 : 2;
  const value = bytes / 1000 ** power;
  const digits = value < 10 ? 2 : value < 100 ? 1 : 0;
  return `${value.toFixed(digits)} ${['', 'kB', 'MB'][power]}`;
}
