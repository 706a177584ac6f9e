/** Values that were never computed: all of them, or the first or the last along an axis. */
import { sameShape } from '../../tensor/tensor.js';
import { areClose, type Measured } from '../compare.js';
import type { Claim, GenericMistake, Sentences } from './definition.js';

/** The values from `start` on along an axis, as many as `size`. */
function range({ shape, data, room }: Measured, axis: number, start: number, size: number): Measured {
  const inner = shape.slice(axis + 1).reduce((product, each) => product * each, 1);
  const outer = data.length / (inner * shape[axis]);
  const taken = (values: ArrayLike<number>) =>
    Float64Array.from({ length: outer * size * inner }, (_, i) => {
      const [block, rest] = [Math.floor(i / (size * inner)), i % (size * inner)];
      return values[block * shape[axis] * inner + start * inner + rest];
    });
  return { shape: shape.with(axis, size), data: taken(data), room: room && taken(room) };
}

function shortened({ claimed, right, axes, tolerance }: Claim): Sentences | undefined {
  if (claimed.shape.length !== right.shape.length || claimed.data.length === 0) return undefined;
  const differing = right.shape.flatMap((size, axis) => (size === claimed.shape[axis] ? [] : [axis]));
  const [axis] = differing;
  if (differing.length !== 1 || claimed.shape[axis] > right.shape[axis]) return undefined;
  const missing = right.shape[axis] - claimed.shape[axis];
  for (const start of [0, missing]) {
    const part = range(right, axis, start, claimed.shape[axis]);
    if (!sameShape(part.shape, claimed.shape) || !areClose(claimed, part, tolerance)) continue;
    const which = start === 0 ? 'last' : 'first';
    const many = missing === 1 ? `The ${which} slice` : `The ${which} ${missing} slices`;
    return {
      explanation: `${many} along axis ${axis} (${axes[Math.min(axis, axes.length - 1)] ?? 'axis'}) ${missing === 1 ? 'is' : 'are'} missing; the other values are correct.`,
      fix: `compute all ${right.shape[axis]}`,
    };
  }
  return undefined;
}

/** What is 0 after rounding, too, says nothing; nor does a single element. */
function neverComputed({ name, claimed, right, tolerance }: Claim): Sentences | undefined {
  const isZero = (value: number) => Math.abs(value) <= tolerance.atol;
  if (!claimed.data.every((value) => value === 0)) return undefined;
  if (!sameShape(claimed.shape, right.shape) || Array.from(right.data).filter((value) => !isZero(value)).length < 2)
    return undefined;
  return {
    explanation: `Every value of ${name} is 0: it was never computed, or what was computed was never written to it.`,
    fix: `compute ${name}, and return it`,
  };
}

export const nothing: GenericMistake = {
  id: 'never_computed',
  explanation: 'Every value is 0: the tensor was never computed, or what was computed was never written to it.',
  fix: 'compute it, and return it',
  hidden: 'all values are 0',
  fitted: 0,
  find: neverComputed,
};

export const lengths: readonly GenericMistake[] = [
  {
    id: 'shortened',
    explanation: 'The first or the last values along an axis are missing.',
    fix: 'compute all of them: begin at 0, and end at the size of the axis',
    fitted: 0,
    find: shortened,
  },
];
