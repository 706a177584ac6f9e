import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { expect, it } from 'vitest';
import { bestBuild, compileModule } from '../../src/platform/wasm-module.js';

it('compiles a build of a module once', () => {
  expect(compileModule('kernels')).toBe(compileModule('kernels'));
  expect(compileModule('json', 'simd')).not.toBe(compileModule('kernels', 'simd'));
});

// V8's flags are process-wide: a thread that compiled would change them while another thread compiles.
it('gives threads the module that the main thread compiled', async () => {
  compileModule('kernels');
  const exported = `
    const { getEnvironmentData, parentPort } = require('node:worker_threads');
    const { exports } = new WebAssembly.Instance(getEnvironmentData('kernels.best.wasm'));
    parentPort.postMessage(Object.keys(exports));
  `;
  const worker = new Worker(exported, { eval: true });
  try {
    const [names] = (await once(worker, 'message')) as [string[]];
    expect(names).toEqual(Object.keys(new WebAssembly.Instance(compileModule('kernels')).exports));
  } finally {
    await worker.terminate();
  }
});

it('uses the build with fused multiply-add if the runtime supports it', () => {
  expect(bestBuild('kernels')).toBe('relaxed');
});
