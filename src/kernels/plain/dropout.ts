import type { Kernels } from '../kernels.js';

/**
 * Philox4x32-10: Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3" (SC 2011). Counter
 * based: block i depends only on the seed and i, so a mask does not depend on how the work is split. The constants
 * are the paper's.
 */
const MULTIPLIER_0 = 0xd2511f53;
const MULTIPLIER_1 = 0xcd9e8d57;
const WEYL_0 = 0x9e3779b9;
const WEYL_1 = 0xbb67ae85;
const ROUNDS = 10;

/** The upper 32 bits of a 32 × 32 bit product, from 16-bit halves so that every step is exact. */
function multiplyHigh(a: number, b: number): number {
  const aLow = a & 0xffff;
  const aHigh = a >>> 16;
  const bLow = b & 0xffff;
  const bHigh = b >>> 16;
  const middle = aHigh * bLow + ((aLow * bLow) >>> 16);
  const carry = aLow * bHigh + (middle & 0xffff);
  return (aHigh * bHigh + (middle >>> 16) + (carry >>> 16)) >>> 0;
}

/** Four random 32-bit words for a 128-bit counter and a 64-bit key. */
export function philox(counter: readonly number[], key: readonly number[], words: Uint32Array): void {
  let [c0, c1, c2, c3] = counter;
  let [k0, k1] = key;
  for (let round = 0; round < ROUNDS; round++) {
    const high0 = multiplyHigh(MULTIPLIER_0, c0);
    const high1 = multiplyHigh(MULTIPLIER_1, c2);
    const low0 = Math.imul(MULTIPLIER_0, c0);
    const low1 = Math.imul(MULTIPLIER_1, c2);
    c0 = (high1 ^ c1 ^ k0) >>> 0;
    c1 = low1 >>> 0;
    c2 = (high0 ^ c3 ^ k1) >>> 0;
    c3 = low0 >>> 0;
    k0 = (k0 + WEYL_0) >>> 0;
    k1 = (k1 + WEYL_1) >>> 0;
  }
  words[0] = c0;
  words[1] = c1;
  words[2] = c2;
  words[3] = c3;
}

/**
 * Element i uses word i mod 4 of block i div 4, with the seed as key, and is kept if word >= rate * 2^32, so the rate
 * is exact to 2^-32. This is part of the HTTP API: a change here changes every client's masks.
 */
export const dropoutMask: Kernels['dropoutMask'] = (seed, rate, mask) => {
  const key = [seed >>> 0, Math.floor(seed / 2 ** 32)];
  const threshold = rate * 2 ** 32;
  const words = new Uint32Array(4);
  const counter = [0, 0, 0, 0];
  for (let block = 0, i = 0; i < mask.length; block++) {
    counter[0] = block >>> 0;
    counter[1] = Math.floor(block / 2 ** 32);
    philox(counter, key, words);
    for (let word = 0; word < 4 && i < mask.length; word++, i++) mask[i] = words[word] >= threshold ? 1 : 0;
  }
};

export const applyMask: Kernels['applyMask'] = (x, mask, divisor, out) => {
  for (let i = 0; i < x.length; i++) out[i] = mask[i] ? x[i] / divisor : 0;
};
