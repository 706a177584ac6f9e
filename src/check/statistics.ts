/** Describes how and where a result is wrong. */
import type { Statistics } from '../../schemas/check.js';
import { formatShape, sizeOf, type Tensor } from '../tensor/tensor.js';
import { PLACE, TIME, type Checks } from './definition.js';
import {
  areClose,
  indexOf,
  largestDistance,
  largestMagnitude,
  mapValues,
  type Measured,
  type Tolerance,
  type Values,
} from './compare.js';

type AxisStatistics = Statistics['axes'][number];

/** How one number relates all claimed values to the right ones; a field is null if no number fits. */
interface Relation {
  /** Factor by which the right values were multiplied. */
  readonly ratio: number | null;
  /** Number that was added to the right values. */
  readonly offset: number | null;
  readonly correlation: number | null;
}

interface Naming extends Required<Pick<Checks, 'blocks'>> {
  /** Names of the axes; the last one names all that follow. */
  readonly names: readonly string[];
  /** Whether the layer has an option and it has an effect in the instance. */
  readonly has: (option: string) => boolean;
}

export function statisticsOf(
  claimed: Measured,
  right: Measured,
  wrong: Uint8Array,
  { names, blocks, has }: Naming,
  tolerance: Tolerance,
): Statistics {
  const shape = right.shape;
  const factor = ratioOf(claimed, right, tolerance);
  const ratio = factor !== null && isNearOne(factor, claimed, tolerance) ? null : factor;
  // If some value is correct, nothing was added to all of them.
  const offset = wrong.includes(0) ? null : offsetOf(claimed, right, tolerance);
  const correlation = correlationOf(claimed, right);
  const axes = shape.map((size, axis) => {
    const found = new Set<number>();
    wrong.forEach((flag, i) => {
      if (flag) found.add(indexOf(i, shape)[axis]);
    });
    return { axis, name: nameOf(names, axis), size, wrong: [...found].sort((a, b) => a - b) };
  });
  const count = wrong.reduce((sum, flag) => sum + flag, 0);
  const findings = [
    ...wholeFindings(claimed, right, { ratio, offset, correlation }, has),
    ...(ratio === null && offset === null ? sliceFindings(claimed, right, axes, tolerance) : []),
    ...axes.flatMap((axis) => {
      const hasNamesake = axes.filter(({ name }) => name === axis.name).length > 1;
      return axisFindings(axis, hasNamesake, blocks, isZeroElsewhere(right, axis));
    }),
    ...axes.filter(({ name }) => name === TIME).flatMap((axis) => timeFindings(claimed, right, wrong, axis)),
    ...borderFindings(wrong, axes, right, has('padding')),
  ];
  return { wrong: count, of: sizeOf(shape), ratio, offset, correlation, axes, findings };
}

function nameOf(names: readonly string[], axis: number): string {
  return names[Math.min(axis, names.length - 1)] ?? 'axis';
}

/** A smaller factor is 0 except for rounding. */
const NOISE = 1e-12;

/** The factor at the largest right value, if it fits all other values too. */
export function ratioOf(claimed: Measured, right: Measured, tolerance: Tolerance): number | null {
  let [largest, counting] = [0, 0];
  for (let i = 0; i < right.data.length; i++) {
    if (Math.abs(right.data[i]) > Math.abs(right.data[largest])) largest = i;
    if (Math.abs(right.data[i]) > tolerance.atol) counting++;
  }
  const factor = claimed.data[largest] / right.data[largest];
  // One number is always a multiple of another.
  if (!Number.isFinite(factor) || Math.abs(factor) < NOISE || counting < 2) return null;
  const scaled = mapValues(right, (value) => value * factor);
  return areClose(claimed, scaled, tolerance) ? factor : null;
}

/** A factor differs from 1 only if the difference is this many times the relative uncertainty of the largest value. */
const CERTAIN = 10;

/** Whether a factor is 1 except for rounding, judged by the digits of the largest value. */
export function isNearOne(factor: number, { data, room }: Values, { rtol, atol }: Tolerance): boolean {
  let largest = 0;
  for (let i = 0; i < data.length; i++) if (Math.abs(data[i]) > Math.abs(data[largest])) largest = i;
  const relative = rtol + (atol + (room?.[largest] ?? 0)) / Math.abs(data[largest]);
  return Math.abs(factor - 1) <= CERTAIN * relative;
}

function offsetOf(claimed: Measured, right: Measured, tolerance: Tolerance): number | null {
  const offset = claimed.data[0] - right.data[0];
  if (!Number.isFinite(offset) || right.data.length < 2) return null;
  const moved = mapValues(right, (value) => value + offset);
  return areClose(claimed, moved, tolerance) ? offset : null;
}

