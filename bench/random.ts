/** The same numbers in every run. */
import { floatArray, sizeOf, tensor, type FloatDtype, type FloatTensor, type Shape } from '../src/tensor/tensor.js';

/** 32 random bits a call: mulberry32, by Tommy Ettinger. */
export function bits(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return (t ^ (t >>> 14)) >>> 0;
  };
}

/** In [-1, 1), of 53 random bits, so that most have 16 or 17 digits. */
export function doubles(seed: number): () => number {
  const next = bits(seed);
  return () => (next() * 2 ** 21 + (next() >>> 11)) / 2 ** 52 - 1;
}

/** Between -scale and scale. */
export function randomTensor(dtype: FloatDtype, shape: Shape, seed: number, scale = 1): FloatTensor {
  const next = doubles(seed);
  const data = floatArray(dtype, sizeOf(shape));
  for (let i = 0; i < data.length; i++) data[i] = next() * scale;
  return tensor(shape, data);
}
