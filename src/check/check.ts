/**
 * Holds what somebody's implementation computed against the right answer, and says what went wrong where they differ.
 *
 * First the known mistakes of the layer; then what may have become of a right result (transposed, scaled, moved) and
 * options that were read otherwise; then two mistakes at once. A mistake is named only where the claim equals what it
 * gives while the right answer differs from that; equivalent formulas and rounding give the right answer, and are
 * never named. Where nothing fits there are statistics.
 */
import type { Kernels } from '../kernels/kernels.js';
import { Refusal } from '../refusal.js';
import { sameShape, type FloatDtype, type Tensor } from '../tensor/tensor.js';
import { areClose, compare, indexOf, largestDistance, largestMagnitude, type Tolerance } from './compare.js';
import {
  canBeMade,
  type Alternative,
  type Call,
  type Checks,
  type Constants,
  type MistakeText,
  type Note,
  type Tensors,
} from './definition.js';
import { confusionOf } from './confusions.js';
import { ratioOf, shapeSentence, short, statisticsOf, type Statistics } from './statistics.js';
import { nameOfFactor, variantOf, type Diagnosis } from './variants.js';

/** The tolerances where none are asked for, by dtype. */
export const TOLERANCES: Readonly<Record<FloatDtype, Tolerance>> = {
  float64: { rtol: 1e-6, atol: 1e-9 },
  float32: { rtol: 1e-4, atol: 1e-6 },
};

export interface CheckOptions {
  readonly dtype: FloatDtype;
  /** What was asked for, if anything was. */
  readonly rtol?: number | undefined;
  readonly atol?: number | undefined;
  readonly kernels: Kernels;
  /** Whether the input is small enough to compute what mistakes give; it is if nothing is said. */
  readonly searches?: boolean;
  /** How many pairs of mistakes may be tried; asked when nothing else was found. */
  readonly pairs: () => number;
}

export interface TensorVerdict {
  readonly pass: boolean;
  /** Nothing where the shapes differ. */
  readonly max_absolute_error: number | null;
  readonly max_relative_error: number | null;
  readonly worst: { readonly index: readonly number[]; readonly expected: number; readonly claimed: number } | null;
  /** Where the shapes differ. */
  readonly detail?: string;
  readonly diagnosis: readonly Diagnosis[];
  readonly notes: readonly Note[];
  readonly statistics?: Statistics;
}

export interface Indistinguishable {
  readonly id: string;
  readonly tensors: readonly string[];
  readonly hidden: string;
}

export interface Verdict extends Tolerance {
  readonly pass: boolean;
  readonly tensors: Readonly<Record<string, TensorVerdict>>;
  /** Mistakes that give the right answer on this input, so that the claims do not tell whether they were made. */
  readonly indistinguishable: readonly Indistinguishable[];
  readonly notes: readonly Note[];
}

/** Everything that the layer answers, forward and, with an upstream gradient, backward. */
export function rightAnswers(
  { layer, forward }: Pick<Checks, 'layer' | 'forward'>,
  call: Call,
  kernels: Kernels,
): Tensors {
  const plan = layer.plan(call.inputs, call.options);
  const { outputs, cache } = forward ? forward(call, plan, kernels) : layer.forward(call.inputs, plan, kernels);
  const tensors = Object.entries(outputs as Record<string, unknown>).filter(([, value]) => typeof value === 'object');
  const answers = Object.fromEntries(tensors) as Record<string, Tensor>;
  if (Object.keys(call.upstream).length === 0) return answers;
  return { ...answers, ...(layer.backward(cache, plan, call.upstream, kernels) as Tensors) };
}

/**
 * A mistaken result must be this much nearer to the claim than the right one is: near each other, the two are told
 * apart by rounding alone.
 */
const NEARER = 0.1;

/** What a claim is held against. */
interface Trial {
  readonly name: string;
  readonly claimed: Tensor;
  readonly right: Tensor;
  readonly tolerance: Tolerance;
  /** By which mistakes are looked for that nothing equals within the tolerance: as coarse as the claim's own digits. */
  readonly looser: Tolerance;
}

