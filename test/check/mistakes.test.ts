import { describe, expect, it } from 'vitest';
import { caseOf, type Case } from '../../src/check/case.js';
import { check, type Verdict } from '../../src/check/check.js';
import type { Instance, Tensors } from '../../src/layers/instance.js';
import type { Checks, MistakeText } from '../../src/check/definition.js';
import { allChecks } from '../../src/check/registry.js';
import { plain } from '../../src/kernels/plain/plain.js';
import { layers } from '../../src/layers/registry.js';
import { implementations } from './implementations/all.js';
import { atScale } from '../support/scale.js';
import { settings, type Setting } from './settings.js';
import { unnamed } from './unnamed.js';

const SEEDS = atScale({ all: [1, 2, 3, 4, 5], quick: [1] });

/** Of all cases of all mistakes of a layer. */
const LEAST_FOUND = 0.95;

/** Whether a mistake can be made in a setting. */
function isIn({ wish }: Setting, { needs = {}, axes = 0 }: MistakeText): boolean {
  if (wish.axes !== undefined && wish.axes < axes) return false;
  return Object.entries(wish.options ?? {}).every(
    ([option, value]) => !(option in needs) || [needs[option]].flat().includes(value),
  );
}

/** Shared by all mistakes with the same options, since one case shows all of them. */
const cases = new Map<string, Case>();

function caseFor(checks: Checks, seed: number, { wish, apart = [] }: Setting, mistake?: MistakeText): Case {
  const own = mistake && apart.includes(mistake.id) ? mistake.id : undefined;
  const key = JSON.stringify([checks.layer.name, seed, wish, mistake?.needs ?? {}, own]);
  const made = cases.get(key) ?? caseOf(checks, { seed, mistake, wish, kernels: plain });
  cases.set(key, made);
  return made;
}

/** All cases for some mistakes, without duplicates. */
function casesFor(checks: Checks, setting: Setting, mistakes: readonly MistakeText[]): ReadonlySet<Case> {
  const all = [undefined, ...mistakes];
  return new Set(SEEDS.flatMap((seed) => all.map((mistake) => caseFor(checks, seed, setting, mistake))));
}

function verdictOn(checks: Checks, instance: Instance, claims: Tensors): Verdict {
  return check(checks, instance, claims, { dtype: 'float64', kernels: plain, pairs: () => 1000 });
}

/** Whether the mistake is named first for every claim that it makes wrong. */
function isFound(id: string, tensors: readonly string[], verdict: Verdict): boolean {
  const failed = tensors.filter((name) => name in verdict.tensors && !verdict.tensors[name].pass);
  return failed.length > 0 && failed.every((name) => verdict.tensors[name].diagnosis[0]?.id === id);
}

describe('the catalogue', () => {
  it('has mistakes of every layer, at least 70 in all', () => {
    expect(allChecks.map(({ layer }) => layer.name)).toEqual(layers.map(({ name }) => name));
    const all = allChecks.flatMap(({ mistakes }) => mistakes);
    expect(all.length).toBeGreaterThanOrEqual(70);
  });

  it.each(allChecks.map((checks) => [checks.layer.name, checks] as const))(
    'has an explanation, a fix and the affected tensors of every mistake of %s',
    (_, { layer, mistakes }) => {
      expect(new Set(mistakes.map(({ id }) => id)).size).toBe(mistakes.length);
      const answers = { ...layer.schemas.outputs.properties, ...layer.schemas.gradients.properties };
      for (const { id, tensors, explanation, fix } of mistakes) {
        expect(id).toMatch(/^[a-z0-9_]+$/);
        expect(explanation, id).toMatch(/^[A-Za-z].*\.$/);
        expect(fix, id).toMatch(/\w/);
        expect(tensors.length, id).toBeGreaterThan(0);
        for (const name of tensors) expect(answers, id).toHaveProperty(name);
      }
    },
  );
});

describe('the number of ways to make a mistake', () => {
  it('is counted for an instance, and for all instances', () => {
    for (const { name, checks, setting } of settings) {
      const { instance, answers } = caseFor(checks, 1, setting);
      const made = checks.alternatives(instance, answers, {});
      expect(checks.ways(instance), name).toBe(made.length);
      expect(checks.ways(), name).toBeGreaterThanOrEqual(made.length);
    }
  });
});

