import { describe, expect, it } from 'vitest';
import { wasmKernels } from '../../src/kernels/wasm/wasm.js';
import { bestBuild, compileModule } from '../../src/wasm/module.js';
import { bodyOf, computation, layerNames } from '../support/compute.js';
import { expectClose, referenceCases, TOLERANCE } from '../support/reference.js';

// Once more over these kernels: the layers' references have shapes and options that no suite of one kernel has.
describe.each([...new Set(['simd', bestBuild('kernels')] as const)])('over WebAssembly kernels, build %s', (build) => {
  const kernels = wasmKernels(compileModule('kernels', build));

  describe.each(layerNames)('%s agrees with PyTorch', (name) => {
    it.each(referenceCases(name))('$dtype: $name', async ({ dtype, forward, backward, answers, gradients }) => {
      const layer = computation(name, kernels);
      const answer = await layer.forward(bodyOf({ ...forward, dtype }));
      expectClose(answer, answers, TOLERANCE[dtype]);
      const computed = await layer.backward(bodyOf({ session: answer.session, ...backward }));
      expect(Object.keys(computed).sort()).toEqual(Object.keys(gradients).sort());
      expectClose(computed, gradients, TOLERANCE[dtype]);
    });
  });
});