/** Whether the claim is `other`, and not the right answer. */
function fits({ claimed, right }: Trial, other: Tensor | undefined, tolerance: Tolerance): boolean {
  if (!other || !isEqual(claimed, other, tolerance)) return false;
  if (!sameShape(other.shape, right.shape)) return true;
  if (areClose(other.data, right.data, tolerance)) return false;
  return largestDistance(claimed.data, other.data) <= NEARER * largestDistance(claimed.data, right.data);
}

const SIGNIFICANT_FLOAT32 = 9;

/** Whether all values are ones of float32, written in full or as the shortest decimal. */
function looksLikeFloat32({ data }: Tensor): boolean {
  return data.every(
    (value) => Math.fround(value) === value || Number(value.toPrecision(SIGNIFICANT_FLOAT32)) === value,
  );
}

/** Decimals that a claim was rounded to, if that is how it was printed. Fewer are what small numbers have anyway. */
const [FEWEST_DECIMALS, MOST_DECIMALS] = [2, 8];
function decimalsOf({ data }: Tensor): number | undefined {
  for (let decimals = FEWEST_DECIMALS; decimals <= MOST_DECIMALS; decimals++) {
    const scale = 10 ** decimals;
    if (data.every((value) => Math.abs(value * scale - Math.round(value * scale)) <= 1e-9 * Math.abs(value * scale)))
      return decimals;
  }
  return undefined;
}

export function check(checks: Checks, call: Call, claims: Tensors, options: CheckOptions): Verdict {
  const { dtype, kernels } = options;
  const asked: Tolerance = {
    rtol: options.rtol ?? TOLERANCES[dtype].rtol,
    atol: options.atol ?? TOLERANCES[dtype].atol,
  };
  const right = rightAnswers(checks, call, kernels);
  const rounding = roundingOf(checks, call, right, kernels);
  const chosen = options.rtol !== undefined || options.atol !== undefined;
  const trials = Object.entries(claims).map(([name, claimed]): Trial => {
    const allowance = dtype === 'float32' && !chosen ? rounding(name) : 0;
    const tolerance = { ...asked, atol: asked.atol + allowance };
    const looser = looserFor(claimed, right[name], tolerance, () => rounding(name));
    return { name, claimed, right: right[name], tolerance, looser };
  });
  const terms = Math.max(0, ...Object.values(call.upstream).map(({ data }) => largestMagnitude(data)));
  const noise = (name: string) =>
    FLOAT64_NOISE * Math.max(largestMagnitude(right[name].data), isGradient(checks, name) ? terms : 0);
  const search = new Search(checks, call, right, claims, trials, options);

  const tensors: Record<string, TensorVerdict> = {};
  for (const trial of trials) tensors[trial.name] = judge(trial, search, { rounding, noise, chosen, dtype });
  return {
    pass: Object.values(tensors).every(({ pass }) => pass),
    ...asked,
    tensors,
    indistinguishable: search.indistinguishable(),
    notes: [...notesOn(call), ...(checks.notes?.(call) ?? []), ...(options.searches === false ? [TOO_LARGE] : [])],
  };
}

function isGradient({ layer }: Checks, name: string): boolean {
  return name in layer.schemas.gradients.properties;
}

interface Rounding {
  /** How far float32 takes a tensor's values from the right ones. */
  readonly rounding: (name: string) => number;
  /** How far float64 may: a gradient may come to nothing of terms that are as large as what came from above. */
  readonly noise: (name: string) => number;
  /** Whether the client chose a tolerance. */
  readonly chosen: boolean;
  readonly dtype: FloatDtype;
}

