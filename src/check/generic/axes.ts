/** The slices of a claim along each of its axes. */
import { sameShape, sizeOf } from '../../tensor/tensor.js';
import type { Measured } from '../compare.js';
import { explainedIn, isEvidence } from '../evidence.js';
import { LONGEST_AXIS, slice } from '../statistics.js';
import type { Claim } from './definition.js';

export interface Axis {
  /** A phrase: `along axis 1 (channel)`. */
  readonly along: string;
  readonly size: number;
  readonly claimed: (index: number) => Measured;
  readonly right: (index: number) => Measured;
  /** Whether the slices at the indices that `isDetermined` accepts are enough evidence. */
  readonly isEvident: (isDetermined: (index: number) => boolean) => boolean;
}

/** The first result of `find` over the axes of 2 to LONGEST_AXIS indices; none if the claim has the wrong shape. */
export function alongAxes<Found>(
  { claimed, right, axes, tolerance }: Claim,
  find: (axis: Axis) => Found | undefined,
): Found | undefined {
  if (!sameShape(claimed.shape, right.shape)) return undefined;
  for (const [axis, size] of right.shape.entries()) {
    if (size < 2 || size > LONGEST_AXIS) continue;
    const slicesOf = (tensor: Measured) => {
      const slices: Measured[] = [];
      return (index: number) => (slices[index] ??= slice(tensor, axis, index));
    };
    const inner = sizeOf(right.shape.slice(axis + 1));
    const found = find({
      along: `along axis ${axis} (${axes[Math.min(axis, axes.length - 1)] ?? 'axis'})`,
      size,
      claimed: slicesOf(claimed),
      right: slicesOf(right),
      isEvident: (isDetermined) =>
        isEvidence(explainedIn(claimed, right, tolerance, (i) => isDetermined(Math.floor(i / inner) % size))),
    });
    if (found) return found;
  }
  return undefined;
}

/** Whether `isTrue` holds for every index from 0 to size − 1. */
export function every(size: number, isTrue: (index: number) => boolean): boolean {
  for (let i = 0; i < size; i++) if (!isTrue(i)) return false;
  return true;
}
