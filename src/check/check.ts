/**
 * Holds what somebody's implementation computed against the right answer, and says what went wrong where they differ.
 *
 * A mistake is named only where the claim equals what it gives while the right answer differs from that; equivalent
 * formulas and rounding give the right answer, and are never named. Where nothing fits there are statistics.
 */
import { sameShape, type FloatDtype } from '../tensor/tensor.js';
import { rightAnswers } from './answers.js';
import { areClose, compare, indexOf, largestMagnitude, type Tolerance } from './compare.js';
import type { Call, Checks, Note, Tensors } from './definition.js';
import {
  decimalsOf,
  FLOAT32_RTOL,
  FLOAT64_NOISE,
  halfOf,
  looksLikeFloat32,
  looserFor,
  roundingOf,
} from './rounding.js';
import { isGradient, Search, type Indistinguishable, type SearchOptions } from './search.js';
import { shapeSentence, short, type Statistics } from './statistics.js';
import type { Trial } from './trial.js';
import type { Diagnosis } from './variants.js';

/** The tolerances where none are asked for, by dtype. */
export const TOLERANCES: Readonly<Record<FloatDtype, Tolerance>> = {
  float64: { rtol: 1e-6, atol: 1e-9 },
  float32: { rtol: 1e-4, atol: 1e-6 },
};

export interface CheckOptions extends SearchOptions {
  readonly dtype: FloatDtype;
  /** What was asked for, if anything was. */
  readonly rtol?: number | undefined;
  readonly atol?: number | undefined;
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

export interface Verdict extends Tolerance {
  readonly pass: boolean;
  readonly tensors: Readonly<Record<string, TensorVerdict>>;
  /** Mistakes that give the right answer on this input, so that the claims do not tell whether they were made. */
  readonly indistinguishable: readonly Indistinguishable[];
  readonly notes: readonly Note[];
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