function judge(trial: Trial, search: Search, { rounding, noise, chosen, dtype }: Rounding): TensorVerdict {
  const { name, claimed, right, tolerance, looser } = trial;
  if (!sameShape(claimed.shape, right.shape))
    return {
      pass: false,
      max_absolute_error: null,
      max_relative_error: null,
      worst: null,
      detail: shapeSentence(name, claimed, right),
      diagnosis: search.diagnose(trial),
      notes: [],
    };
  const { maxAbsoluteError, maxRelativeError, worst, wrong } = compare(claimed.data, right.data, tolerance);
  const errors = {
    max_absolute_error: maxAbsoluteError,
    max_relative_error: maxRelativeError,
    worst: {
      index: indexOf(worst, right.shape),
      expected: right.data[worst],
      claimed: claimed.data[worst],
    },
  };
  const float32: Note = {
    id: 'float32_arithmetic',
    explanation: `The values have the precision of float32, where float64 was claimed: the largest error is ${short(maxAbsoluteError)}.`,
  };
  const isFloat32 =
    dtype === 'float64' &&
    looksLikeFloat32(claimed) &&
    maxAbsoluteError > noise(name) &&
    areClose(claimed.data, right.data, { rtol: FLOAT32_RTOL, atol: rounding(name) });
  if (!wrong.includes(1)) return { pass: true, ...errors, diagnosis: [], notes: isFloat32 ? [float32] : [] };

  const known = search.known(trial);
  if (known.length === 0 && isFloat32 && !chosen) return { pass: true, ...errors, diagnosis: [], notes: [float32] };
  const coarsely = compare(claimed.data, right.data, looser).wrong;
  const isCoarse = !coarsely.includes(1);
  const decimals = decimalsOf(claimed);
  if (known.length === 0 && isCoarse && decimals !== undefined && !isFloat32)
    return {
      pass: false,
      ...errors,
      diagnosis: [],
      notes: [
        {
          id: 'rounded',
          explanation: `The right values, rounded to ${decimals} decimals: claim more of them, or ask for atol ${short(halfOf(decimals))}.`,
        },
      ],
      statistics: search.statistics(trial, wrong),
    };
  return {
    pass: false,
    ...errors,
    diagnosis: known.length > 0 || isCoarse ? known : search.further(trial),
    notes: [...(isFloat32 ? [float32] : []), ...(known.length > 1 ? [SEVERAL_FIT] : [])],
    statistics: search.statistics(trial, isCoarse ? wrong : coarsely),
  };
}

const SEVERAL_FIT: Note = {
  id: 'several_fit',
  explanation:
    'Each of these mistakes gives this very result here: claim the other tensors too, or try another input, to tell them apart.',
};

/** Half a unit of the last decimal, and what its own representation adds. */
const halfOf = (decimals: number) => 0.5 * 10 ** -decimals * (1 + 1e-6);

/**
 * What was computed in float32, or printed with a few decimals, equals the result of a mistake no nearer than that:
 * by the tolerance of float64 no mistake would be found in it.
 */
function looserFor(claimed: Tensor, right: Tensor, tolerance: Tolerance, rounding: () => number): Tolerance {
  const decimals = decimalsOf(claimed);
  const half = decimals === undefined ? 0 : halfOf(decimals);
  const rounded = { ...tolerance, atol: Math.max(tolerance.atol, half) };
  if (!looksLikeFloat32(claimed)) return rounded;
  // A mistake may have made the terms of its sums larger.
  const larger = Math.max(1, largestMagnitude(claimed.data) / largestMagnitude(right.data) || 1);
  const ofFloat32 = rounding() * (Number.isFinite(larger) ? larger : 1);
  return { rtol: Math.max(rounded.rtol, FLOAT32_RTOL), atol: Math.max(rounded.atol, ofFloat32) };
}

/** Beyond a rounding of each result, what a sum of float32 may lose. */
const FLOAT32_RTOL = 1e-5;

/** Of the terms of a sum, what sums of float64 lose at the most. */
const FLOAT64_NOISE = 1e-13;

/** What sums in another order, or one after the other, lose beyond what the layer itself loses in float32. */
const ORDERS = 16;

