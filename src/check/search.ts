/**
 * Searches for the mistake behind a wrong claim. First come the known mistakes of the layer and the slips in its
 * formulas: those that explain more claims, or the known mistakes if it is a tie. Then come the mistakes of any layer,
 * slips in other ways to compute the same, and two mistakes at once. Zeros were never computed, unless one mistake or
 * slip explains several claims.
 */
import type { Diagnosis, HiddenMistake, Statistics } from '../../schemas/check.js';
import type { Kernels } from '../kernels/kernels.js';
import { Refusal } from '../refusal.js';
import { sameShape } from '../tensor/tensor.js';
import { rightAnswers } from './answers.js';
import type { Measured } from './compare.js';
import type { Instance, Tensors } from '../layers/instance.js';
import { type Alternative, type Checks, type Constants, type MistakeText, type Reading } from './definition.js';
import { explainedByPlace, explainedIn, isEvidence } from './evidence.js';
import type { Claim } from './generic/definition.js';
import { nameOfFactor } from './generic/factors.js';
import { genericDiagnoses, ofZeros } from './generic/registry.js';
import { upstreamIgnored } from './generic/request.js';
import { SlipSearch } from './slips.js';
import { ratioOf, short, statisticsOf } from './statistics.js';
import { fits, isEqual, isUniform, ranked, tryOut, type Result, type Tried, type Trial } from './trial.js';

export interface SearchOptions {
  readonly kernels: Kernels;
  /** Whether the input is small enough to compute the results of mistakes; true by default. */
  readonly searches?: boolean;
  /** Nanoseconds that the search for slips in formulas may take, about; unlimited by default. */
  readonly slips?: number;
  /** How many pairs of mistakes may be tried; called only if nothing else was found. */
  readonly pairs: () => number;
}

export function isGradient({ layer }: Checks, name: string): boolean {
  return name in layer.schemas.gradients.properties;
}

/**
 * The first way of every mistake, then the second way of each, and so on. If there is no time for all pairs, the later
 * ways of the mistakes that have many are left out.
 */
function usualFirst(tried: readonly Tried[]): readonly Tried[] {
  const counts = new Map<string, number>();
  const places = tried.map((entry) => {
    const { id } = entry.alternative.text;
    const way = counts.get(id) ?? 0;
    counts.set(id, way + 1);
    return { entry, way };
  });
  return places.sort((a, b) => a.way - b.way).map(({ entry }) => entry);
}

/** Pairs with a mistake or slip that explains a claim come first: it was made, together with a second one. */
function* pairsOf(tried: readonly Tried[]): Generator<readonly [Tried, Tried]> {
  const explains = ({ results }: Tried) => results.some(({ fitsLoosely }) => fitsLoosely);
  const made = tried.filter(explains);
  const others = usualFirst(tried.filter((entry) => !explains(entry)));
  for (const [i, first] of made.entries()) {
    for (const second of made.slice(i + 1)) yield [first, second];
    for (const second of others) yield [first, second];
  }
  for (const [j, second] of others.entries()) for (const first of others.slice(0, j)) yield [first, second];
}

/** Number of slips that are combined with another mistake: the most usual ones. */
const MOST_EDITS = 120;

/** A diagnosis found in the claim of a tensor. */
interface Named {
  readonly name: string;
  readonly diagnosis: Diagnosis;
}

/** The answers of the layer with another value of an option. */
interface Read {
  readonly reading: Reading;
  readonly answers: Tensors;
}

/** Two mistakes at once. */
interface Pairs {
  readonly named: readonly Named[];
  readonly pairs: readonly Tried[];
}

/** Searches for mistakes. Results computed for one claim are reused for the others. */
export class Search {
  private readonly tried: readonly Tried[];
  private readonly slips: SlipSearch | undefined;
  private readonly triesSlips: boolean;
  private readonly isRight: ReadonlyMap<string, boolean>;
  private readonly evidence = new Map<string, number>();
  private read: readonly Read[] | undefined;
  private paired: Pairs | undefined;
  private ofOnes: Tensors | undefined;

