/** Right answers pass in every printed form. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { check, type Verdict } from '../../src/check/check.js';
import type { Instance, Tensors } from '../../src/layers/instance.js';
import type { Checks } from '../../src/check/definition.js';
import { allChecks } from '../../src/check/registry.js';
import { plain } from '../../src/kernels/plain/plain.js';
import { configurations } from '../support/configurations.js';
import { answersOf, instanceFrom } from './instances.js';
import { isTold, printed, prints } from './prints.js';

const CALLS = 30;

const verdictOn = (checks: Checks, instance: Instance, claims: Tensors): Verdict =>
  check(checks, instance, claims, { dtype: 'float64', kernels: plain, searches: false, pairs: () => 0 });

describe.each(Object.entries(prints))('printed as %s', (_, print) => {
  it.each(allChecks.map((checks) => [checks.layer.name, checks] as const))(
    'right answers of %s pass, with nothing but a note of their digits',
    (name, checks) => {
      fc.assert(
        fc.property(configurations[name], (configuration) => {
          const instance = instanceFrom(checks, configuration);
          const answers = answersOf(checks, instance);
          const told = Object.entries(answers).filter(([, { data }]) => isTold(data));
          const { tensors } = verdictOn(checks, instance, printed(Object.fromEntries(told), print));
          for (const [tensor, { pass, diagnosis, notes, worst }] of Object.entries(tensors)) {
            expect({ pass, diagnosis }, `${tensor} ${JSON.stringify(worst)}`).toEqual({ pass: true, diagnosis: [] });
            expect(notes.map(({ id }) => id)).not.toContain('float32_arithmetic');
          }
        }),
        { numRuns: CALLS, seed: 17 },
      );
    },
  );
});