describe.each(settings.map(({ name, checks, setting }) => [name, setting.wish, checks, setting] as const))(
  '%s in %j',
  (name, _, checks, setting) => {
    const implementation = implementations[name];
    const mistakes = checks.mistakes.filter(
      (mistake) => isIn(setting, mistake) && !setting.never?.includes(mistake.id),
    );

    it('has a handwritten implementation that passes if it makes no mistake', () => {
      for (const { instance } of casesFor(checks, setting, mistakes)) {
        const verdict = verdictOn(checks, instance, implementation(instance));
        const failed = Object.entries(verdict.tensors).filter(([, { pass }]) => !pass);
        expect(failed, JSON.stringify(instance.options)).toEqual([]);
      }
    });

    it(`names each mistake of the handwritten implementation first in ${100 * LEAST_FOUND} % of the cases`, () => {
      const missed: string[] = [];
      for (const mistake of mistakes)
        for (const seed of SEEDS) {
          const { instance } = caseFor(checks, seed, setting, mistake);
          const verdict = verdictOn(checks, instance, implementation(instance, mistake.id));
          if (isFound(mistake.id, mistake.tensors, verdict)) continue;
          const named = Object.entries(verdict.tensors).map(
            ([tensor, { pass, diagnosis }]) => `${tensor} ${pass ? 'passes' : diagnosis.map(({ id }) => id).join()}`,
          );
          missed.push(`${mistake.id}, case ${seed}: ${named.join('; ')}`);
        }
      const cases = mistakes.length * SEEDS.length;
      expect(1 - missed.length / cases, missed.join('\n')).toBeGreaterThanOrEqual(LEAST_FOUND);
      // Mistakes that are never found.
      const never = mistakes.filter(
        ({ id }) => missed.filter((line) => line.startsWith(`${id},`)).length === SEEDS.length,
      );
      expect(never.map(({ id }) => id)).toEqual([]);
    });

    it('explains what it gets wrong elsewhere by a slip in a formula', () => {
      for (const { id, tensors, says, ...text } of unnamed[name]) {
        if (!isIn(setting, { id, tensors, explanation: '', fix: '', ...text })) continue;
        const wish = { ...setting.wish, options: { ...setting.wish.options, ...text.needs } };
        const { instance, answers } = caseOf(checks, { seed: 1, mistake: undefined, wish, kernels: plain });
        const claims = implementation(instance, id);
        const isWrong = (tensor: string) => claims[tensor].data.some((value, i) => value !== answers[tensor].data[i]);
        if (!tensors.some(isWrong)) continue;
        const verdict = verdictOn(checks, instance, claims);
        const said = tensors.flatMap((tensor) =>
          verdict.tensors[tensor].diagnosis.map(({ explanation }) => explanation),
        );
        expect(said.join(' | '), id).toMatch(says);
      }
    });

    it('computes the same with its formulas as the layer', () => {
      for (const { instance, answers } of casesFor(checks, setting, mistakes)) {
        const own = checks.plain(instance, answers);
        const claims = Object.keys(answers).flatMap((tensor) => {
          const value = own.tensor(tensor);
          return value ? [[tensor, value] as const] : [];
        });
        expect(claims.length).toBeGreaterThan(1);
        const verdict = verdictOn(checks, instance, Object.fromEntries(claims));
        expect(Object.entries(verdict.tensors).filter(([, { pass }]) => !pass)).toEqual([]);
      }
    });

    const unseen = [...(setting.never ?? []), ...(setting.apart ?? [])];
    const hidden = checks.mistakes.filter((mistake) => isIn(setting, mistake) && unseen.includes(mistake.id));

    it('makes cases that hide only the expected mistakes', () => {
      for (const seed of SEEDS) {
        const { instance, answers } = caseFor(checks, seed, setting);
        const { indistinguishable } = verdictOn(checks, instance, answers);
        const possible = checks.alternatives(instance, answers, {}).map(({ text }) => text.id);
        expect(
          indistinguishable.map(({ id }) => id),
          `case ${seed}`,
        ).toEqual(hidden.map(({ id }) => id).filter((id) => possible.includes(id)));
      }
    });
  },
);
