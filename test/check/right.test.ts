/** Right answers, however they were computed, are never reported as wrong. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { rightAnswers } from '../../src/check/answers.js';
import { check, type Verdict } from '../../src/check/check.js';
import type { Instance, Tensors } from '../../src/layers/instance.js';
import type { Checks } from '../../src/check/definition.js';
import { numbersOf } from '../../src/check/random.js';
import { allChecks } from '../../src/check/registry.js';
import { plain } from '../../src/kernels/plain/plain.js';
import type { FloatDtype } from '../../src/tensor/tensor.js';
import { configurations } from '../support/configurations.js';
import { randomNumbers } from '../support/random.js';
import { atScale } from '../support/scale.js';
import { instanceFrom, mapped, narrowed, toFloat32, widened } from './instances.js';
import { implementations } from './implementations/all.js';
import { settings } from './settings.js';

/** Calls per layer; each is claimed in several forms. */
const CALLS = atScale({ all: 100, quick: 5 });

/** Cases of each setting that the handwritten implementations compute. */
const SEEDS = atScale({ all: 10, quick: 3 });

/** Changes the last bits of every value, as a different order of operations would. */
const jittered = (tensors: Tensors, seed: number): Tensors => {
  const numbers = randomNumbers(seed);
  return mapped(tensors, (data) => {
    const largest = Math.max(...Array.from(data, Math.abs));
    return Float64Array.from(data, (value) => value + numbers.uniform(-4, 4) * 2 ** -52 * Math.max(largest, 1));
  });
};

function verdictOn(checks: Checks, instance: Instance, claims: Tensors, dtype: FloatDtype = 'float64'): Verdict {
  return check(checks, instance, claims, { dtype, kernels: plain, pairs: () => 0 });
}

function expectPass(verdict: Verdict, how: string): void {
  const failed = Object.entries(verdict.tensors).filter(([, { pass, diagnosis }]) => !pass || diagnosis.length > 0);
  expect(failed, how).toEqual([]);
}

describe.each(allChecks.map((checks) => [checks.layer.name, checks] as const))('%s', (name, checks) => {
  it('never reports a right answer as wrong, in any order of operations or precision', () => {
    let claims = 0;
    fc.assert(
      fc.property(configurations[name], (configuration) => {
        const instance = instanceFrom(checks, configuration);
        const answers = rightAnswers(checks, instance, plain);
        const own = checks.plain(instance, answers);
        const steps = Object.keys(answers).flatMap((tensor) => {
          const value = own.tensor(tensor);
          return value ? [[tensor, value] as const] : [];
        });
        expectPass(verdictOn(checks, instance, Object.fromEntries(steps)), 'step by step');
        expectPass(verdictOn(checks, instance, jittered(answers, configuration.seed)), 'in another order');
        const in32 = widened(rightAnswers(checks, toFloat32(instance), plain));
        // Which side of a kink float32 falls on is not a matter of rounding.
        if (configuration.side === undefined || configuration.side(in32) === configuration.side(answers)) {
          expectPass(verdictOn(checks, instance, in32), 'in float32, as float64');
          expectPass(verdictOn(checks, narrowed(instance), in32, 'float32'), 'in float32');
        }
        claims += 4;
      }),
      { numRuns: CALLS, seed: 5 },
    );
    expect(claims).toBe(4 * CALLS);
  });

  it('never reports a handwritten implementation as wrong, nor its results rounded to float32', () => {
    const ofLayer = settings.filter((setting) => setting.name === name);
    for (let seed = 0; seed < SEEDS; seed++)
      for (const {
        setting: { wish },
      } of ofLayer) {
        const { inputs, options, upstream, drawn } = checks.example(numbersOf(seed), wish.options ?? {}, wish.axes);
        const plan = checks.layer.plan(inputs, options);
        const numbers = randomNumbers(seed);
        const douts = upstream.map((output) => [`d${output}`, numbers.tensor(plan.outputs[output])] as const);
        const instance: Instance = { inputs, options, upstream: Object.fromEntries(douts), drawn: drawn ?? {} };
        const claims = implementations[name](instance);
        expectPass(verdictOn(checks, instance, claims), `by hand, ${seed}`);
        expectPass(
          verdictOn(
            checks,
            instance,
            mapped(claims, (data) => Float64Array.from(data, Math.fround)),
          ),
          `float32, ${seed}`,
        );
      }
  });
});
