/** Whatever is claimed, in any instance, a check gives a verdict. */
import { describe, expect, it } from 'vitest';
import { rightAnswers } from '../../src/check/answers.js';
import { check } from '../../src/check/check.js';
import { allChecks } from '../../src/check/registry.js';
import { plain } from '../../src/kernels/plain/plain.js';
import { isFloats, type Tensor } from '../../src/tensor/tensor.js';
import { atScale } from '../support/scale.js';
import { eachInstance } from './instances.js';

const INSTANCES = atScale({ all: 60, quick: 4 });

/** Nanoseconds, of the two or so seconds that the service allows. */
const SLIPS = atScale({ all: 300e6, quick: 30e6 });

const WAYS: readonly ((value: number, at: number) => number)[] = [
  (value, at) => value + Math.sin(3 * at),
  (value) => -value,
  () => 0,
  (value, at) => (at % 3 === 0 ? NaN : value),
  (value, at) => (at % 5 === 0 ? Infinity : value),
  (value) => 1.5 * value,
  (value, at) => (at === 0 ? value + 1 : value),
  () => 5,
];

/** Without the first slice along the first axis. */
function shorter({ shape, data }: Tensor): Tensor {
  const values = Float64Array.from(data).slice(data.length / shape[0]);
  return { shape: [shape[0] - 1, ...shape.slice(1)], data: values };
}

describe.each(allChecks.map((checks) => [checks.layer.name, checks] as const))('a check of %s', (_, checks) => {
  it('gives a verdict on any claim', () => {
    let verdicts = 0;
    eachInstance(checks, INSTANCES, (instance, i) => {
      const right = rightAnswers(checks, instance, plain);
      const names = Object.keys(right).filter((name) => isFloats(right[name].data));
      // All tensors, or one of them.
      const claimed = i % 2 === 0 ? names : [names[i % names.length]];
      const claims = Object.fromEntries(
        claimed.map((name) => {
          const { shape, data } = right[name];
          const changed = { shape, data: Float64Array.from(data, WAYS[i % WAYS.length]) };
          return [name, i % 4 === 3 && shape.length > 1 && shape[0] > 1 ? shorter(changed) : changed];
        }),
      );
      for (const dtype of ['float64', 'float32'] as const) {
        const { tensors } = check(checks, instance, claims, { dtype, kernels: plain, pairs: () => 20, slips: SLIPS });
        for (const { pass, diagnosis, detail } of Object.values(tensors)) {
          if (pass) expect(diagnosis).toEqual([]);
          for (const { explanation, fix } of diagnosis)
            expect(`${explanation} ${fix}`).not.toMatch(/undefined|NaN,|\[object/);
          if (detail !== undefined) expect(detail).toMatch(/expected/);
          verdicts++;
        }
      }
    });
    expect(verdicts).toBeGreaterThanOrEqual(2 * INSTANCES);
  });
});
