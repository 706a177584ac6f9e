/**
 * Runs mutants, and gives what they answer to the check.
 *
 * A mutant that throws, does not end, or returns something other than tensors of numbers on any case is dropped:
 * nobody would ask what is wrong with it. So is one that returns NaN: in other languages, what reads past the end of an
 * array does not go on. A mutant that is right on three cases of every set of options is equivalent. Each of the others
 * is checked on two more cases, of different sets of options if it differs in several.
 */
import type { Tensors } from '../../../src/layers/instance.js';
import { sameShape, type Tensor } from '../../../src/tensor/tensor.js';
import { randomNumbers } from '../../support/random.js';
import { casesOf, CHECKED_SEEDS, EQUIVALENCE_SEEDS, type Case } from './cases.js';
import { isMisleading, isRight } from './criterion.js';
import type { Mutant, Original } from './definition.js';
import { claimsOf, judge, type Verdict } from './judge.js';
import { load, transpile, type Run } from './load.js';
import { mutantsOf, sourceOf } from './mutator.js';
import { parse } from './sources.js';

/** Differences up to this are rounding, of values near 1. */
const ROUNDING = 1e-9;

/** Cases on which a mutant is checked. */
const CHECKED = 2;

const isUnsupported = (error: unknown) => error instanceof Error && error.message.startsWith('unsupported');

function isClose(a: Tensor, b: Tensor): boolean {
  if (!sameShape(a.shape, b.shape)) return false;
  return a.data.every((value, i) => {
    const other = b.data[i];
    return value === other || Math.abs(value - other) <= ROUNDING * Math.max(1, Math.abs(other));
  });
}

const areEqual = (claims: Tensors, original: Tensors): boolean =>
  Object.entries(original).every(([name, value]) => name in claims && isClose(claims[name], value));

/** A case, and what the original answers. */
interface Trial {
  readonly case: Case;
  readonly answers: Tensors;
}

/** An implementation with its cases: those that it supports, by their sets of options. */
interface Prepared {
  /** For each set, the cases on which it must differ from the original. */
  readonly sets: readonly (readonly Trial[])[];
  /** For each set, those that are checked. */
  readonly checked: readonly (readonly Trial[])[];
  /** Outputs and gradients that it does not return on some case. */
  readonly missing: readonly string[];
}

/** @throws if the original itself does not pass, or supports no case */
export function prepare(original: Original): Prepared {
  const run = load(transpile(original.source));
  const trialsOf = (seed: number): (Trial | undefined)[] =>
    casesOf(original.layer, seed).map((each) => {
      try {
        return { case: each, answers: claimsOf(each, run(each.given())) };
      } catch (error) {
        if (isUnsupported(error)) return undefined;
        throw new Error(`${original.file} fails on ${each.set}, seed ${each.seed}`, { cause: error });
      }
    });
  const bySet = (seeds: readonly number[]) => {
    const columns = seeds.map(trialsOf);
    return columns[0].map((_, set) => columns.map((column) => column[set]).filter((trial) => trial !== undefined));
  };
  const [sets, checked] = [bySet(EQUIVALENCE_SEEDS), bySet(CHECKED_SEEDS)];
  const all = [...sets, ...checked].flat();
  if (all.length === 0) throw new Error(`${original.file} supports no set of options`);
  for (const { case: each, answers } of all) {
    const { pass, failing } = judge(each, answers);
    if (!pass) {
      const names = failing.map(({ name }) => name).join(', ');
      throw new Error(`${original.file} is wrong on ${each.set}, seed ${each.seed}: ${names}`);
    }
  }
  const missing = all.flatMap(({ case: { right, instance }, answers }) =>
    Object.keys(right).filter((name) => !(name in answers) && !(name in instance.drawn)),
  );
  return { sets, checked, missing: [...new Set(missing)] };
}

export interface Checked {
  readonly set: string;
  readonly seed: number;
  readonly verdict: Verdict;
}

export interface Finding {
  readonly mutant: Mutant;
  readonly outcome: 'crashed' | 'equivalent' | 'surviving';
  /** Only of mutants that survive. */
  readonly checked: readonly Checked[];
  readonly isDetected: boolean;
  /** Whether in some case the first failing tensor, in the order of the API, is diagnosed. */
  readonly isDiagnosed: boolean;
  readonly isRight: boolean;
  readonly isMisleading: boolean;
}