  constructor(
    private readonly checks: Checks,
    private readonly instance: Instance,
    private readonly right: Tensors,
    claims: Tensors,
    private readonly trials: readonly Trial[],
    private readonly options: SearchOptions,
  ) {
    this.isRight = new Map(trials.map((trial) => [trial.name, isEqual(trial.claimed, trial.rounded, trial.tolerance)]));
    const { searches = true, slips = Infinity } = options;
    const formulas = searches ? checks.formulas(instance, right) : undefined;
    const alternatives = formulas ? checks.alternatives(instance, right, claims, formulas) : [];
    this.tried = alternatives.map((alternative) => tryOut(alternative, trials));
    if (formulas && slips > 0 && trials.some(isWrong)) this.slips = new SlipSearch(formulas, trials, slips);
    this.triesSlips = slips > 0;
  }

  diagnose(trial: Trial): readonly Diagnosis[] {
    if (isPrintedAsZeros(trial)) return [];
    const named = this.matching(trial, true);
    const known = distinct(named.map(({ alternative: { text } }) => diagnosisOf(text)));
    const zeros = ofZeros(this.claimOf(trial, trial.right));
    // One mistake that explains several claims is likelier than one for each.
    const explained = named.length === 0 ? 0 : explainedBy(named[0]);
    if (explained > 0 && explained === this.wrongClaims) return known;
    const bySlip = this.slips?.mostExplained(trial.name) ?? 0;
    const slips = bySlip > explained ? distinct(this.slips?.explaining(trial.name, true) ?? []) : [];
    if (zeros.length > 0 && Math.max(explained, bySlip) < 2) {
      const written = this.slips
        ?.explaining(trial.name, true)
        .filter(({ id }) => id === `${trial.name}:never_computed`);
      return distinct([...(written?.length ? written : zeros), ...known]);
    }
    if (slips.length > 0 || known.length > 0) return slips.length > 0 ? slips : known;
    const others = distinct(this.matching(trial, false).map(({ alternative: { text } }) => diagnosisOf(text)));
    return others.length > 0 ? others : this.further(trial);
  }

  private get wrongClaims(): number {
    return [...this.isRight.values()].filter((right) => !right).length;
  }

  /**
   * The known mistakes that a claim shows, best first.
   *
   * @param isConsistent whether those are asked for that make no right claim wrong, or the others
   */
  private matching({ name }: Trial, isConsistent: boolean): Tried[] {
    const possible = this.tried.filter((each) => this.contradicts(each) !== isConsistent);
    const found = ranked(this.evident(possible, 'fits'), name, 'fits');
    return found.length > 0 ? found : ranked(this.evident(possible, 'fitsLoosely'), name, 'fitsLoosely');
  }

  private contradicts({ results }: Tried): boolean {
    return results.some(({ name, shows }) => shows && this.isRight.get(name) === true);
  }

  /** The alternatives that explain enough elements, over all claims that they fit. */
  private evident(tried: readonly Tried[], how: 'fits' | 'fitsLoosely', fitted: 0 | 1 = 0): Tried[] {
    return tried.filter(({ alternative, results }) => {
      const names = results.filter((result) => result[how]).map(({ name }) => name);
      const count = fitted === 0 && !alternative.isFitted ? explainedByPlace : explainedIn;
      return isEvidence(this.explained(names, how === 'fits' ? 'tolerance' : 'looser', count), fitted);
    });
  }

  /** Number of wrong elements that count as evidence in the claims of `names`. */
  private explained(
    names: readonly string[],
    by: 'tolerance' | 'looser',
    count: typeof explainedByPlace = explainedIn,
  ): number {
    const ofOne = ({ name, claimed, rounded: right, [by]: tolerance }: Trial) => {
      const key = `${name} ${by} ${count.name}`;
      const explained = this.evidence.get(key) ?? count(claimed, right, tolerance);
      this.evidence.set(key, explained);
      return explained;
    };
    return this.trials.filter(({ name }) => names.includes(name)).reduce((sum, trial) => sum + ofOne(trial), 0);
  }

  /** Whether answers fit a claim, and explain enough elements over all claims that they fit. */
  private areEvident(answers: Tensors, { name }: Trial): boolean {
    const fitting = this.trials.filter((trial) => fits(trial, answers[trial.name], trial.looser));
    const names = fitting.map((trial) => trial.name);
    return names.includes(name) && isEvidence(this.explained(names, 'looser'));
  }

  further(trial: Trial): readonly Diagnosis[] {
    const generic = genericDiagnoses([trial.right, trial.rounded].map((right) => this.claimOf(trial, right)));
    if (generic.length > 0) return distinct(generic);
    const slips = distinct(this.slips?.explaining(trial.name, false) ?? []);
    return slips.length > 0 ? slips : this.pairs(trial);
  }

