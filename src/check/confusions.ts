/** A claim that is something else than what it is called: another tensor, one not summed, or one with more in it. */
import { sameShape, sizeOf, type Shape, type Tensor } from '../tensor/tensor.js';
import { areClose, indexOf, largestMagnitude, type Tolerance } from './compare.js';
import type { Tensors } from './definition.js';
import { ratioOf, short } from './statistics.js';
import type { Diagnosis } from './variants.js';

/** What there is beside the tensor that is claimed. */
export interface Surroundings {
  readonly answers: Tensors;
  readonly inputs: Tensors;
  readonly upstream: Tensors;
}

export function confusionOf(
  name: string,
  claimed: Tensor,
  right: Tensor,
  around: Surroundings,
  tolerance: Tolerance,
): Diagnosis | undefined {
  const summed = summedOtherwise(claimed, right, tolerance);
  // One number everywhere is many things.
  if (summed || claimed.data.every((value) => value === claimed.data[0])) return summed;
  return (
    anotherTensor(name, claimed, around, tolerance) ??
    (sameShape(claimed.shape, right.shape)
      ? (elementwise(claimed, right, tolerance) ??
        clipped(claimed, right, tolerance) ??
        withParameter(name, claimed, right, around.inputs, tolerance))
      : undefined)
  );
}

function anotherTensor(
  name: string,
  claimed: Tensor,
  { answers, inputs, upstream }: Surroundings,
  tolerance: Tolerance,
): Diagnosis | undefined {
  const is = ([other, value]: readonly [string, Tensor]) =>
    other !== name && sameShape(claimed.shape, value.shape) && areClose(claimed.data, value.data, tolerance);
  const answer = Object.entries(answers).find(is);
  const given = answer ? undefined : [...Object.entries(inputs), ...Object.entries(upstream)].find(is);
  if (!answer && !given) return undefined;
  const [other] = answer ?? given ?? [''];
  return {
    id: 'another_tensor',
    explanation: answer
      ? `These are the right values of ${other}, which is another answer.`
      : `This is ${other}, as it was given.`,
    fix: `give ${name} in its place`,
  };
}

/** Sums over the axes that `isSummed` says. */
function sumOver({ shape, data }: Tensor, isSummed: (axis: number) => boolean): { shape: Shape; data: Float64Array } {
  const left = shape.filter((_, axis) => !isSummed(axis));
  const sums = new Float64Array(sizeOf(left));
  data.forEach((value: number, i: number) => {
    const place = indexOf(i, shape);
    let at = 0;
    shape.forEach((size, axis) => {
      if (!isSummed(axis)) at = at * size + place[axis];
    });
    sums[at] += value;
  });
  return { shape: left, data: sums };
}

/** Axes of size 1 say nothing. */
const essential = (shape: Shape) => shape.filter((size) => size > 1);

/** Every choice of axes of a tensor has twice as many as of one with an axis less. */
const MOST_AXES = 6;

function summedOtherwise(claimed: Tensor, right: Tensor, tolerance: Tolerance): Diagnosis | undefined {
  const more = claimed.data.length > right.data.length ? claimed : right;
  const fewer = more === claimed ? right : claimed;
  if (more.data.length === fewer.data.length || more.shape.length > MOST_AXES) return undefined;
  const wanted = essential(fewer.shape);
  for (let choice = 1; choice < 2 ** more.shape.length; choice++) {
    const isSummed = (axis: number) => ((choice >> axis) & 1) === 1;
    if (!sameShape(essential(more.shape.filter((_, axis) => !isSummed(axis))), wanted)) continue;
    const axes = more.shape.map((_, axis) => axis).filter(isSummed);
    // Those of size 1 are in another choice, too.
    if (axes.some((axis) => more.shape[axis] === 1)) continue;
    const sums = sumOver(more, isSummed);
    if (!areClose(fewer.data, sums.data, tolerance)) continue;
    const over = `${axes.length === 1 ? 'axis' : 'axes'} ${axes.join(' and ')}`;
    if (more === claimed)
      return {
        id: 'not_summed',
        explanation: `Summed over ${over} these are the right values: the sum is missing.`,
        fix: `sum over ${over}`,
      };
    return {
      id: 'summed_too_far',
      explanation: `The right values, summed over ${over} too.`,
      fix: `do not sum over ${over}`,
    };
  }
  return undefined;
}

/** What is often put after a layer, or taken for one another. */
const FUNCTIONS: readonly (readonly [string, (value: number) => number])[] = [
  ['relu', (value) => Math.max(value, 0)],
  ['the sigmoid', (value) => 1 / (1 + Math.exp(-value))],
  ['tanh', Math.tanh],
  ['the absolute value', Math.abs],
  ['the square', (value) => value * value],
  ['the square root', Math.sqrt],
  ['the reciprocal', (value) => 1 / value],
  ['the reciprocal of the square root', (value) => 1 / Math.sqrt(value)],
];

function elementwise(claimed: Tensor, right: Tensor, tolerance: Tolerance): Diagnosis | undefined {
  const found = FUNCTIONS.find(([, of]) => areClose(claimed.data, Float64Array.from(right.data, of), tolerance));
  return (
    found && {
      id: 'function_applied',
      explanation: `Every value is ${found[0]} of the right one.`,
      fix: `leave ${found[0]} out: it is no part of this`,
    }
  );
}

function clipped(claimed: Tensor, right: Tensor, tolerance: Tolerance): Diagnosis | undefined {
  const most = largestMagnitude(claimed.data);
  let [beyond, within] = [0, 0];
  for (const value of right.data) {
    if (Math.abs(value) > most) beyond++;
    else if (Math.abs(value) > tolerance.atol) within++;
  }
  const limited = Float64Array.from(right.data, (value) => Math.max(-most, Math.min(most, value)));
  // A single one beyond may be wrong for any reason.
  if (beyond < 2 || within === 0 || !areClose(claimed.data, limited, tolerance)) return undefined;
  return {
    id: 'clipped',
    explanation: `The right values, clipped to ±${short(most)}.`,
    fix: 'clip no sooner than where the parameters are updated',
  };
}

function withParameter(
  name: string,
  claimed: Tensor,
  right: Tensor,
  inputs: Tensors,
  tolerance: Tolerance,
): Diagnosis | undefined {
  const of = name.slice(1);
  if (!name.startsWith('d') || !(of in inputs)) return undefined;
  const parameter = inputs[of];
  // Differences lose digits.
  const coarser = { rtol: tolerance.rtol, atol: tolerance.atol + tolerance.rtol * largestMagnitude(claimed.data) };
  const difference = (a: Tensor, b: Tensor): Tensor => ({
    ...right,
    data: Float64Array.from(a.data, (value, i) => value - b.data[i]),
  });
  const added = ratioOf(difference(claimed, right), parameter, coarser);
  if (added !== null)
    return {
      id: 'parameter_added',
      explanation: `${short(added)} times ${of} was added, as weight decay and penalties do.`,
      fix: `leave it to the optimizer: ${name} is the gradient of the layer alone`,
    };
  const step = ratioOf(difference(parameter, claimed), right, coarser);
  if (step === null) return undefined;
  return {
    id: 'parameter_updated',
    explanation: `This is ${of} after a step of gradient descent, ${of} − ${short(step)} · ${name}.`,
    fix: `give ${name} itself`,
  };
}
