/** The kernels of this thread. Threads cannot share them, because they compute in one WebAssembly memory. */
import { wasmKernels } from '../kernels/wasm/wasm.js';
import { compileModule } from '../platform/wasm-module.js';

export const kernels = wasmKernels(compileModule('kernels'));
