import { describe } from 'vitest';
import { wasmKernels } from '../../src/kernels/wasm/wasm.js';
import { bestBuild, compileModule } from '../../src/platform/wasm-module.js';
import { kernelSuite } from './suite.js';

describe('the kernels in WebAssembly SIMD, without fused multiply-add', () => {
  kernelSuite(wasmKernels(compileModule('kernels', 'simd')));
});

// If the runtime does not support the other build, only the suite above runs.
if (bestBuild('kernels') === 'relaxed')
  describe('the kernels in WebAssembly SIMD, with fused multiply-add', () => {
    kernelSuite(wasmKernels(compileModule('kernels', 'relaxed')));
  });
