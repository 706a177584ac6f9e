import type { Kernels } from '../kernels.js';
import { matmul as plainMatmul } from '../plain/matmul.js';
import type { Memory } from './memory.js';

/** Multiplications up to which copying and packing cost more than they save. */
const SMALL = 1000;

export const matmulIn =
  (memory: Memory): Kernels['matmul'] =>
  (a, b, c, shape) => {
    const { M, N, K, transposeA = false, transposeB = false, accumulate = false, bias } = shape;
    if (M * N * K <= SMALL) {
      plainMatmul(a, b, c, shape);
      return;
    }
    memory.scope(() => {
      const product = accumulate ? memory.put(c) : memory.take(c.byteLength);
      const operands = [memory.put(a), memory.put(b), product, memory.putIfGiven(bias)] as const;
      memory.of(c).matmul(...operands, M, N, K, transposeA, transposeB, accumulate);
      memory.read(product, c);
    });
  };
