/** The kernels in WebAssembly SIMD; assembly/ has the loops. */
import type { Kernels } from '../kernels.js';
import { channelsIn } from './channels.js';
import { convolutionIn } from './convolution.js';
import { dropoutIn } from './dropout.js';
import { poolingIn } from './pooling.js';
import { matmulIn } from './matmul.js';
import { Memory } from './memory.js';
import { recurrenceIn } from './recurrence.js';

/** Kernels with a separate memory, so one set serves one thread. `module` is compiled from ./assembly. */
export function wasmKernels(module: WebAssembly.Module): Kernels {
  const memory = new Memory(module);
  return {
    matmul: matmulIn(memory),
    ...channelsIn(memory),
    ...convolutionIn(memory),
    ...poolingIn(memory),
    ...dropoutIn(memory),
    ...recurrenceIn(memory),
  };
}
