/**
 * Compares the results of an implementation with the right answers and, where they differ, says why.
 *
 * A mistake or slip is named only if the claim equals its result and the right answer does not. Equivalent formulas and
 * rounding are never reported as mistakes. A wrong tensor of the right shape also gets statistics.
 */
import {
  TOLERANCES,
  type CheckAnswer,
  type Diagnosis,
  type HiddenMistake,
  type Note,
  type TensorVerdict,
} from '../../schemas/check.js';
import { sameShape, type FloatDtype, type Tensor } from '../tensor/tensor.js';
import { rightAnswers } from './answers.js';
import type { BoundsOf } from './bounds/bounds.js';
import { boundsOf } from './bounds/bounds.js';
import { areClose, compare, indexOf, largestMagnitude, type Measured, type Tolerance } from './compare.js';
import type { Instance, Tensors } from '../layers/instance.js';
import type { Checks } from './definition.js';
import {
  FLOAT64_NOISE,
  inDtype,
  looksLikeFloat32,
  looserFor,
  printOf,
  shortestIn,
  UNIT_ROUNDOFF,
  type Print,
} from './rounding.js';
import { isGradient, Search, type SearchOptions } from './search.js';
import { shapeSentence, short } from './statistics.js';
import { isEqual, type Trial } from './trial.js';

export interface CheckOptions extends SearchOptions {
  readonly dtype: FloatDtype;
  /** Tolerances of the request, if it sets any. */
  readonly rtol?: number | undefined;
  readonly atol?: number | undefined;
}

/** The answer except for `try`, a request that exposes a hidden mistake: the check knows nothing of requests. */
export type Verdict = Omit<CheckAnswer, 'indistinguishable'> & {
  readonly indistinguishable: readonly Omit<HiddenMistake, 'try'>[];
};

export function check(checks: Checks, instance: Instance, claims: Tensors, options: CheckOptions): Verdict {
  const { dtype, kernels } = options;
  const asked: Tolerance = {
    rtol: options.rtol ?? TOLERANCES[dtype].rtol,
    atol: options.atol ?? TOLERANCES[dtype].atol,
  };
  const exact = rightAnswers(checks, instance, kernels);
  const right = Object.fromEntries(Object.entries(exact).map(([name, tensor]) => [name, inDtype(tensor, dtype)]));
  const bounds = new Map<number, BoundsOf>();
  const boundsFor = (unit: number): BoundsOf => {
    const known = bounds.get(unit) ?? boundsOf({ checks, instance, right: exact, unit, kernels });
    bounds.set(unit, known);
    return known;
  };
  let own: Tensors | undefined;
  const ownFor = () => (own ??= rightAnswers(checks, inFloat32(instance), kernels));
  const nonNegative = checks.nonNegative?.(instance) ?? [];
  const judged = Object.entries(claims).map(([name, claimed]) => {
    const isNonNegative = nonNegative.includes(name);
    return hold({ name, claimed, right: right[name], dtype, tolerance: asked, boundsFor, ownFor, isNonNegative });
  });
  const terms = Math.max(0, ...Object.values(instance.upstream).map(({ data }) => largestMagnitude(data)));
  const noise = (name: string) =>
    FLOAT64_NOISE * Math.max(largestMagnitude(right[name].data), isGradient(checks, name) ? terms : 0);
  const trials = judged.map(({ trial }) => trial);
  const search = new Search(checks, instance, right, claims, trials, options);
  const chosen = options.rtol !== undefined || options.atol !== undefined;

  const tensors: Record<string, TensorVerdict> = {};
  for (const held of judged) tensors[held.trial.name] = judge(held, search, { noise: noise(held.trial.name), chosen });
  return {
    pass: Object.values(tensors).every(({ pass }) => pass),
    ...asked,
    tensors,
    indistinguishable: search.indistinguishable(),
    notes: [
      ...notesOn(instance),
      ...(checks.notes?.(instance) ?? []),
      ...(options.searches === false ? [TOO_LARGE] : []),
      ...(options.searches !== false && search.isCut && isUnexplained(tensors) ? [SLIPS_NOT_TRIED] : []),
    ],
  };
}

