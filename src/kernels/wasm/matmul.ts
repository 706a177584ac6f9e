import type { Kernels } from '../kernels.js';
import type { Memory } from './memory.js';

export const matmulIn =
  (memory: Memory): Kernels['matmul'] =>
  (a, b, c, { M, N, K, transposeA = false, transposeB = false, accumulate = false, bias }) => {
    memory.scope(() => {
      const product = accumulate ? memory.put(c) : memory.take(c.byteLength);
      const operands = [memory.put(a), memory.put(b), product, memory.putIfGiven(bias)] as const;
      memory.of(c).matmul(...operands, M, N, K, transposeA, transposeB, accumulate);
      memory.read(product, c);
    });
  };
