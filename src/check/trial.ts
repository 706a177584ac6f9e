/** Compares claims with the results of possible mistakes. */
import { sameShape, type FloatDtype, type Tensor } from '../tensor/tensor.js';
import { areClose, largestDistance, type Measured, type Tolerance } from './compare.js';
import type { Alternative } from './definition.js';
import { inDtype } from './rounding.js';

/**
 * The distance from a claim to a mistaken result may be at most this fraction of the distance to the right one. If the
 * two results are closer to each other than that, only rounding tells them apart.
 */
export const NEARER = 0.1;

/** A claim, and what it is compared with. */
export interface Trial {
  readonly name: string;
  /** The dtype of the request; results are rounded to it before they are compared. */
  readonly dtype: FloatDtype;
  /** With room for its last digit if it was printed with few digits. */
  readonly claimed: Measured;
  readonly right: Measured;
  /** The right values with room for rounding, or without room if the claim is within the tolerance anyway. */
  readonly rounded: Measured;
  readonly tolerance: Tolerance;
  /** Used to search for mistakes if none matches within `tolerance`. */
  readonly looser: Tolerance;
}

/** Whether the claim equals `given` but not the right answer. */
export function fits({ claimed, right, dtype }: Trial, given: Tensor | undefined, tolerance: Tolerance): boolean {
  const other = given && inDtype(given, dtype);
  if (!other || !isEqual(claimed, other, tolerance)) return false;
  if (!sameShape(other.shape, right.shape)) return true;
  if (areClose(other, right, tolerance)) return false;
  return largestDistance(claimed, other) <= NEARER * largestDistance(claimed, right);
}

/** An alternative compared with one claim. */
export interface Result {
  readonly name: string;
  /** Whether it differs from the right answer. */
  readonly shows: boolean;
  readonly fits: boolean;
  /** Within the looser tolerance. */
  readonly fitsLoosely: boolean;
}

/** An alternative compared with all claims. */
export interface Tried {
  readonly alternative: Alternative;
  readonly results: readonly Result[];
  /** Number of claims that it agrees with, minus the number that it contradicts. */
  readonly score: number;
  /** Number of tensors that it makes wrong and that were not claimed. */
  readonly unclaimed: number;
}

/** Releases the values of the alternative afterwards: those of only one are in memory at a time. */
export function tryOut(alternative: Alternative, trials: readonly Trial[]): Tried {
  let score = 0;
  const results = trials
    .filter(({ name }) => alternative.text.tensors.includes(name))
    .map((trial) => {
      const given = alternative.tensor(trial.name);
      const value = given && inDtype(given, trial.dtype);
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

export function isEqual(claimed: Measured, expected: Measured, tolerance: Tolerance): boolean {
  return sameShape(claimed.shape, expected.shape) && areClose(claimed, expected, tolerance);
}

/** Whether all values are equal. Many pairs of mistakes give 0 everywhere, so such values are no evidence. */
export function isUniform({ data }: Tensor): boolean {
  return data.length > 1 && data.every((value) => value === data[0]);
}

/**
 * The alternatives that fit the claim of a tensor, best first: those that agree with most of the other claims, then
 * those with the fewest unclaimed tensors, then in the order of their list.
 */
export function ranked(tried: readonly Tried[], name: string, how: 'fits' | 'fitsLoosely'): Tried[] {
  return tried
    .filter(({ results }) => results.some((result) => result.name === name && result[how]))
    .sort((a, b) => b.score - a.score || a.unclaimed - b.unclaimed);
}
