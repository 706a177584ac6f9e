/** Claims, and what may have been computed in their place, held against each other. */
import { sameShape, type Tensor } from '../tensor/tensor.js';
import { areClose, largestDistance, type Tolerance } from './compare.js';
import type { Alternative } from './definition.js';

/**
 * A mistaken result must be this much nearer to the claim than the right one is: near each other, the two are told
 * apart by rounding alone.
 */
const NEARER = 0.1;

/** What a claim is held against. */
export interface Trial {
  readonly name: string;
  readonly claimed: Tensor;
  readonly right: Tensor;
  readonly tolerance: Tolerance;
  /** By which mistakes are looked for that nothing equals within the tolerance: as coarse as the claim's own digits. */
  readonly looser: Tolerance;
}

/** Whether the claim is `other`, and not the right answer. */
export function fits({ claimed, right }: Trial, other: Tensor | undefined, tolerance: Tolerance): boolean {
  if (!other || !isEqual(claimed, other, tolerance)) return false;
  if (!sameShape(other.shape, right.shape)) return true;
  if (areClose(other.data, right.data, tolerance)) return false;
  return largestDistance(claimed.data, other.data) <= NEARER * largestDistance(claimed.data, right.data);
}

/** An alternative held against one claim. */
export interface Result {
  readonly name: string;
  /** Whether it differs from the right answer. */
  readonly shows: boolean;
  readonly fits: boolean;
  /** Within the looser tolerance. */
  readonly fitsLoosely: boolean;
}

/** An alternative held against the claims. */
export interface Tried {
  readonly alternative: Alternative;
  readonly results: readonly Result[];
  /** Claims that it agrees with, less those that it contradicts. */
  readonly score: number;
  /** Tensors that it makes wrong and that nothing was claimed of. */
  readonly unclaimed: number;
}

/** One alternative's values are in memory at a time. */
export function tryOut(alternative: Alternative, trials: readonly Trial[]): Tried {
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

export function isEqual(claimed: Tensor, expected: Tensor, tolerance: Tolerance): boolean {
  return sameShape(claimed.shape, expected.shape) && areClose(claimed.data, expected.data, tolerance);
}

/** One number everywhere: many pairs of mistakes come to 0, and none of them is known to have been made. */
export function isUniform({ data }: Tensor): boolean {
  return data.length > 1 && data.every((value) => value === data[0]);
}

/**
 * Those that fit the claim of a tensor: first those whose other tensors agree with the other claims; then those that
 * say least of what was not claimed; then in the order of the catalogue.
 */
export function ranked(tried: readonly Tried[], name: string, how: 'fits' | 'fitsLoosely'): Alternative[] {
  return tried
    .filter(({ results }) => results.some((result) => result.name === name && result[how]))
    .sort((a, b) => b.score - a.score || a.unclaimed - b.unclaimed)
    .map(({ alternative }) => alternative);
}
