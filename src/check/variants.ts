/** What the right result may have become on its way, whatever the layer: turned, moved, scaled, put in another order. */
import { formatShape, sameShape, sizeOf, type Tensor } from '../tensor/tensor.js';
import { areClose, indexOf, isClose, type Tolerance } from './compare.js';
import type { Constants, MistakeText, Tensors } from './definition.js';
import { ratioOf, short, slice } from './statistics.js';

export interface Diagnosis {
  readonly id: string;
  readonly explanation: string;
  readonly fix: string;
}

/** Of every layer, as they stand in its list of mistakes. */
export const anyLayer: readonly Omit<MistakeText, 'tensors'>[] = [
  {
    id: 'upstream_ignored',
    explanation: 'The upstream gradient was taken for ones: the derivative is that of the sum of the output.',
    fix: 'multiply by dout',
    hidden: 'the upstream gradient is all ones',
  },
  {
    id: 'negated',
    explanation: 'Every value has the opposite sign.',
    fix: 'take the sign away',
    hidden: 'all values are 0',
  },
  {
    id: 'scaled',
    explanation: 'Every value is the right one times the same number.',
    fix: 'leave the factor out',
    hidden: 'all values are 0',
  },
  {
    id: 'scaled_along_an_axis',
    explanation: 'Along one axis every right value is multiplied, or divided, by an input that belongs to that axis.',
    fix: 'leave the factor out, or do not leave it out twice',
    hidden: 'the input is all ones',
  },
  {
    id: 'transposed',
    explanation: 'The right values in the order of other axes.',
    fix: 'permute the axes, and do not reshape in place of it',
    hidden: 'the tensor is symmetric in those axes',
  },
  {
    id: 'reshaped',
    explanation: 'The right values in the right order, in another shape.',
    fix: 'reshape',
  },
  {
    id: 'another_tensor',
    explanation: 'The right values of another answer, or an input as it was given.',
    fix: 'put each answer in its own place',
    hidden: 'the two are equal',
  },
  {
    id: 'not_summed',
    explanation: 'Summed over one axis, or more, these are the right values: the sum is missing.',
    fix: 'sum over the axes that the shape does not have',
    hidden: 'those axes have size 1',
  },
  {
    id: 'summed_too_far',
    explanation: 'The right values, summed over one axis more, or several.',
    fix: 'do not sum over the axes that the shape has',
    hidden: 'those axes have size 1',
  },
  {
    id: 'function_applied',
    explanation:
      'Every value is a function of the right one: relu, sigmoid, tanh, absolute value, square, root, reciprocal.',
    fix: 'leave the function out',
  },
  {
    id: 'clipped',
    explanation: 'The right values, clipped.',
    fix: 'clip no sooner than where the parameters are updated',
    hidden: 'no value is large',
  },
  {
    id: 'parameter_added',
    explanation: 'The parameter was added to its gradient, times a number, as weight decay and penalties do.',
    fix: 'leave it to the optimizer',
    hidden: 'the parameter is 0',
  },
  {
    id: 'parameter_updated',
    explanation: 'The parameter after a step of gradient descent, where its gradient is claimed.',
    fix: 'give the gradient itself',
  },
  {
    id: 'flipped',
    explanation: 'The right values, turned about along one axis.',
    fix: 'turn the axis back',
    hidden: 'the tensor is symmetric along the axis',
  },
  {
    id: 'shifted',
    explanation: 'The right values, moved by one along an axis.',
    fix: 'begin one earlier, or one later',
    hidden: 'the tensor is constant along the axis',
  },
  {
    id: 'permuted',
    explanation: 'The right values, with the slices along an axis in another order.',
    fix: 'put the slices in the order of the contract',
    hidden: 'the slices are equal',
  },
  {
    id: 'other_option',
    explanation: 'The right answer for another value of an option than the one that was given.',
    fix: 'use the option as it was given',
    hidden: 'both values give the same answer',
  },
];

/** Those of them that show in gradients alone. */
export const ofGradients: readonly string[] = ['upstream_ignored', 'parameter_added', 'parameter_updated'];

/** More axes than any tensor of a layer has would make more orders than can be tried. */
const MOST_AXES = 5;

