/** For every layer, tensor and dtype, rounding errors pass, and errors of ten times the bound fail. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { check } from '../../src/check/check.js';
import { TOLERANCES } from '../../schemas/check.js';
import { boundsOf } from '../../src/check/bounds/bounds.js';
import type { Instance, Tensors } from '../../src/layers/instance.js';
import type { Checks } from '../../src/check/definition.js';
import { allChecks } from '../../src/check/registry.js';
import { plain } from '../../src/kernels/plain/plain.js';
import { isFloats, type FloatDtype, type Tensor } from '../../src/tensor/tensor.js';
import { samples } from '../layers/samples.js';
import { configurations } from '../support/configurations.js';
import { randomNumbers } from '../support/random.js';
import { answersOf, instanceFrom, mapped, narrowed } from './instances.js';
import { orders } from './float32/sums.js';

const UNITS = { float64: 2 ** -53, float32: 2 ** -24 };

/** An error of this many times an element's bound must fail. */
const TIMES = 10;

const verdictOn = (checks: Checks, instance: Instance, claims: Tensors, dtype: FloatDtype) =>
  check(checks, instance, claims, { dtype, kernels: plain, searches: false, pairs: () => 0 });

/**
 * Scales x and the upstream gradients by factors over eight powers of ten, so that small elements occur among large
 * ones.
 */
function scattered(instance: Instance, seed: number): Instance {
  const numbers = randomNumbers(seed + 2);
  const scatter = (data: Tensor['data']) => Float64Array.from(data, (value) => value * 10 ** numbers.uniform(-4, 4));
  const { x, ...others } = instance.inputs;
  return {
    ...instance,
    inputs: { ...mapped({ x }, scatter), ...others },
    upstream: mapped(instance.upstream, scatter),
  };
}

/** Whether six significant digits identify the number in float32. */
const looksPrinted = (value: number) => Math.fround(Number(value.toPrecision(6))) === Math.fround(value);

/** The dtype of the request, and the precision of the claim's arithmetic. */
const SETTINGS = [
  { dtype: 'float64', precision: 'float64' },
  { dtype: 'float64', precision: 'float32' },
  { dtype: 'float32', precision: 'float32' },
] as const;

/** @param elements about how many elements of each tensor are perturbed */
export function boundsSuite({ instances, elements }: { readonly instances: number; readonly elements: number }): void {
  for (const checks of allChecks) {
    const { name } = checks.layer;

    it(`fails each element of ${name} that is off by ten times its bound`, () => {
      let perturbed = 0;
      fc.assert(
        fc.property(configurations[name], (configuration) => {
          const even = instanceFrom(checks, configuration);
          const instance = configuration.seed % 2 === 0 ? even : scattered(even, configuration.seed);
          for (const { dtype, precision } of SETTINGS) {
            const given = dtype === 'float32' ? narrowed(instance) : instance;
            const right = answersOf(checks, given);
            const bounds = boundsOf({ checks, instance: given, right, unit: UNITS[precision], kernels: plain });
            for (const [tensor, { shape, data }] of Object.entries(right)) {
              const isFloat = isFloats(data);
              const { rtol, atol } = TOLERANCES[dtype];
              const step = Math.max(1, Math.ceil(data.length / elements));
              for (let i = configuration.seed % step; i < data.length; i += step) {
                const room = atol + rtol * Math.abs(data[i]);
                // The perturbed value itself is also rounded.
                const rounded = UNITS[precision] * (room + Math.abs(data[i]));
                const least = isFloat ? room + TIMES * ((bounds[tensor]?.[i] ?? 0) + rounded) : 1;
                // 178.57936 could be printed as 178.6, so such a value would pass as a print.
                const by = isFloat && looksPrinted(data[i] + least) ? 1.1 * least : least;
                const values = Float64Array.from(data, (value, j) => (j === i ? value + by : value));
                const claim = precision === 'float32' ? values.map(Math.fround) : values;
                const claimed = { shape, data: isFloat ? claim : Int32Array.from(claim) };
                const verdict = verdictOn(checks, given, { [tensor]: claimed }, dtype);
                expect(verdict.pass, `${tensor}[${i}] ${data[i]} by ${by} in ${precision}, ${dtype}`).toBe(false);
                perturbed++;
              }
            }
          }
        }),
        { numRuns: instances, seed: 11 },
      );
      expect(perturbed).toBeGreaterThan(instances);
    });

    const { inFloat32 } = samples[name];
    if (inFloat32)
      it.each(Object.entries(orders))(`passes ${name} in float32, summed %s`, (_, sum) => {
        fc.assert(
          fc.property(configurations[name], (configuration) => {
            const even = instanceFrom(checks, configuration);
            const instance = configuration.seed % 2 === 0 ? even : scattered(even, configuration.seed);
            const plan = checks.layer.plan(instance.inputs, instance.options);
            for (const dtype of ['float64', 'float32'] as const) {
              const given = dtype === 'float32' ? narrowed(instance) : instance;
              const right = answersOf(checks, given);
              const computed = inFloat32(given, plan, sum);
              const claims = Object.fromEntries(Object.entries(computed).filter(([tensor]) => tensor in right));
              // The indices are not computed by arithmetic.
              expect(Object.keys(claims)).toEqual(
                Object.keys(right)
                  .filter((tensor) => tensor !== 'indices')
                  .sort((a, b) => Object.keys(claims).indexOf(a) - Object.keys(claims).indexOf(b)),
              );
              const { tensors } = verdictOn(checks, given, claims, dtype);
              const failed = Object.entries(tensors).filter(([, { pass }]) => !pass);
              expect(failed, `${dtype} ${JSON.stringify(instance.options)}`).toEqual([]);
            }
          }),
          { numRuns: instances * 4, seed: 13 },
        );
      });
  }
}