/** For each tensor, how far float32 takes its values from the right ones; computed when first asked. */
function roundingOf(checks: Checks, call: Call, right: Tensors, kernels: Kernels): (name: string) => number {
  let rounded: Tensors | undefined;
  return (name) => {
    rounded ??= rightAnswers(checks, inFloat32(call), kernels);
    const unit = 2 ** -23 * largestMagnitude(right[name].data);
    const apart = largestDistance(rounded[name].data, right[name].data);
    return ORDERS * Math.max(unit, Number.isFinite(apart) ? apart : 0);
  };
}

function inFloat32(call: Call): Call {
  const rounded = (tensors: Tensors): Tensors =>
    Object.fromEntries(
      Object.entries(tensors).map(([name, { dtype, shape, data }]) =>
        dtype === 'float64'
          ? [name, { dtype: 'float32', shape, data: Float32Array.from(data) }]
          : [name, { dtype, shape, data }],
      ),
    );
  return { ...call, inputs: rounded(call.inputs), upstream: rounded(call.upstream) };
}

const TOO_LARGE: Note = {
  id: 'mistakes_not_tried',
  explanation:
    'The input is too large to compute what the known mistakes would give: the claims were compared with the right answers alone. Try a smaller one.',
};

function notesOn({ upstream }: Call): Note[] {
  return Object.entries(upstream)
    .filter(([, { data }]) => data.length > 1 && data.every((value) => value === data[0]))
    .map(([name, { data }]) => ({
      id: 'uniform_upstream',
      explanation: `Every value of ${name} is ${data[0]}: such an upstream gradient hides mistakes. Try one that varies.`,
    }));
}

/** An alternative held against one claim. */
interface Result {
  readonly name: string;
  /** Whether it differs from the right answer. */
  readonly shows: boolean;
  readonly fits: boolean;
  /** Within the looser tolerance. */
  readonly fitsLoosely: boolean;
}

/** An alternative held against the claims. */
interface Tried {
  readonly alternative: Alternative;
  readonly results: readonly Result[];
  /** Claims that it agrees with, less those that it contradicts. */
  readonly score: number;
  /** Tensors that it makes wrong and that nothing was claimed of. */
  readonly unclaimed: number;
}

/** One alternative's values are in memory at a time. */
function tryOut(alternative: Alternative, trials: readonly Trial[]): Tried {
  let score = 0;
  const results = trials
    .filter(({ name }) => alternative.text.tensors.includes(name))
    .map((trial) => {
      const value = alternative.tensor(trial.name);
      score += value && isEqual(trial.claimed, value, trial.looser) ? 1 : -1;
      const shows = value !== undefined && !isEqual(value, trial.right, trial.tolerance);
      return {
        name: trial.name,
        shows,
        fits: shows && fits(trial, value, trial.tolerance),
        fitsLoosely: shows && fits(trial, value, trial.looser),
      };
    });
  alternative.release();
  return { alternative, results, score, unclaimed: alternative.text.tensors.length - results.length };
}

function isEqual(claimed: Tensor, expected: Tensor, tolerance: Tolerance): boolean {
  return sameShape(claimed.shape, expected.shape) && areClose(claimed.data, expected.data, tolerance);
}

/** One number everywhere: many pairs of mistakes come to 0, and none of them is known to have been made. */
function isUniform({ data }: Tensor): boolean {
  return data.length > 1 && data.every((value) => value === data[0]);
}

/**
 * Those that fit the claim of a tensor: first those whose other tensors agree with the other claims; then those that
 * say least of what was not claimed; then in the order of the catalogue.
 */
function ranked(tried: readonly Tried[], name: string, how: 'fits' | 'fitsLoosely'): Alternative[] {
  return tried
    .filter(({ results }) => results.some((result) => result.name === name && result[how]))
    .sort((a, b) => b.score - a.score || a.unclaimed - b.unclaimed)
    .map(({ alternative }) => alternative);
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
class Search {
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
    private readonly options: CheckOptions,
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
