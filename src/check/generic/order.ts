/** The right values at other positions. */
import { formatShape, sameShape, sizeOf, type Tensor } from '../../tensor/tensor.js';
import { areClose, indexOf, isClose, type Measured, type Tolerance } from '../compare.js';
import { alongAxes, every } from './axes.js';
import type { Claim, GenericMistake, Sentences } from './definition.js';

/** No tensor of a layer has more axes; with more, there would be too many orders to try. */
const MOST_AXES = 5;

function permutations(length: number): number[][] {
  if (length === 0) return [[]];
  return permutations(length - 1).flatMap((shorter) =>
    Array.from({ length }, (_, at) => shorter.toSpliced(at, 0, length - 1)),
  );
}

/** Elements that are compared before all of them are reordered. */
const SAMPLES = 16;

/** The source index of each element when the axes are permuted to `order`, e.g. [1, 0] to transpose a matrix. */
function sourceOf({ shape }: Tensor, order: readonly number[]): (i: number) => number {
  const outer = order.map((axis) => shape[axis]);
  const strides = shape.map((_, axis) => sizeOf(shape.slice(axis + 1)));
  return (i) => indexOf(i, outer).reduce((at, index, axis) => at + index * strides[order[axis]], 0);
}

function mayBePermuted(claimed: Measured, right: Measured, order: readonly number[], tolerance: Tolerance): boolean {
  const from = sourceOf(right, order);
  const step = Math.max(1, Math.floor(claimed.data.length / SAMPLES));
  for (let i = 0; i < claimed.data.length; i += step) if (!isClose(claimed, i, right, from(i), tolerance)) return false;
  return true;
}

function permute(tensor: Measured, order: readonly number[]): Measured {
  const { shape, data, room } = tensor;
  const from = sourceOf(tensor, order);
  const reordered = (values: Tensor['data']) => Float64Array.from({ length: data.length }, (_, i) => values[from(i)]);
  return {
    shape: order.map((axis) => shape[axis]),
    data: reordered(data),
    room: room && reordered(room),
  };
}

function transposed({ claimed, right, tolerance }: Claim): Sentences | undefined {
  const rank = right.shape.length;
  if (claimed.data.length !== right.data.length || rank > MOST_AXES) return undefined;
  const isOfRightShape = sameShape(claimed.shape, right.shape);
  for (const order of permutations(rank)) {
    if (order.every((axis, i) => axis === i) || !mayBePermuted(claimed, right, order, tolerance)) continue;
    const permuted = permute(right, order);
    const isPermuted = sameShape(claimed.shape, permuted.shape);
    if (!(isPermuted || isOfRightShape) || !areClose(claimed, permuted, tolerance)) continue;
    if (isOfRightShape && areClose(permuted, right, tolerance)) continue;
    const reshaped = isPermuted ? '' : `, and the result was reshaped to ${formatShape(right.shape)}`;
    return {
      explanation: `The values are correct, but the axes are in the order ${formatShape(order)}${reshaped}.`,
      fix: `permute the axes back, to the shape ${formatShape(right.shape)}`,
    };
  }
  return undefined;
}

export const order: readonly GenericMistake[] = [
  {
    id: 'transposed',
    explanation: 'The values are correct, but the axes are in another order.',
    fix: 'permute the axes; reshaping does not move values',
    hidden: 'the tensor is symmetric in those axes',
    fitted: 0,
    find: transposed,
  },
  {
    id: 'reshaped',
    explanation: 'The values are correct and in the correct order, but in another shape.',
    fix: 'reshape',
    fitted: 0,
    find: ({ claimed, right, tolerance }) =>
      claimed.data.length === right.data.length &&
      !sameShape(claimed.shape, right.shape) &&
      areClose(claimed, right, tolerance)
        ? {
            explanation: `The values are correct and in the correct order, but in the shape ${formatShape(claimed.shape)}.`,
            fix: `reshape to ${formatShape(right.shape)}`,
          }
        : undefined,
  },
  {
    id: 'flipped',
    explanation: 'The correct values, reversed along one axis.',
    fix: 'reverse the axis',
    hidden: 'the tensor is symmetric along the axis',
    fitted: 0,
    find: (claim) =>
      alongAxes(claim, ({ along, size, claimed, right }) =>
        every(size, (i) => areClose(claimed(i), right(size - 1 - i), claim.tolerance))
          ? { explanation: `The correct values, reversed ${along}.`, fix: `reverse them ${along}` }
          : undefined,
      ),
  },
  {
    id: 'shifted',
    explanation: 'The correct values, shifted by one along an axis.',
    fix: 'start one index earlier or later',
    hidden: 'the tensor is constant along the axis',
    fitted: 0,
    find: (claim) =>
      alongAxes(claim, ({ along, size, claimed, right, isEvident }) => {
        for (const by of [1, -1]) {
          // The slice at the end that was vacated may have any value.
          const isMoved = (i: number) => i - by >= 0 && i - by < size;
          const fits = (i: number) => !isMoved(i) || areClose(claimed(i), right(i - by), claim.tolerance);
          if (!every(size, fits) || !isEvident(isMoved)) continue;
          return {
            explanation: `The correct values, shifted by ${by} ${along}.`,
            fix: `shift them by ${-by} ${along}`,
          };
        }
        return undefined;
      }),
  },
  {
    id: 'permuted',
    explanation: 'The correct values, with the slices along an axis in another order.',
    fix: 'put the slices in the documented order',
    hidden: 'the slices are equal',
    fitted: 1,
    find: (claim) =>
      alongAxes(claim, ({ along, size, claimed, right }) => {
        const indices = Array.from({ length: size }, (_, i) => i);
        const slices = indices.map((i) => indices.findIndex((j) => areClose(claimed(i), right(j), claim.tolerance)));
        if (new Set(slices).size !== size || slices.includes(-1)) return undefined;
        return {
          explanation: `The correct values, with the slices ${along} in the order ${formatShape(slices)}.`,
          fix: `put the slices ${along} in the documented order`,
        };
      }),
  },
];