/** A claim, and what its digits reveal: how it was printed, and in which precision it was computed. */
interface Held {
  readonly trial: Trial;
  readonly print: Print | undefined;
  /** Whether the values have only float32 precision although the request's dtype is float64. */
  readonly isShorter: boolean;
}

interface Holding extends Pick<Trial, 'name' | 'claimed' | 'right' | 'dtype' | 'tolerance'> {
  readonly boundsFor: (unit: number) => BoundsOf;
  /** The answers computed in float32. */
  readonly ownFor: () => Tensors;
  /** Whether rounding cannot make a value negative. */
  readonly isNonNegative: boolean;
}

function hold({ name, claimed, right, dtype, tolerance, boundsFor, ownFor, isNonNegative }: Holding): Held {
  const print = printOf(claimed, dtype);
  const isShorter = dtype === 'float64' && looksLikeFloat32(claimed);
  const bare = { name, dtype, claimed: { ...claimed, room: print?.room }, right, tolerance };
  if (isEqual(claimed, right, tolerance))
    return { trial: { ...bare, rounded: right, looser: tolerance }, print, isShorter };
  const unit = isShorter ? UNIT_ROUNDOFF.float32 : UNIT_ROUNDOFF[dtype];
  const { [name]: bound } = boundsFor(unit);
  const isPossible = (i: number) => !(isNonNegative && claimed.data[i] < 0);
  const room = Float64Array.from(right.data, (_, i) => (isPossible(i) ? (bound?.[i] ?? 0) : 0));
  const looser = looserFor(claimed, right, tolerance, room, unit);
  return { trial: { ...bare, rounded: { ...overflowing(bare, ownFor), room }, looser }, print, isShorter };
}

/** The terms of a finite sum may overflow in float32: where its arithmetic gives an infinity or NaN, so may a claim. */
function overflowing(
  { name, claimed, right, dtype }: Pick<Trial, 'name' | 'claimed' | 'right' | 'dtype'>,
  ownFor: () => Tensors,
): Tensor {
  const isFinite = (value: number) => Number.isFinite(value);
  if (dtype !== 'float32' || !(right.data instanceof Float64Array) || claimed.data.every(isFinite)) return right;
  if (!sameShape(claimed.shape, right.shape)) return right;
  const { data: own } = ownFor()[name];
  const overflows = (i: number) => !isFinite(claimed.data[i]) && Object.is(own[i], claimed.data[i]);
  return { ...right, data: right.data.map((value, i) => (overflows(i) ? own[i] : value)) };
}

function inFloat32(instance: Instance): Instance {
  const rounded = (tensors: Tensors): Tensors =>
    Object.fromEntries(
      Object.entries(tensors).map(([name, { shape, data }]) => [
        name,
        { shape, data: data instanceof Float64Array ? Float32Array.from(data) : data },
      ]),
    );
  return { ...instance, inputs: rounded(instance.inputs), upstream: rounded(instance.upstream) };
}

interface Judging {
  /** Error of float64 arithmetic. A gradient near 0 may be the sum of terms as large as the upstream gradient. */
  readonly noise: number;
  /** Whether the client chose a tolerance; if so, only that tolerance decides. */
  readonly chosen: boolean;
}

