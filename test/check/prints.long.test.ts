/** Wrong answers printed with few digits are diagnosed almost as often as those with all digits. */
import { describe, expect, it } from 'vitest';
import { caseOf } from '../../src/check/case.js';
import { check } from '../../src/check/check.js';
import type { Instance, Tensors } from '../../src/layers/instance.js';
import type { Checks } from '../../src/check/definition.js';
import { allChecks } from '../../src/check/registry.js';
import { plain } from '../../src/kernels/plain/plain.js';
import { implementations } from './implementations/all.js';
import { printed, prints } from './prints.js';

/** Percentage points that a print may reduce the share of mistakes named first. */
const MOST_LOST = 0.05;

const verdictOn = (checks: Checks, instance: Instance, claims: Tensors) =>
  check(checks, instance, claims, { dtype: 'float64', kernels: plain, pairs: () => 0 });

describe('mistakes', () => {
  it('are named from a print at most 5 percentage points less often than from all digits', () => {
    const lost: string[] = [];
    const named = new Map<string, number>();
    let claimed = 0;
    for (const checks of allChecks) {
      const { name } = checks.layer;
      for (const mistake of checks.mistakes) {
        const { instance, answers } = caseOf(checks, { seed: 1, mistake, kernels: plain });
        const all = implementations[name](instance, mistake.id);
        const wrong = Object.fromEntries(
          Object.entries(all).filter(([tensor]) => mistake.tensors.includes(tensor) && tensor in answers),
        );
        const failing = (claims: Tensors) => {
          const { tensors } = verdictOn(checks, instance, claims);
          return Object.entries(tensors).map(([tensor, { diagnosis }]) => [tensor, diagnosis[0]?.id] as const);
        };
        const found = failing(wrong).filter(([, id]) => id === mistake.id);
        claimed += found.length;
        for (const [format, print] of Object.entries(prints)) {
          const again = new Map(failing(printed(wrong, print)));
          for (const [tensor, id] of found) {
            if (again.get(tensor) === id) named.set(format, (named.get(format) ?? 0) + 1);
            else lost.push(`${format}: ${name} ${mistake.id} ${tensor} → ${again.get(tensor) ?? 'nothing'}`);
          }
        }
      }
    }
    expect(claimed).toBeGreaterThan(100);
    for (const format of Object.keys(prints))
      expect(1 - (named.get(format) ?? 0) / claimed, `${format}\n${lost.join('\n')}`).toBeLessThanOrEqual(MOST_LOST);
  });
});
