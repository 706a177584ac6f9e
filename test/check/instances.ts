/** Random instances of a layer, with an upstream gradient for each output that has one. */
import fc from 'fast-check';
import { rightAnswers } from '../../src/check/answers.js';
import type { Instance, Tensors } from '../../src/layers/instance.js';
import type { Checks } from '../../src/check/definition.js';
import { applyDefaults } from '../../src/validation/validate.js';
import { plain } from '../../src/kernels/plain/plain.js';
import { isFloats, type Tensor } from '../../src/tensor/tensor.js';
import { acceptedPlan, configurations, type Configuration } from '../support/configurations.js';
import { randomNumbers } from '../support/random.js';

export function instanceFrom(checks: Checks, { inputs, options, upstream, seed }: Configuration): Instance {
  const plan = acceptedPlan(checks.layer, { inputs, options });
  const complete: Record<string, unknown> = { ...options };
  applyDefaults(checks.layer.schemas.options, complete);
  const numbers = randomNumbers(seed + 1);
  const douts = upstream.map((name) => [`d${name}`, numbers.tensor(plan.outputs[name])] as const);
  return { inputs, options: complete, upstream: Object.fromEntries(douts), drawn: {} };
}

/** Maps floats with `of`; integers are unchanged. */
export const mapped = (tensors: Tensors, of: (data: Tensor['data']) => Tensor['data']): Tensors =>
  Object.fromEntries(
    Object.entries(tensors).map(([name, { shape, data }]) => [name, { shape, data: isFloats(data) ? of(data) : data }]),
  );

export const toFloat32 = (instance: Instance): Instance => ({
  ...instance,
  inputs: mapped(instance.inputs, (data) => Float32Array.from(data)),
  upstream: mapped(instance.upstream, (data) => Float32Array.from(data)),
});

export const widened = (tensors: Tensors) => mapped(tensors, (data) => Float64Array.from(data));

/** An instance rounded to float32, in float64. */
export function narrowed(instance: Instance): Instance {
  const { inputs, upstream } = toFloat32(instance);
  return { ...instance, inputs: widened(inputs), upstream: widened(upstream) };
}

export const answersOf = (checks: Checks, instance: Instance): Tensors => rightAnswers(checks, instance, plain);

/** The same instances in every run. */
export function eachInstance(checks: Checks, count: number, visit: (instance: Instance, i: number) => void): void {
  let i = 0;
  fc.assert(
    fc.property(configurations[checks.layer.name], (configuration) => {
      visit(instanceFrom(checks, configuration), i++);
    }),
    { numRuns: count, seed: 11 },
  );
}