function correlationOf(claimed: Tensor, right: Tensor): number | null {
  const size = right.data.length;
  const mean = ({ data }: Tensor) => Array.from(data).reduce((sum, value) => sum + value, 0) / size;
  const [a, b] = [mean(claimed), mean(right)];
  let [ab, aa, bb] = [0, 0, 0];
  for (let i = 0; i < size; i++) {
    const [p, q] = [claimed.data[i] - a, right.data[i] - b];
    ab += p * q;
    aa += p * p;
    bb += q * q;
  }
  const correlation = ab / Math.sqrt(aa * bb);
  return Number.isFinite(correlation) ? Math.round(correlation * 1e6) / 1e6 : null;
}

function wholeFindings(
  claimed: Measured,
  right: Measured,
  { ratio, offset, correlation }: Relation,
  has: (option: string) => boolean,
): string[] {
  const findings: string[] = [];
  const [first] = claimed.data;
  const isNaNAt = ({ data }: Tensor, i: number) => Number.isNaN(data[i]);
  if (claimed.data.every((value) => value === 0)) findings.push('Every value is 0.');
  else if (claimed.data.length > 1 && claimed.data.every((value) => value === first))
    findings.push(
      right.data.some((value) => value !== right.data[0])
        ? `Every value is ${short(first)}, but the correct values differ: check for a sum over too many axes.`
        : `Every value is ${short(first)}.`,
    );
  if (claimed.data.some((_, i) => isNaNAt(claimed, i) && !isNaNAt(right, i))) findings.push('Some values are NaN.');
  if (right.data.some((_, i) => isNaNAt(right, i) && !isNaNAt(claimed, i)))
    findings.push('Some values should be NaN but are not: NaN propagates to every result computed from it.');
  const share = largestDistance(claimed, right) / largestMagnitude(right.data);
  if (share <= SMALL) findings.push(smallFinding(claimed, share, has('epsilon')));
  if (ratio !== null) findings.push(`Every value is ${short(ratio)} times the correct value.`);
  else if (offset !== null) findings.push(`Every value is the correct value plus ${short(offset)}.`);
  else if (correlation !== null && correlation > 0.999)
    findings.push('The values correlate with the correct ones, but no single factor or offset relates them.');
  else if (correlation !== null && correlation < -0.999)
    findings.push('The values correlate negatively with the correct ones: check the signs.');
  return findings;
}

/** Errors up to this share of the largest value come more often from precision and constants than from formulas. */
const SMALL = 0.01;

/** Bits of the significand of float16; bfloat16 has fewer. */
const HALF_BITS = 11;

function smallFinding({ data }: Tensor, share: number, hasEpsilon: boolean): string {
  // Integers have few digits in any precision.
  const isHalf =
    !data.every(Number.isInteger) &&
    data.every((value) => {
      const unit = 2 ** (Math.floor(Math.log2(Math.abs(value))) - HALF_BITS + 1);
      return value === 0 || Number.isInteger(value / unit);
    });
  const size = `The error is small everywhere, at most ${short(share)} of the largest value`;
  return isHalf
    ? `${size}, and no value has more digits than float16: compute in float32 or float64.`
    : `${size}: check ${hasEpsilon ? 'epsilon and other ' : ''}constants, and the precision of intermediate results.`;
}

/** Slices along longer axes are not compared: the time grows with the length of the axis, or with its square. */
export const LONGEST_AXIS = 64;

/** A factor or an offset that is constant within each slice along an axis. */
function sliceFindings(
  claimed: Measured,
  right: Measured,
  axes: readonly AxisStatistics[],
  tolerance: Tolerance,
): string[] {
  for (const { axis, name, size } of axes) {
    if (size < 2 || size > LONGEST_AXIS || right.data.length / size < 2) continue;
    const slices = Array.from({ length: size }, (_, i) => [slice(claimed, axis, i), slice(right, axis, i)] as const);
    const ratios = slices.map(([ours, theirs]) => ratioOf(ours, theirs, tolerance));
    const along = `Along axis ${axis} (${name}), the values are the correct values`;
    const tidy = (value: number) => (Math.abs(value) < NOISE ? 0 : value);
    const numbers = (values: readonly (number | null)[]) => list(values.map((value) => short(tidy(value ?? 0))));
    if (!ratios.includes(null)) return [`${along} times one factor per index: ${numbers(ratios)}.`];
    const offsets = slices.map(([ours, theirs]) => offsetOf(ours, theirs, tolerance));
    if (!offsets.includes(null)) return [`${along} plus one offset per index: ${numbers(offsets)}.`];
  }
  return [];
}

/** Those at place `index` of an axis. */
export function slice({ shape, data, room }: Measured, axis: number, index: number): Measured {
  const inner = sizeOf(shape.slice(axis + 1));
  const step = inner * shape[axis];
  const taken = (values: Tensor['data']) =>
    Float64Array.from(
      { length: data.length / shape[axis] },
      (_, i) => values[Math.floor(i / inner) * step + index * inner + (i % inner)],
    );
  return { shape: shape.toSpliced(axis, 1), data: taken(data), room: room && taken(room) };
}

