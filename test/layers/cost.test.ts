import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { plain } from '../../src/kernels/plain/plain.js';
import { convolution } from '../../src/layers/convolution.js';
import { layers } from '../../src/layers/registry.js';
import { zeros, type Tensor } from '../../src/tensor/tensor.js';
import { acceptedPlan, configurations } from '../support/configurations.js';
import { atScale } from '../support/scale.js';

/** Fixed, so that a run can be repeated; fast-check prints it with the path to the failure. */
const RUNS = { seed: 20261122, numRuns: atScale({ all: 200, quick: 40 }) };

function bytesOf(fields: object): number {
  const tensors = Object.values(fields).filter((field): field is Tensor => typeof field === 'object');
  return tensors.reduce((sum, { data }) => sum + data.byteLength, 0);
}

describe('the planned cost', () => {
  it.each(layers.map((layer) => [layer.name, layer] as const))('of %s covers its results', (name, layer) => {
    const coversAnswers = fc.property(configurations[name], (configuration) => {
      const { inputs, upstream } = configuration;
      const plan = acceptedPlan(layer, configuration);
      const { outputs, cache } = layer.forward(inputs, plan, plain);
      expect(plan.cost.forward.bytes).toBeGreaterThanOrEqual(bytesOf(outputs));
      const douts = upstream.map((output) => [`d${output}`, zeros('float64', plan.outputs[output])] as const);
      const gradients = layer.backward(cache, plan, Object.fromEntries(douts), plain);
      expect(plan.cost.backward.bytes).toBeGreaterThanOrEqual(bytesOf(gradients));
      expect(plan.cost.forward.operations).toBeGreaterThan(0);
      expect(plan.cost.backward.operations).toBeGreaterThan(0);
    });
    fc.assert(coversAnswers, RUNS);
  });

  it('is known before anything of that size is allocated', () => {
    const x = zeros('float64', [1, 1, 1]);
    const most = 2 ** 31 - 1;
    const ofConvolution = { stride: 1, padding: 0, dilation: 1, groups: 1, transposed: false, output_padding: 0 };
    const wide = convolution.plan({ x, weight: x }, { ...ofConvolution, padding: most });
    expect(wide.outputs.out).toEqual([1, 1, 2 * most + 1]);
    expect(wide.cost.forward.bytes).toBeGreaterThanOrEqual(8 * (2 * most + 1));
    const spread = { ...ofConvolution, transposed: true, stride: most, output_padding: most - 1 };
    expect(convolution.plan({ x, weight: x }, spread).cost.forward.bytes).toBeGreaterThanOrEqual(8 * most);
  });
});