function judge({ trial, print, isShorter }: Held, search: Search, { noise, chosen }: Judging): TensorVerdict {
  const { name, claimed, right, rounded, dtype, tolerance } = trial;
  if (!sameShape(claimed.shape, right.shape))
    return {
      pass: false,
      max_absolute_error: null,
      max_relative_error: null,
      worst: null,
      detail: shapeSentence(name, claimed, right),
      ...named(search.diagnose(trial)),
    };
  const bare = { ...claimed, room: undefined };
  const { maxAbsoluteError, maxRelativeError, worst, wrong } = compare(bare, right, tolerance);
  const errors = {
    max_absolute_error: maxAbsoluteError,
    max_relative_error: maxRelativeError,
    worst: {
      index: indexOf(worst, right.shape),
      expected: shortestIn(right.data[worst], dtype),
      claimed: shortestIn(claimed.data[worst], dtype),
    },
  };
  const isPrinted = print !== undefined && areClose(claimed, right, { rtol: FLOAT64_NOISE, atol: noise });
  const ofRounding = isShorter ? float32Note(maxAbsoluteError) : roundingNote(dtype);
  if (!wrong.includes(1)) {
    const isFloat32 = isShorter && !isPrinted && maxAbsoluteError > noise;
    return { pass: true, ...errors, diagnosis: [], notes: isFloat32 ? [ofRounding] : [] };
  }

  // Printing, rounding, or both: the first that explains the differences counts.
  const ways: readonly (readonly [Measured, Measured, readonly Note[]])[] = [
    ...(print ? [[claimed, right, [printNote(print, chosen)]] as const] : []),
    [bare, rounded, [ofRounding]],
    ...(print ? [[claimed, rounded, [printNote(print, chosen), roundingNote('float32')]] as const] : []),
  ];
  const notes = ways.find(([ours, theirs]) => areClose(ours, theirs, tolerance))?.[2];
  if (notes && !chosen) return { pass: true, ...errors, diagnosis: [], notes };
  if (notes) return { pass: false, ...errors, diagnosis: [], notes, statistics: search.statistics(trial, wrong) };
  return {
    pass: false,
    ...errors,
    ...named(search.diagnose(trial)),
    statistics: search.statistics(trial, compare(claimed, rounded, tolerance).wrong),
  };
}

function float32Note(error: number): Note {
  return {
    id: 'float32_arithmetic',
    explanation: `The values have only the precision of float32, although dtype is float64: the largest error is ${short(error)}.`,
  };
}

function roundingNote(dtype: FloatDtype): Note {
  return {
    id: 'rounding',
    explanation: `Some values differ by more than the tolerance, but by no more than the possible rounding error of that element in ${dtype}.`,
  };
}

function printNote({ precision }: Print, chosen: boolean): Note {
  const right = `Correct to ${precision}, all that the claim has`;
  return {
    id: 'rounded',
    explanation: chosen ? `${right}, but not within the requested tolerance: send more digits.` : `${right}.`,
  };
}

/** Naming more would not help to find the mistake. */
const MOST_NAMED = 3;

/** The best of the mistakes that fit, and how many there are. */
function named(fitting: readonly Diagnosis[]): Pick<TensorVerdict, 'diagnosis' | 'notes'> {
  const others = fitting.length - MOST_NAMED;
  const more = others > 0 ? `, and ${others === 1 ? 'one other does' : `${others} others do`} too` : '';
  const several: Note = {
    id: 'several_fit',
    explanation: `Each of these mistakes gives exactly this result here${more}: to tell them apart, claim the other tensors too, or try another input.`,
  };
  return { diagnosis: fitting.slice(0, MOST_NAMED), notes: fitting.length > 1 ? [several] : [] };
}

const TOO_LARGE: Note = {
  id: 'mistakes_not_tried',
  explanation:
    'The input is too large to compute what the known mistakes would give: the claims were only compared with the correct results. Try a smaller input.',
};

const SLIPS_NOT_TRIED: Note = {
  id: 'slips_not_tried',
  explanation: 'The input is too large to try all slips in the formulas. Try a smaller input.',
};

const isUnexplained = (tensors: Readonly<Record<string, TensorVerdict>>): boolean =>
  Object.values(tensors).some(({ pass, diagnosis }) => !pass && diagnosis.length === 0);

function notesOn({ upstream }: Instance): Note[] {
  return Object.entries(upstream)
    .filter(([, { data }]) => data.length > 1 && data.every((value) => value === data[0]))
    .map(([name, { data }]) => ({
      id: 'uniform_upstream',
      explanation: `Every value of ${name} is ${data[0]}: such an upstream gradient hides mistakes. Use one that varies.`,
    }));
}
