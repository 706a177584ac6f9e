import type { Kernels } from '../kernels.js';
import type { Memory } from './memory.js';

/** Elements per piece, which fits in the first two levels of cache; a multiple of 32, as `dropoutMask` requires. */
const PIECE = 2 ** 15;

export function dropoutIn(memory: Memory): Pick<Kernels, 'dropoutMask' | 'applyMask'> {
  return {
    dropoutMask(seed, rate, mask) {
      // Words are integers, so the ceiling is equivalent. If it is 2^32, no word reaches it.
      const threshold = Math.ceil(rate * 2 ** 32);
      if (threshold >= 2 ** 32) {
        mask.fill(0);
        return;
      }
      memory.scope(() => {
        const piece = memory.take(PIECE);
        for (let start = 0; start < mask.length; start += PIECE) {
          const part = mask.subarray(start, start + PIECE);
          memory.shared.dropoutMask(seed, Math.floor(seed / 2 ** 32), threshold, start, piece, part.length);
          memory.read(piece, part);
        }
      });
    },

    applyMask(x, mask, divisor, out) {
      const functions = memory.of(x);
      memory.scope(() => {
        const [values, kept] = [memory.take(PIECE * x.BYTES_PER_ELEMENT), memory.take(PIECE)];
        for (let start = 0; start < x.length; start += PIECE) {
          const part = x.subarray(start, start + PIECE);
          memory.write(values, part);
          memory.write(kept, mask.subarray(start, start + PIECE));
          functions.applyMask(values, kept, divisor, part.length);
          memory.read(values, out.subarray(start, start + PIECE));
        }
      });
    },
  };
}
