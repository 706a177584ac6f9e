import { randomInt } from 'node:crypto';

/** An integer from 0 to `largest`, all equally likely where `largest + 1` is a power of two over 2^32. */
export function drawInteger(largest: number): number {
  // randomInt stops at 2^48: larger bounds are met from two draws.
  const low = 2 ** 32;
  return randomInt(Math.floor(largest / low) + 1) * low + randomInt(low);
}
