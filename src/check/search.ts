/**
 * The search for what was computed in the place of a right answer. First the known mistakes of the layer; then what may
 * have become of a right result (transposed, scaled, moved, another tensor) and options that were read otherwise; then
 * two mistakes at once.
 */
import type { Kernels } from '../kernels/kernels.js';
import { Refusal } from '../refusal.js';
import { sameShape } from '../tensor/tensor.js';
import { rightAnswers } from './answers.js';
import type { Tolerance } from './compare.js';
import { confusionOf } from './confusions.js';
import {
  canBeMade,
  type Alternative,
  type Call,
  type Checks,
  type Constants,
  type MistakeText,
  type Tensors,
} from './definition.js';
import { ratioOf, short, statisticsOf, type Statistics } from './statistics.js';
import { fits, isEqual, isUniform, ranked, tryOut, type Result, type Tried, type Trial } from './trial.js';
import { nameOfFactor, variantOf, type Diagnosis } from './variants.js';

export interface SearchOptions {
  readonly kernels: Kernels;
  /** Whether the input is small enough to compute what mistakes give; it is if nothing is said. */
  readonly searches?: boolean;
  /** How many pairs of mistakes may be tried; asked when nothing else was found. */
  readonly pairs: () => number;
}

export interface Indistinguishable {
  readonly id: string;
  readonly tensors: readonly string[];
  readonly hidden: string;
}

export function isGradient({ layer }: Checks, name: string): boolean {
  return name in layer.schemas.gradients.properties;
}

/**
 * The first way of every mistake, then the second ones, and so on: where there is not time for all pairs, those of the
 * many ways of one mistake are left.
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

/** With what explains another claim first: it was made, and something else beside it. */
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

/** Found in the claim of a tensor. */
interface Named {
  readonly name: string;
  readonly diagnosis: Diagnosis;
}

const UPSTREAM_IGNORED: Diagnosis = {
  id: 'upstream_ignored',
  explanation: 'The upstream gradient was taken for ones: the derivative is that of the sum of the output.',
  fix: 'multiply by dout',
};

/** Two mistakes at once. */
interface Pairs {
  readonly named: readonly Named[];
  readonly pairs: readonly Tried[];
}

/** Looks for what may have been computed. What one claim needs, the others use. */
export class Search {
  private readonly tried: readonly Tried[];
  private readings: readonly { readonly diagnosis: Diagnosis; readonly answers: Tensors }[] | undefined;
  private paired: Pairs | undefined;
  private ofOnes: Tensors | undefined;

  constructor(
    private readonly checks: Checks,
    private readonly call: Call,
    private readonly right: Tensors,
    claims: Tensors,
    private readonly trials: readonly Trial[],
    private readonly options: SearchOptions,
  ) {
    const alternatives = options.searches === false ? [] : checks.alternatives(call, right, claims);
    this.tried = alternatives
      .filter(({ text }) => canBeMade(text, call))
      .map((alternative) => tryOut(alternative, trials));
  }

  diagnose(trial: Trial): readonly Diagnosis[] {
    const known = this.known(trial);
    return known.length > 0 ? known : this.further(trial);
  }

  known(trial: Trial): readonly Diagnosis[] {
    return distinct(this.matching(trial).map(({ text }) => diagnosisOf(text)));
  }

  private matching({ name }: Trial): Alternative[] {
    const found = ranked(this.tried, name, 'fits');
    return found.length > 0 ? found : ranked(this.tried, name, 'fitsLoosely');
  }

  further(trial: Trial): readonly Diagnosis[] {
    const ignored = this.upstreamIgnored(trial);
    if (ignored) return [ignored];
    const variant = this.variant(trial, trial.tolerance) ?? this.variant(trial, trial.looser);
    if (variant) return [variant];
    const confusion = this.confusion(trial, trial.tolerance) ?? this.confusion(trial, trial.looser);
    if (confusion) return [confusion];
    const read = this.readOtherwise().filter(({ answers }) => fits(trial, answers[trial.name], trial.looser));
    if (read.length > 0) return distinct(read.map(({ diagnosis }) => diagnosis));
    return this.pairs(trial);
  }

  private variant({ name, claimed, right }: Trial, tolerance: Tolerance): Diagnosis | undefined {
    const { checks, call } = this;
    const constants = this.constants();
    return variantOf(
      claimed,
      right,
      checks.axes(name, call.options, right.shape.length),
      { constants, vectors: call.inputs },
      tolerance,
    );
  }

  private constants(): Constants {
    const { checks, call } = this;
    const sizes = Object.entries(call.upstream).map(([name, { data }]) => [`elements of ${name}`, data.length]);
    return { ...checks.constants(call), ...(Object.fromEntries(sizes) as Constants) };
  }

  private confusion({ name, claimed, right }: Trial, tolerance: Tolerance): Diagnosis | undefined {
    const { inputs, upstream } = this.call;
    return confusionOf(name, claimed, right, { answers: this.right, inputs, upstream }, tolerance);
  }

