import { describe } from 'vitest';
import { wasmKernels } from '../../src/kernels/wasm/wasm.js';
import { bestBuild, compileModule } from '../../src/wasm/module.js';
import { kernelSuite } from './suite.js';

describe('the kernels in WebAssembly SIMD, without fused multiply-add', () => {
  kernelSuite(wasmKernels(compileModule('kernels', 'simd')));
});

// A runtime that does not take the other build has one test fewer: the suite above is all that it can run.
if (bestBuild('kernels') === 'relaxed')
  describe('the kernels in WebAssembly SIMD, with fused multiply-add', () => {
    kernelSuite(wasmKernels(compileModule('kernels', 'relaxed')));
  });
