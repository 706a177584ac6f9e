import { describe, expect, it } from 'vitest';
import { bodyOf, computation, layerNames } from '../support/compute.js';
import { expectClose, referenceCases, TOLERANCE } from '../support/reference.js';

const CONFIGURATIONS_A_LAYER = 30;

describe.each(layerNames)('%s agrees with PyTorch', (name) => {
  const cases = referenceCases(name);

  it(`on ${CONFIGURATIONS_A_LAYER} or more configurations, in both dtypes`, () => {
    const configurations = new Set(cases.map((given) => given.name));
    expect(configurations.size).toBeGreaterThanOrEqual(CONFIGURATIONS_A_LAYER);
    expect(new Set(cases.map(({ dtype }) => dtype))).toEqual(new Set(['float64', 'float32']));
  });

  it.each(cases)('$dtype: $name', async ({ dtype, forward, backward, answers, gradients }) => {
    const layer = computation(name);
    const answer = await layer.forward(bodyOf({ ...forward, dtype }));
    expectClose(answer, answers, TOLERANCE[dtype]);
    const computed = await layer.backward(bodyOf({ session: answer.session, ...backward }));
    expect(Object.keys(computed).sort()).toEqual(Object.keys(gradients).sort());
    expectClose(computed, gradients, TOLERANCE[dtype]);
  });
});