  private upstreamIgnored(trial: Trial): Diagnosis | undefined {
    if (!isGradient(this.checks, trial.name)) return undefined;
    this.ofOnes ??= rightAnswers(this.checks, this.callOfOnes(), this.options.kernels);
    return fits(trial, this.ofOnes[trial.name], trial.looser) ? UPSTREAM_IGNORED : undefined;
  }

  private callOfOnes(): Call {
    const ones = Object.entries(this.call.upstream).map(([name, { dtype, shape, data }]) => [
      name,
      { dtype, shape, data: new Float64Array(data.length).fill(1) },
    ]);
    return { ...this.call, upstream: Object.fromEntries(ones) as Tensors };
  }

  /** A mistake that was made with ones for the upstream gradient. */
  private ignoringUpstream(trials: readonly Trial[], most: number): Named[] {
    const gradients = trials.filter(({ name }) => isGradient(this.checks, name));
    if (gradients.length === 0) return [];
    return this.checks
      .alternatives(this.callOfOnes(), this.right, {})
      .filter(({ text }) => canBeMade(text, this.call))
      .slice(0, most)
      .flatMap((alternative) => {
        const { results } = tryOut(alternative, gradients);
        const { id, explanation, fix } = alternative.text;
        const diagnosis = {
          id: `${UPSTREAM_IGNORED.id}+${id}`,
          explanation: `Two mistakes at once. ${UPSTREAM_IGNORED.explanation} ${explanation}`,
          fix: `${UPSTREAM_IGNORED.fix}; and ${fix}`,
        };
        return results.filter(({ fitsLoosely }) => fitsLoosely).map(({ name }) => ({ name, diagnosis }));
      });
  }

  private readOtherwise() {
    const { checks, call } = this;
    return (this.readings ??= checks.readings(call.options).flatMap(({ option, value, because }) => {
      try {
        const options = { ...call.options, [option]: value };
        const answers = rightAnswers(checks, { ...call, options }, this.options.kernels);
        const [as, given] = [JSON.stringify(value), JSON.stringify(call.options[option])];
        const diagnosis = {
          id: 'other_option',
          explanation: `The right answer for ${option} ${as}: ${because}.`,
          fix: `use ${option} ${given}, as it was given`,
        };
        return [{ diagnosis, answers }];
      } catch (error) {
        // Another value need not fit the shapes.
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
      ...ranked(pairs, name, 'fitsLoosely').map(({ text }) => diagnosisOf(text)),
    ]);
  }

  /** A mistake, and its result times a number that has a name. */
  private scaledBy({ name, claimed, looser }: Trial, { text, tensor }: Alternative): Diagnosis | undefined {
    const value = tensor(name);
    if (!value || isUniform(value) || !sameShape(value.shape, claimed.shape)) return undefined;
    const ratio = ratioOf(claimed, value, looser);
    const factor = ratio === null ? undefined : nameOfFactor(ratio, this.constants());
    if (ratio === null || factor === undefined) return undefined;
    return {
      id: `${text.id}+scaled`,
      explanation: `Two mistakes at once. ${text.explanation} And every value of that is multiplied by ${factor}, which is ${short(ratio)}.`,
      fix: `${text.fix}; and leave the factor ${factor} out`,
    };
  }

  /** For all claims at once that nothing single explains. */
  private tryPairs(): Pairs {
    const isRight = ({ claimed, right, looser }: Trial) => isEqual(claimed, right, looser);
    const right = new Set(this.trials.filter(isRight).map(({ name }) => name));
    const unexplained = this.trials.filter(
      (trial) => !right.has(trial.name) && !isUniform(trial.claimed) && this.matching(trial).length === 0,
    );
    const names = new Set(unexplained.map(({ name }) => name));
    // What would make wrong what is right was not done.
    const possible = this.tried.filter(({ results }) => !results.some(({ name, shows }) => shows && right.has(name)));
    if (possible.length === 0) return { named: [], pairs: [] };
    let left = this.options.pairs();
    const named = this.ignoringUpstream(unexplained, left);
    left -= this.tried.length;
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
      const tried = tryOut(both, unexplained);
      if (tried.results.some(({ fitsLoosely }) => fitsLoosely)) found.push(tried);
    }
    return { named, pairs: found };
  }

  indistinguishable(): Indistinguishable[] {
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
        hidden: text.hidden ?? 'it gives the right answer on this input',
      }));
  }

  statistics({ name, claimed, right, tolerance }: Trial, wrong: Uint8Array): Statistics {
    return statisticsOf(
      claimed,
      right,
      wrong,
      this.checks.axes(name, this.call.options, right.shape.length),
      tolerance,
    );
  }
}

function diagnosisOf({ id, explanation, fix }: MistakeText): Diagnosis {
  return { id, explanation, fix };
}

/** Several ways to make a mistake are one diagnosis. */
function distinct(diagnoses: readonly Diagnosis[]): Diagnosis[] {
  const seen = new Map<string, Diagnosis>();
  for (const diagnosis of diagnoses) {
    const key = diagnosis.id === 'other_option' ? diagnosis.explanation : diagnosis.id;
    if (!seen.has(key)) seen.set(key, diagnosis);
  }
  return [...seen.values()];
}