const without = (mutant: Mutant, outcome: 'crashed' | 'equivalent'): Finding => ({
  mutant,
  outcome,
  checked: [],
  isDetected: false,
  isDiagnosed: false,
  isRight: false,
  isMisleading: false,
});

/** @param pick an integer that decides which of the sets come first */
export function findingOn(mutant: Mutant, { sets, checked }: Prepared, pick: number): Finding {
  let differing: { readonly trial: Trial; readonly claims: Tensors }[];
  try {
    const run = load(transpile(sourceOf(mutant)));
    const isDifferent = ({ claims, trial }: { trial: Trial; claims: Tensors }) => !areEqual(claims, trial.answers);
    const showing = sets
      .map((trials, set) => ({ set, shown: trials.map((trial) => answered(run, trial)).filter(isDifferent) }))
      .filter(({ shown }) => shown.length > 0);
    if (showing.length === 0) return without(mutant, 'equivalent');
    const turned = showing.map((_, i) => showing[(i + pick) % showing.length]);
    // The first case of each set, then the second of each; last those in which it was seen to differ.
    const further = CHECKED_SEEDS.flatMap((_, i) => turned.map(({ set }) => checked[set][i]))
      .map((trial) => answered(run, trial))
      .filter(isDifferent);
    differing = [...further, ...turned.flatMap(({ shown }) => shown)].slice(0, CHECKED);
  } catch {
    return without(mutant, 'crashed');
  }
  const results = differing.map(({ trial: { case: each }, claims }) => {
    return { set: each.set, seed: each.seed, verdict: judge(each, claims) };
  });
  const firsts = results.flatMap(({ verdict: { failing } }) => failing.slice(0, 1));
  const diagnoses = firsts.flatMap((first) => first.diagnoses);
  const all = results.flatMap(({ verdict: { failing } }) => failing.flatMap((each) => each.diagnoses));
  return {
    mutant,
    outcome: 'surviving',
    checked: results,
    isDetected: results.some(({ verdict }) => !verdict.pass),
    isDiagnosed: diagnoses.length > 0,
    isRight: isRight(mutant, diagnoses),
    isMisleading: isMisleading(mutant, all),
  };
}

function answered(run: Run, trial: Trial): { trial: Trial; claims: Tensors } {
  const claims = claimsOf(trial.case, run(trial.case.given()));
  const lost = Object.keys(trial.answers).some((name) => !(name in claims));
  if (lost) throw new Error('a tensor is missing');
  return { trial, claims };
}

export interface Sampling {
  readonly seed: number;
  readonly typicalOnly: boolean;
  /** Surviving mutants of each layer; all if undefined. */
  readonly limit: number | undefined;
}

/** The findings on every implementation of one layer, or on a sample of its mutants. */
export function* findingsOn(
  layer: string,
  originals: readonly Original[],
  { seed, typicalOnly, limit = Infinity }: Sampling,
): Generator<Finding> {
  const ofLayer = originals.filter((original) => original.layer === layer);
  const all = parse(ofLayer).flatMap((parsed) => {
    const prepared = prepare(parsed.original);
    return mutantsOf(parsed).map((mutant) => ({ mutant, prepared }));
  });
  const wanted = all.filter(({ mutant: { kind } }) => !typicalOnly || kind !== 'other');
  let surviving = 0;
  for (const [i, { mutant, prepared }] of (limit < Infinity ? shuffled(wanted, seed) : wanted).entries()) {
    if (surviving >= limit) return;
    const finding = findingOn(mutant, prepared, seed + i);
    if (finding.outcome === 'surviving') surviving++;
    yield finding;
  }
}

export function shuffled<Item>(items: readonly Item[], seed: number): Item[] {
  const { next } = randomNumbers(seed);
  const result = [...items];
  for (let i = result.length - 1; i > 0; i--) {
    const j = Math.floor(next() * (i + 1));
    [result[i], result[j]] = [result[j], result[i]];
  }
  return result;
}