  private claimOf(trial: Trial, right: Measured): Claim {
    const { checks, instance, right: answers } = this;
    const { name, claimed, tolerance } = trial;
    return {
      ...instance,
      ...{ name, claimed, right, tolerance, answers },
      explained: explainedIn(claimed, right, tolerance),
      axes: checks.axes(name, instance.options, right.shape.length),
      constants: this.constants(),
      isForOnes: () => isGradient(checks, name) && this.areEvident(this.answersForOnes(), trial),
      readings: () =>
        this.readOtherwise()
          .filter((read) => this.areEvident(read.answers, trial))
          .map(({ reading }) => reading),
    };
  }

  private constants(): Constants {
    const { checks, instance } = this;
    const sizes = Object.entries(instance.upstream).map(([name, { data }]) => [`elements of ${name}`, data.length]);
    return { ...checks.constants(instance), ...(Object.fromEntries(sizes) as Constants) };
  }

  private answersForOnes(): Tensors {
    return (this.ofOnes ??= rightAnswers(this.checks, this.instanceOfOnes(), this.options.kernels));
  }

  private instanceOfOnes(): Instance {
    const ones = Object.entries(this.instance.upstream).map(([name, { shape, data }]) => [
      name,
      { shape, data: new Float64Array(data.length).fill(1) },
    ]);
    return { ...this.instance, upstream: Object.fromEntries(ones) as Tensors };
  }

  /** Finds a mistake that was made together with an upstream gradient of all ones. */
  private ignoringUpstream(trials: readonly Trial[], most: number): Named[] {
    const gradients = trials.filter(({ name }) => isGradient(this.checks, name));
    if (gradients.length === 0) return [];
    return this.checks
      .alternatives(this.instanceOfOnes(), this.answersForOnes(), {})
      .slice(0, most)
      .flatMap((alternative) => {
        const tried = tryOut(alternative, gradients);
        const results = this.evident([tried], 'fitsLoosely', 1).flatMap((found) => found.results);
        const { id, explanation, fix } = alternative.text;
        const diagnosis = {
          id: `${upstreamIgnored.id}+${id}`,
          explanation: `Two mistakes at once. ${upstreamIgnored.explanation} ${explanation}`,
          fix: `${upstreamIgnored.fix}; and ${fix}`,
        };
        return results.filter(({ fitsLoosely }) => fitsLoosely).map(({ name }) => ({ name, diagnosis }));
      });
  }

  private readOtherwise(): readonly Read[] {
    const { checks, instance } = this;
    return (this.read ??= checks.readings(instance.options).flatMap((reading) => {
      try {
        const options = { ...instance.options, [reading.option]: reading.value };
        return [{ reading, answers: rightAnswers(checks, { ...instance, options }, this.options.kernels) }];
      } catch (error) {
        // Another value may not fit the shapes.
        if (error instanceof Refusal) return [];
        throw error;
      }
    }));
  }

  private pairs({ name }: Trial): readonly Diagnosis[] {
    this.paired ??= this.tryPairs();
    const { named, pairs } = this.paired;
    return distinct([
      ...named.filter((found) => found.name === name).map(({ diagnosis }) => diagnosis),
      ...ranked(pairs, name, 'fitsLoosely').map(({ alternative: { text } }) => diagnosisOf(text)),
    ]);
  }

  /** A mistake whose result was also multiplied by a named constant. */
  private scaledBy({ name, claimed, looser }: Trial, { text, tensor }: Alternative): Diagnosis | undefined {
    const value = tensor(name);
    if (!value || isUniform(value) || !sameShape(value.shape, claimed.shape)) return undefined;
    const ratio = ratioOf(claimed, value, looser);
    const factor = ratio === null ? undefined : nameOfFactor(ratio, this.constants());
    const isEnough = isEvidence(this.explained([name], 'looser'), 1);
    if (ratio === null || factor === undefined || !isEnough) return undefined;
    return {
      id: `${text.id}+scaled`,
      explanation: `Two mistakes at once. ${text.explanation} In addition, every value is multiplied by ${factor}, which is ${short(ratio)}.`,
      fix: `${text.fix}; and remove the factor ${factor}`,
    };
  }

