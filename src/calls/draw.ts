import { randomInt } from 'node:crypto';

/** A uniformly random integer from 0 to `largest`, where `largest + 1` must be a multiple of 2^32. */
export function drawInteger(largest: number): number {
  // randomInt is limited to 2^48, so larger integers take two draws.
  const low = 2 ** 32;
  return randomInt(Math.floor(largest / low) + 1) * low + randomInt(low);
}