/** Nothing where the claim is no such variant of the right result. */
export function variantOf(
  claimed: Tensor,
  right: Tensor,
  names: readonly string[],
  { constants, vectors }: { constants: Constants; vectors: Tensors },
  tolerance: Tolerance,
): Diagnosis | undefined {
  return (
    scaled(claimed, right, constants, tolerance) ??
    transposed(claimed, right, tolerance) ??
    alongAnAxis(claimed, right, names, vectors, tolerance)
  );
}

function scaled(claimed: Tensor, right: Tensor, constants: Constants, tolerance: Tolerance): Diagnosis | undefined {
  if (!sameShape(claimed.shape, right.shape)) return undefined;
  const ratio = ratioOf(claimed, right, tolerance);
  if (ratio === null) return undefined;
  if (Math.abs(ratio + 1) < 1e-6)
    return { id: 'negated', explanation: 'Every value has the opposite sign.', fix: 'take the sign away' };
  const name = nameOfFactor(ratio, constants);
  const factor = name ? `${name}, which is ${short(ratio)}` : short(ratio);
  return {
    id: 'scaled',
    explanation: `Every value is the right one times ${factor}.`,
    fix: name ? `leave the factor ${name} out` : `find where a factor of ${short(ratio)} comes in, and leave it out`,
  };
}

export function nameOfFactor(ratio: number, constants: Constants): string | undefined {
  const near = (value: number) => Math.abs(ratio - value) <= 1e-6 * Math.abs(value);
  const named = Object.entries(constants)
    .filter(([, value]) => value !== 1)
    .map(([name, value]) => [name.includes(' ') ? `(${name})` : name, value] as const);
  // What is divided by twice is rarer than what is divided by.
  for (const [name, value] of named) {
    if (near(value)) return name;
    if (near(1 / value)) return `1 / ${name}`;
  }
  for (const [name, value] of named) {
    if (near(value ** 2)) return `${name}²`;
    if (near(1 / value ** 2)) return `1 / ${name}²`;
  }
  if (near(2)) return '2';
  return near(0.5) ? '1 / 2' : undefined;
}

function permutations(length: number): number[][] {
  if (length === 0) return [[]];
  return permutations(length - 1).flatMap((shorter) =>
    Array.from({ length }, (_, at) => shorter.toSpliced(at, 0, length - 1)),
  );
}

/** Elements that are looked at before all are put in another order. */
const SAMPLES = 16;

function mayBePermuted(claimed: Tensor, right: Tensor, order: readonly number[], tolerance: Tolerance): boolean {
  const outer = order.map((axis) => right.shape[axis]);
  const strides = right.shape.map((_, axis) => sizeOf(right.shape.slice(axis + 1)));
  const step = Math.max(1, Math.floor(claimed.data.length / SAMPLES));
  for (let i = 0; i < claimed.data.length; i += step) {
    const from = indexOf(i, outer).reduce((at, index, axis) => at + index * strides[order[axis]], 0);
    if (!isClose(claimed.data[i], right.data[from], tolerance)) return false;
  }
  return true;
}

/** The values in the order of the axes `order`, e.g. [1, 0] for a matrix transposed. */
export function permute({ shape, data, dtype }: Tensor, order: readonly number[]): Tensor {
  const outer = order.map((axis) => shape[axis]);
  const strides = shape.map((_, axis) => sizeOf(shape.slice(axis + 1)));
  const values = Float64Array.from({ length: data.length }, (_, i) => {
    const place = indexOf(i, outer);
    return data[place.reduce((at, index, axis) => at + index * strides[order[axis]], 0)];
  });
  return { dtype: dtype === 'float32' ? dtype : 'float64', shape: outer, data: values };
}

