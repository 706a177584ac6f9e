/** The kernels that this thread computes with: each thread has a set, since each set has a memory. */
import { wasmKernels } from '../kernels/wasm/wasm.js';
import { compileModule } from '../wasm/module.js';

export const kernels = wasmKernels(compileModule('kernels'));
