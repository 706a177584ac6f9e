/** Right answers, however they were computed, are never called wrong. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { rightAnswers } from '../../src/check/answers.js';
import { check, type Verdict } from '../../src/check/check.js';
import type { Call, Checks, Tensors } from '../../src/check/definition.js';
import { numbersOf } from '../../src/check/random.js';
import { allChecks } from '../../src/check/registry.js';
import { applyDefaults } from '../../src/compute/validate.js';
import { plain } from '../../src/kernels/plain/plain.js';
import type { FloatDtype, Tensor } from '../../src/tensor/tensor.js';
import { acceptedPlan, configurations, type Configuration } from '../support/configurations.js';
import { randomNumbers } from '../support/random.js';
import { implementations } from './implementations/all.js';
import { settings } from './settings.js';

/** Calls of each layer; each is claimed in several ways. */
const CALLS = 100;

function callOf(checks: Checks, { inputs, options, upstream, seed }: Configuration): Call {
  const plan = acceptedPlan(checks.layer, { inputs, options });
  const complete: Record<string, unknown> = { ...options };
  applyDefaults(checks.layer.schemas.options, complete);
  const numbers = randomNumbers(seed + 1);
  const douts = upstream.map((name) => [`d${name}`, numbers.tensor(plan.outputs[name])] as const);
  return { inputs, options: complete, upstream: Object.fromEntries(douts), drawn: {} };
}

const mapped = (tensors: Tensors, of: (data: Tensor['data']) => Tensor['data'], dtype?: FloatDtype): Tensors =>
  Object.fromEntries(
    Object.entries(tensors).map(([name, tensor]) =>
      tensor.dtype.startsWith('float')
        ? [name, { shape: tensor.shape, dtype: dtype ?? tensor.dtype, data: of(tensor.data) }]
        : [name, tensor],
    ),
  );

const toFloat32 = (call: Call): Call => ({
  ...call,
  inputs: mapped(call.inputs, (data) => Float32Array.from(data), 'float32'),
  upstream: mapped(call.upstream, (data) => Float32Array.from(data), 'float32'),
});

const widened = (tensors: Tensors) => mapped(tensors, (data) => Float64Array.from(data), 'float64');

/** The last bits of every value, as another order of operations leaves them. */
const jittered = (tensors: Tensors, seed: number): Tensors => {
  const numbers = randomNumbers(seed);
  return mapped(tensors, (data) => {
    const largest = Math.max(...Array.from(data, Math.abs));
    return Float64Array.from(data, (value) => value + numbers.uniform(-4, 4) * 2 ** -52 * Math.max(largest, 1));
  });
};

function verdictOn(checks: Checks, call: Call, claims: Tensors, dtype: FloatDtype = 'float64'): Verdict {
  return check(checks, call, claims, { dtype, kernels: plain, pairs: () => 0 });
}

function expectPass(verdict: Verdict, how: string): void {
  const failed = Object.entries(verdict.tensors).filter(([, { pass, diagnosis }]) => !pass || diagnosis.length > 0);
  expect(failed, how).toEqual([]);
}

describe.each(allChecks.map((checks) => [checks.layer.name, checks] as const))('%s', (name, checks) => {
  it('is never called wrong, in any order, precision or form in which it is right', () => {
    let claims = 0;
    fc.assert(
      fc.property(configurations[name], (configuration) => {
        const call = callOf(checks, configuration);
        const answers = rightAnswers(checks, call, plain);
        const own = checks.plain(call, answers);
        const steps = Object.keys(answers).flatMap((tensor) => {
          const value = own.tensor(tensor);
          return value ? [[tensor, value] as const] : [];
        });
        expectPass(verdictOn(checks, call, Object.fromEntries(steps)), 'step by step');
        expectPass(verdictOn(checks, call, jittered(answers, configuration.seed)), 'in another order');
        const in32 = widened(rightAnswers(checks, toFloat32(call), plain));
        // Which side of a kink float32 falls on is no matter of rounding.
        if (configuration.side === undefined || configuration.side(in32) === configuration.side(answers)) {
          expectPass(verdictOn(checks, call, in32), 'in float32, as float64');
          const rounded = {
            ...call,
            inputs: widened(toFloat32(call).inputs),
            upstream: widened(toFloat32(call).upstream),
          };
          expectPass(verdictOn(checks, rounded, in32, 'float32'), 'in float32');
        }
        claims += 4;
      }),
      { numRuns: CALLS, seed: 5 },
    );
    expect(claims).toBe(4 * CALLS);
  });

  it('is never called wrong in an implementation by hand, nor when float32 rounds what it computed', () => {
    const ofLayer = settings.filter((setting) => setting.name === name);
    for (let seed = 0; seed < 10; seed++)
      for (const {
        setting: { wish },
      } of ofLayer) {
        const { inputs, options, upstream, drawn } = checks.example(numbersOf(seed), wish.options ?? {}, wish.axes);
        const plan = checks.layer.plan(inputs, options);
        const numbers = randomNumbers(seed);
        const douts = upstream.map((output) => [`d${output}`, numbers.tensor(plan.outputs[output])] as const);
        const call: Call = { inputs, options, upstream: Object.fromEntries(douts), drawn: drawn ?? {} };
        const claims = implementations[name](call);
        expectPass(verdictOn(checks, call, claims), `by hand, ${seed}`);
        expectPass(
          verdictOn(
            checks,
            call,
            mapped(claims, (data) => Float64Array.from(data, Math.fround)),
          ),
          `float32, ${seed}`,
        );
      }
  });
});