  /** Tries pairs of mistakes on all claims that no single mistake explains. */
  private tryPairs(): Pairs {
    const unexplained = this.trials.filter(
      (trial) => !this.isRight.get(trial.name) && !isUniform(trial.claimed) && this.matching(trial, true).length === 0,
    );
    const names = new Set(unexplained.map(({ name }) => name));
    // A mistake that would make a correct claim wrong was not made.
    const known = this.tried.filter((each) => !this.contradicts(each));
    let left = this.options.pairs();
    if (left <= 0) return { named: [], pairs: [] };
    const named = this.ignoringUpstream(unexplained, left);
    left -= this.tried.length;
    const edited = (this.slips?.usualEdits(MOST_EDITS) ?? []).map((each) => tryOut(each, this.trials));
    const possible = [
      ...known,
      ...edited.filter((each) => !this.contradicts(each) && each.results.some(({ shows }) => shows)),
    ];
    left -= edited.length;
    const found: Tried[] = [];
    for (const { alternative, results } of possible) {
      if (left-- <= 0) return { named, pairs: found };
      for (const trial of unexplained) {
        if (!results.some(({ name, shows }) => shows && name === trial.name)) continue;
        const diagnosis = this.scaledBy(trial, alternative);
        if (diagnosis) named.push({ name: trial.name, diagnosis });
      }
      alternative.release();
    }
    for (const [first, second] of pairsOf(possible)) {
      if (first.alternative.text.id === second.alternative.text.id) continue;
      const showsInBoth = ({ name, shows }: Result) =>
        shows && names.has(name) && second.results.some((result) => result.name === name && result.shows);
      if (!first.results.some(showsInBoth)) continue;
      const both = first.alternative.and(second.alternative);
      if (!both) continue;
      if (left-- <= 0) return { named, pairs: found };
      if (both.edit && this.slips?.mayExplain(both.edit) === false) continue;
      const tried = tryOut(both, this.trials);
      // No claim may contradict it.
      if (tried.results.some(({ shows, fitsLoosely }) => shows && !fitsLoosely)) continue;
      found.push(...this.evident([tried], 'fitsLoosely', 1));
    }
    return { named, pairs: found };
  }

  indistinguishable(): Omit<HiddenMistake, 'try'>[] {
    const known = new Map<string, { text: MistakeText; tensors: Set<string>; shown: boolean }>();
    for (const { alternative, results } of this.tried) {
      const { text } = alternative;
      const entry = known.get(text.id) ?? { text, tensors: new Set<string>(), shown: false };
      known.set(text.id, entry);
      for (const { name, shows } of results) {
        entry.tensors.add(name);
        entry.shown ||= shows;
      }
    }
    return [...known.values()]
      .filter(({ tensors, shown }) => tensors.size > 0 && !shown)
      .map(({ text, tensors }) => ({
        id: text.id,
        tensors: [...tensors],
        hidden: text.hidden ?? 'it gives the correct result on this input',
      }));
  }

  /** Whether the input was too large to try all slips. */
  get isCut(): boolean {
    return !this.triesSlips || this.slips?.isCut === true;
  }

  statistics({ name, claimed, rounded: right, tolerance }: Trial, wrong: Uint8Array): Statistics {
    const { checks, instance } = this;
    const absent = checks.absent(instance);
    const names = checks.axes(name, instance.options, right.shape.length);
    const has = (option: string) => option in checks.layer.schemas.options.properties && !absent.has(option);
    return statisticsOf(claimed, right, wrong, { names, has, blocks: checks.blocks ?? {} }, tolerance);
  }
}

const explainedBy = ({ results }: Tried) => results.filter(({ fitsLoosely }) => fitsLoosely).length;

const isWrong = ({ claimed, rounded, looser }: Trial) => !isEqual(claimed, rounded, looser);

/** Right values up to this are zeros when printed with four decimals. Many mistakes result in zeros, too. */
const PRINTED_AS_ZERO = 5e-5;

function isPrintedAsZeros({ claimed, right }: Trial): boolean {
  return claimed.data.every((value) => value === 0) && right.data.every((value) => Math.abs(value) <= PRINTED_AS_ZERO);
}

function diagnosisOf({ id, explanation, fix }: MistakeText): Diagnosis {
  return { id, explanation, fix };
}

/** Several ways to make a mistake are one diagnosis. */
function distinct(diagnoses: readonly Diagnosis[]): Diagnosis[] {
  const seen = new Map<string, Diagnosis>();
  for (const diagnosis of diagnoses) {
    const isGeneral = diagnosis.id === 'other_option' || diagnosis.id.includes(':');
    const key = isGeneral ? diagnosis.explanation : diagnosis.id;
    if (!seen.has(key)) seen.set(key, diagnosis);
  }
  return [...seen.values()];
}
