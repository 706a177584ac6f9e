/**
 * Random calls of each layer that cover all options, small enough for a numerical gradient of every element. Some are
 * invalid (such as a kernel larger than its input): the layer refuses those, and they are skipped.
 */
import fc, { type Arbitrary } from 'fast-check';
import { applyDefaults } from '../../src/validation/validate.js';
import { plain } from '../../src/kernels/plain/plain.js';
import type { Layer, Plan } from '../../src/layers/definition.js';
import { Refusal } from '../../src/refusal.js';
import { samples } from '../layers/samples.js';
import type { Configuration } from './arbitraries.js';

export type { Configuration };

/** By layer name. */
export const configurations: Readonly<Record<string, Arbitrary<Configuration>>> = Object.fromEntries(
  Object.entries(samples).map(([name, { configuration }]) => [name, configuration]),
);

/** The plan of a call. If the layer refuses the call, the property skips it. */
export function acceptedPlan(layer: Layer, { inputs, options }: Pick<Configuration, 'inputs' | 'options'>): Plan {
  const complete = { ...options };
  applyDefaults(layer.schemas.options, complete);
  try {
    const plan = layer.plan(inputs, complete);
    layer.forward(inputs, plan, plain);
    return plan;
  } catch (error) {
    fc.pre(!(error instanceof Refusal));
    throw error;
  }
}