export function short(value: number): string {
  return String(Number(value.toPrecision(6)));
}

const isZeroElsewhere = ({ data, shape }: Tensor, { axis, wrong }: AxisStatistics): boolean =>
  Array.from(data).every((value, i) => value === 0 || wrong.includes(indexOf(i, shape)[axis]));

/**
 * @param hasNamesake whether another axis has the same name
 * @param isRightOfItself whether every value at the indices without errors is 0, which says nothing
 */
function axisFindings(
  { axis, name, size, wrong }: AxisStatistics,
  hasNamesake: boolean,
  { [name]: blocks }: Partial<Naming['blocks']>,
  isRightOfItself: boolean,
): string[] {
  if (blocks) {
    const rows = size / blocks.length;
    const found = blocks.filter((_, block) => wrong.some((row) => Math.floor(row / rows) === block));
    return found.length === blocks.length ? [] : [`Wrong only in the ${list(found)}.`];
  }
  if (wrong.length === size || wrong.length === 0 || isRightOfItself) return [];
  const of = hasNamesake ? ` of axis ${axis}` : '';
  const few = wrong.length <= size / 2 || wrong.length <= 4;
  if (few) return [`Wrong only at ${name} ${list(wrong.map(String))}${of}; the others are correct.`];
  const right = Array.from({ length: size }, (_, i) => i).filter((i) => !wrong.includes(i));
  return [`Correct only at ${name} ${list(right.map(String))}${of}.`];
}

function list(names: readonly string[]): string {
  if (names.length > 6) return `${names.slice(0, 6).join(', ')}, …`;
  return names.length < 2 ? names.join('') : `${names.slice(0, -1).join(', ')} and ${names[names.length - 1]}`;
}

/** An error that is absent at the last step and grows towards the first was propagated backward in time. */
function timeFindings(claimed: Tensor, right: Tensor, wrong: Uint8Array, { axis, size }: AxisStatistics): string[] {
  const worst = new Float64Array(size);
  wrong.forEach((_, i) => {
    const t = indexOf(i, right.shape)[axis];
    worst[t] = Math.max(worst[t], Math.abs(claimed.data[i] - right.data[i]));
  });
  const flags = new Set(Array.from(wrong, (flag, i) => (flag ? indexOf(i, right.shape)[axis] : -1)));
  flags.delete(-1);
  if (size < 2 || flags.size === 0) return [];
  if (flags.size === size) return growthFindings(worst);
  const last = Math.max(...flags);
  const first = Math.min(...flags);
  if (flags.size === 1) return [];
  if (last < size - 1 && first === 0)
    return [
      `The last steps are correct and the earlier ones wrong, from step ${last} back: check what step t + 1 passes to step t.`,
    ];
  if (first > 0 && last === size - 1)
    return [`Correct up to step ${first - 1}, wrong from there on: check the state that each step passes to the next.`];
  return [];
}

/** An error grows if its last value is at least GROWTH times its first, and each at least DIP times the one before. */
const [GROWTH, DIP] = [4, 0.8];

function growthFindings(worst: Float64Array): string[] {
  if (worst.length < 3) return [];
  const grows = (errors: Float64Array) =>
    errors[errors.length - 1] >= GROWTH * errors[0] &&
    errors.every((error, i) => i === 0 || error >= DIP * errors[i - 1]);
  const [first, last] = [short(worst[0]), short(worst[worst.length - 1])];
  if (grows(worst.toReversed()))
    return [
      `The error grows backward in time, from ${last} at the last step to ${first} at step 0: check what step t + 1 passes to step t.`,
    ];
  if (grows(worst))
    return [
      `The error grows with time, from ${first} at step 0 to ${last} at the last step: check the state that each step passes to the next.`,
    ];
  return [];
}

/** Finds errors that occur only at the border of the plane. */
function borderFindings(
  wrong: Uint8Array,
  axes: readonly AxisStatistics[],
  { shape }: Tensor,
  isPadded: boolean,
): string[] {
  const spatial = axes.filter(({ name, size }) => name === PLACE && size > 2).map(({ axis }) => axis);
  if (spatial.length === 0 || !wrong.includes(1)) return [];
  let [inside, outside] = [0, 0];
  wrong.forEach((flag, i) => {
    const place = indexOf(i, shape);
    const isInside = spatial.every((axis) => place[axis] > 0 && place[axis] < shape[axis] - 1);
    if (flag && isInside) inside++;
    if (flag && !isInside) outside++;
  });
  if (inside > 0 || outside === 0) return [];
  return [`Wrong only at the border of the plane${isPadded ? ': check the padding' : ''}.`];
}

export function shapeSentence(name: string, claimed: Tensor, right: Tensor): string {
  return `${name} has shape ${formatShape(claimed.shape)}; expected ${formatShape(right.shape)}`;
}
