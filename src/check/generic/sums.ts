/** The right values summed over too many axes, or over too few. */
import { sameShape, sizeOf, type Shape, type Tensor } from '../../tensor/tensor.js';
import { areClose, indexOf, type Measured, type Tolerance, type Values } from '../compare.js';
import type { GenericMistake } from './definition.js';

/** Sums over the axes that `isSummed` accepts. */
function sumOver({ shape, data, room }: Measured, isSummed: (axis: number) => boolean): Values {
  const left = sizeOf(shape.filter((_, axis) => !isSummed(axis)));
  const summed = (values: Tensor['data']) => {
    const sums = new Float64Array(left);
    values.forEach((value: number, i: number) => {
      const place = indexOf(i, shape);
      let at = 0;
      shape.forEach((size, axis) => {
        if (!isSummed(axis)) at = at * size + place[axis];
      });
      sums[at] += value;
    });
    return sums;
  };
  return { data: summed(data), room: room && summed(room) };
}

/** Axes of size 1 do not matter. */
const essential = (shape: Shape) => shape.filter((size) => size > 1);

/** Each additional axis doubles the number of choices. */
const MOST_AXES = 6;

/** A phrase that names the axes over which `more` sums to `fewer`, if there are any. */
function summedAxes(more: Measured, fewer: Measured, tolerance: Tolerance): string | undefined {
  if (more.data.length <= fewer.data.length || more.shape.length > MOST_AXES) return undefined;
  const wanted = essential(fewer.shape);
  for (let choice = 1; choice < 2 ** more.shape.length; choice++) {
    const isSummed = (axis: number) => ((choice >> axis) & 1) === 1;
    if (!sameShape(essential(more.shape.filter((_, axis) => !isSummed(axis))), wanted)) continue;
    const axes = more.shape.map((_, axis) => axis).filter(isSummed);
    // A choice with an axis of size 1 equals one without it.
    if (axes.some((axis) => more.shape[axis] === 1)) continue;
    if (areClose(fewer, sumOver(more, isSummed), tolerance))
      return `${axes.length === 1 ? 'axis' : 'axes'} ${axes.join(' and ')}`;
  }
  return undefined;
}

export const sums: readonly GenericMistake[] = [
  {
    id: 'not_summed',
    explanation: 'Summed over one or more axes, these values are correct: the sum is missing.',
    fix: 'sum over the axes that the shape does not have',
    hidden: 'those axes have size 1',
    fitted: 0,
    find: ({ claimed, right, tolerance }) => {
      const axes = summedAxes(claimed, right, tolerance);
      if (axes === undefined) return undefined;
      return {
        explanation: `Summed over ${axes}, these values are correct: the sum is missing.`,
        fix: `sum over ${axes}`,
      };
    },
  },
  {
    id: 'summed_too_far',
    explanation: 'The correct values were also summed over one or more axes that the shape has.',
    fix: 'do not sum over the axes that the shape has',
    hidden: 'those axes have size 1',
    fitted: 0,
    find: ({ claimed, right, tolerance }) => {
      const axes = summedAxes(right, claimed, tolerance);
      if (axes === undefined) return undefined;
      return { explanation: `The correct values were also summed over ${axes}.`, fix: `do not sum over ${axes}` };
    },
  },
];
