import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { plain } from '../../src/kernels/plain/plain.js';
import { wasmKernels } from '../../src/kernels/wasm/wasm.js';
import { layers } from '../../src/layers/registry.js';
import { compileModule } from '../../src/platform/wasm-module.js';
import { acceptedPlan, configurations } from '../support/configurations.js';
import { atScale } from '../support/scale.js';

/** Fixed, so that a run can be repeated; fast-check prints it with the path to the failure. */
const RUNS = { seed: 20261124, numRuns: atScale({ all: 200, quick: 40 }) };

const inferring = layers.filter((layer) => 'infer' in layer);

describe.each([
  ['the plain kernels', plain],
  ['WebAssembly', wasmKernels(compileModule('kernels'))],
] as const)('infer on %s', (_, kernels) => {
  it.each(inferring.map((layer) => [layer.name, layer] as const))('of %s has the outputs of forward', (name, layer) => {
    const isForward = fc.property(configurations[name], (configuration) => {
      const plan = acceptedPlan(layer, configuration);
      const { outputs } = layer.forward(configuration.inputs, plan, kernels);
      expect(layer.infer?.(configuration.inputs, plan, kernels)).toEqual(outputs);
    });
    fc.assert(isForward, RUNS);
  });
});

it('at least one layer has infer', () => {
  expect(inferring.length).toBeGreaterThan(0);
});