function transposed(claimed: Tensor, right: Tensor, tolerance: Tolerance): Diagnosis | undefined {
  const rank = right.shape.length;
  if (claimed.data.length !== right.data.length || rank > MOST_AXES) return undefined;
  const differs = (values: Tensor) => !areClose(values.data, right.data, tolerance);
  for (const order of permutations(rank)) {
    if (order.every((axis, i) => axis === i)) continue;
    if (!mayBePermuted(claimed, right, order, tolerance)) continue;
    const turned = permute(right, order);
    const fitsShape = sameShape(claimed.shape, turned.shape) || sameShape(claimed.shape, right.shape);
    if (!fitsShape || !areClose(claimed.data, turned.data, tolerance)) continue;
    if (sameShape(claimed.shape, right.shape) && !differs(turned)) continue;
    const was = sameShape(claimed.shape, turned.shape)
      ? `The right values with the axes in the order ${formatShape(order)}.`
      : `The right values with the axes in the order ${formatShape(order)}, then put into the shape ${formatShape(right.shape)}.`;
    return { id: 'transposed', explanation: was, fix: `permute the axes back to ${formatShape(right.shape)}` };
  }
  if (!sameShape(claimed.shape, right.shape) && areClose(claimed.data, right.data, tolerance))
    return {
      id: 'reshaped',
      explanation: `The right values in the right order, in the shape ${formatShape(claimed.shape)}.`,
      fix: `reshape to ${formatShape(right.shape)}`,
    };
  return undefined;
}

/** Slices that are compared for an order; long axes would take the square of their length. */
const LONGEST_AXIS = 64;

function alongAnAxis(
  claimed: Tensor,
  right: Tensor,
  names: readonly string[],
  vectors: Tensors,
  tolerance: Tolerance,
): Diagnosis | undefined {
  if (!sameShape(claimed.shape, right.shape)) return undefined;
  for (let axis = 0; axis < right.shape.length; axis++) {
    const size = right.shape[axis];
    if (size < 2 || size > LONGEST_AXIS) continue;
    const name = names[Math.min(axis, names.length - 1)] ?? 'axis';
    const along = `along axis ${axis} (${name})`;
    const ours = Array.from({ length: size }, (_, i) => slice(claimed, axis, i).data);
    const theirs = Array.from({ length: size }, (_, i) => slice(right, axis, i).data);
    const found = ordered(ours, theirs, along, tolerance) ?? multiplied(ours, theirs, vectors, along, tolerance);
    if (found) return found;
  }
  return undefined;
}

function ordered(
  ours: readonly Float64Array[],
  theirs: readonly Float64Array[],
  along: string,
  tolerance: Tolerance,
): Diagnosis | undefined {
  const size = ours.length;
  const informative = (values: Float64Array) => values.some((value) => Math.abs(value) > tolerance.atol);
  const isAt = (i: number, j: number) => areClose(ours[i], theirs[j], tolerance);
  const all = (place: (i: number) => number) => ours.every((_, i) => isAt(i, place(i)));
  if (all((i) => size - 1 - i))
    return { id: 'flipped', explanation: `The right values, turned about ${along}.`, fix: `turn it about ${along}` };
  for (const by of [1, -1]) {
    const overlap = ours.map((_, i) => i).filter((i) => i - by >= 0 && i - by < size);
    if (overlap.some((i) => informative(theirs[i - by])) && overlap.every((i) => isAt(i, i - by)))
      return {
        id: 'shifted',
        explanation: `The right values, moved by ${by} ${along}.`,
        fix: `move them by ${-by} ${along}`,
      };
  }
  const order = ours.map((_, i) => theirs.findIndex((_, j) => isAt(i, j)));
  if (new Set(order).size !== size || order.includes(-1)) return undefined;
  return {
    id: 'permuted',
    explanation: `The right values, with the slices ${along} in the order ${formatShape(order)}.`,
    fix: `put the slices ${along} in the right order`,
  };
}

function multiplied(
  ours: readonly Float64Array[],
  theirs: readonly Float64Array[],
  vectors: Tensors,
  along: string,
  tolerance: Tolerance,
): Diagnosis | undefined {
  for (const [name, { shape, data }] of Object.entries(vectors)) {
    if (shape.length !== 1 || data.length !== ours.length) continue;
    const factors: [string, (value: number) => number][] = [
      [name, (value) => value],
      [`1 / ${name}`, (value) => 1 / value],
    ];
    for (const [factor, of] of factors) {
      const fits = ours.every((values, i) => {
        const by = of(data[i]);
        return areClose(
          values,
          theirs[i].map((value) => value * by),
          tolerance,
        );
      });
      if (fits)
        return {
          id: 'scaled_along_an_axis',
          explanation: `Every value is the right one times ${factor}, ${along}.`,
          fix: `leave the factor ${factor} out`,
        };
    }
  }
  return undefined;
}
