/** Other values than the right ones, or functions of them. A constant claim shows none of these. */
import { sameShape, type Tensor } from '../../tensor/tensor.js';
import { areClose, largestDistance, largestMagnitude, mapValues, type Measured } from '../compare.js';
import { NEARER } from '../trial.js';
import { ratioOf, short } from '../statistics.js';
import type { Claim, GenericMistake, Sentences } from './definition.js';

/** Functions that often follow a layer, or are confused with each other. */
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

function anotherTensor({ name, claimed, answers, inputs, upstream, tolerance }: Claim): Sentences | undefined {
  // Of a flat copy, only the number of elements is the same.
  const isClaimed = ([other, { data }]: readonly [string, Tensor]) =>
    other !== name && claimed.data.length === data.length && areClose(claimed, { data }, tolerance);
  const answer = Object.entries(answers).find(isClaimed);
  const given = answer ?? [...Object.entries(inputs), ...Object.entries(upstream)].find(isClaimed);
  if (!given) return undefined;
  return {
    explanation: answer ? `These are the correct values of ${answer[0]}.` : `This is ${given[0]}, unchanged.`,
    fix: `return ${name} instead`,
  };
}

function functionApplied({ claimed, right, tolerance }: Claim): Sentences | undefined {
  // The reciprocal of a value that is 0 except for rounding can be anything.
  const isNear = (made: Measured) => largestDistance(claimed, made) <= NEARER * largestDistance(claimed, right);
  const [name] =
    FUNCTIONS.find(([, of]) => {
      const made = mapValues(right, of);
      return areClose(claimed, made, tolerance) && isNear(made);
    }) ?? [];
  return name === undefined
    ? undefined
    : { explanation: `Every value is ${name} of the correct value.`, fix: `remove ${name}` };
}

function clipped({ claimed, right, tolerance }: Claim): Sentences | undefined {
  const most = largestMagnitude(claimed.data);
  const isWithin = (value: number) => Math.abs(value) > tolerance.atol && Math.abs(value) <= most;
  const limited = mapValues(right, (value) => Math.max(-most, Math.min(most, value)));
  if (!right.data.some(isWithin) || !areClose(claimed, limited, tolerance)) return undefined;
  return { explanation: `The correct values, clipped to ±${short(most)}.`, fix: CLIP_LATER };
}

const CLIP_LATER = 'do not clip here; gradient clipping belongs to the optimizer';

/** The parameter of a gradient, and a tolerance for differences, which lose digits. */
function parameterOf({ name, claimed, inputs, tolerance: { rtol, atol } }: Claim) {
  const of = name.slice(1);
  if (!name.startsWith('d') || !(of in inputs)) return undefined;
  const tolerance = { rtol, atol: atol + rtol * largestMagnitude(claimed.data) };
  // A term must exceed the uncertainty of at least half of the values; otherwise it is noise.
  const shows = (factor: number, { data }: Measured) => {
    let visible = 0;
    for (let i = 0; i < data.length; i++)
      if (Math.abs(factor * data[i]) > 2 * (tolerance.atol + (claimed.room?.[i] ?? 0))) visible++;
    return visible >= Math.max(2, data.length / 2);
  };
  return { of, parameter: inputs[of] as Measured, tolerance, shows };
}

const difference = (a: Measured, b: Measured): Measured => ({
  ...b,
  data: Float64Array.from(a.data, (value, i) => value - b.data[i]),
  room: Float64Array.from(a.data, (_, i) => (a.room?.[i] ?? 0) + (b.room?.[i] ?? 0)),
});

function parameterAdded(claim: Claim): Sentences | undefined {
  const found = parameterOf(claim);
  if (!found) return undefined;
  const { of, parameter, tolerance, shows } = found;
  const added = ratioOf(difference(claim.claimed, claim.right), parameter, tolerance);
  if (added === null || !shows(added, parameter)) return undefined;
  return {
    explanation: `${short(added)} times ${of} was added, as weight decay does.`,
    fix: 'return only the gradient of the layer; weight decay belongs to the optimizer',
  };
}

function parameterUpdated(claim: Claim): Sentences | undefined {
  const found = parameterOf(claim);
  if (!found) return undefined;
  const { of, parameter, tolerance, shows } = found;
  const step = ratioOf(difference(parameter, claim.claimed), claim.right, tolerance);
  if (step === null || !shows(step, claim.right)) return undefined;
  return {
    explanation: `This is ${of} after a step of gradient descent: ${of} − ${short(step)} · ${claim.name}.`,
    fix: `return ${claim.name} itself`,
  };
}

const ofOneShape = (find: GenericMistake['find']) => (claim: Claim) =>
  sameShape(claim.claimed.shape, claim.right.shape) ? find(claim) : undefined;

const mistakes: readonly GenericMistake[] = [
  {
    id: 'another_tensor',
    explanation: 'These are the correct values of another tensor, or an input, unchanged.',
    fix: 'return each result under its own name',
    hidden: 'the two are equal',
    fitted: 0,
    find: anotherTensor,
  },
  {
    id: 'function_applied',
    explanation:
      'Every value is a function of the correct value: relu, sigmoid, tanh, absolute value, square, square root or reciprocal.',
    fix: 'remove the function',
    fitted: 0,
    find: ofOneShape(functionApplied),
  },
  {
    id: 'clipped',
    explanation: 'The correct values, clipped.',
    fix: CLIP_LATER,
    hidden: 'no value is large',
    fitted: 1,
    find: ofOneShape(clipped),
  },
  {
    id: 'parameter_added',
    explanation: 'A multiple of the parameter was added to its gradient, as weight decay does.',
    fix: 'leave weight decay to the optimizer',
    hidden: 'the parameter is 0',
    isOfGradients: true,
    fitted: 1,
    find: ofOneShape(parameterAdded),
  },
  {
    id: 'parameter_updated',
    explanation: 'This is the parameter after a step of gradient descent, not its gradient.',
    fix: 'return the gradient itself',
    isOfGradients: true,
    fitted: 1,
    find: ofOneShape(parameterUpdated),
  },
];

const isConstant = ({ data }: Tensor) => data.every((value) => value === data[0]);

export const contents: readonly GenericMistake[] = mistakes.map(({ find, ...mistake }) => ({
  ...mistake,
  find: (claim: Claim) => (isConstant(claim.claimed) ? undefined : find(claim)),
}));
