import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { layers } from '../../src/layers/registry.js';
import { configurations } from '../support/configurations.js';
import { expectGradients } from '../support/gradients.js';
import { atScale } from '../support/scale.js';

const CONFIGURATIONS_A_LAYER = atScale({ all: 300, quick: 30 });
/** Fixed, so that a run can be repeated; if a gradient is wrong, fast-check prints it with the path to the case. */
const SEED = 20261122;

describe(`the gradients equal central differences on ${CONFIGURATIONS_A_LAYER} random configurations`, () => {
  it.each(layers.map((layer) => [layer.name, layer] as const))('of %s', (name, layer) => {
    expect(Object.keys(configurations)).toContain(name);
    const equalDifferences = fc.property(configurations[name], (configuration) => {
      expectGradients(layer, configuration);
    });
    fc.assert(equalDifferences, { seed: SEED, numRuns: CONFIGURATIONS_A_LAYER });
  });
});
