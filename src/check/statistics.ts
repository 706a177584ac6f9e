/** What narrows a wrong result down where no known mistake fits it: how it is wrong, and where. */
import { formatShape, sizeOf, type Tensor } from '../tensor/tensor.js';
import { areClose, indexOf, largestDistance, largestMagnitude, type Tolerance } from './compare.js';

export interface AxisStatistics {
  readonly axis: number;
  readonly name: string;
  readonly size: number;
  /** Indices along the axis at which something is wrong. */
  readonly wrong: readonly number[];
}

export interface Statistics {
  readonly wrong: number;
  readonly of: number;
  /** What every right value was multiplied by, if it is one number. */
  readonly ratio: number | null;
  /** What was added to every right value, if it is one number. */
  readonly offset: number | null;
  /** From -1 to 1, of right and claimed values; null where either does not vary. */
  readonly correlation: number | null;
  readonly axes: readonly AxisStatistics[];
  readonly findings: readonly string[];
}

/** Gates of an lstm, in their order, for sentences about an axis of that name. */
const GATES = ['input', 'forget', 'cell', 'output'];

/** @param names of the axes; the last stands for all that follow */
export function statisticsOf(
  claimed: Tensor,
  right: Tensor,
  wrong: Uint8Array,
  names: readonly string[],
  tolerance: Tolerance,
): Statistics {
  const shape = right.shape;
  const ratio = ratioOf(claimed, right, tolerance);
  const offset = offsetOf(claimed, right, tolerance);
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
    ...wholeFindings(claimed, right, { ratio, offset, correlation }),
    ...(ratio === null && offset === null ? sliceFindings(claimed, right, axes, tolerance) : []),
    ...axes.flatMap((axis) => axisFindings(axis, axes.filter(({ name }) => name === axis.name).length > 1)),
    ...axes.filter(({ name }) => name === 'time step').flatMap((axis) => timeFindings(claimed, right, wrong, axis)),
    ...borderFindings(wrong, axes, right),
  ];
  return { wrong: count, of: sizeOf(shape), ratio, offset, correlation, axes, findings };
}

function nameOf(names: readonly string[], axis: number): string {
  return names[Math.min(axis, names.length - 1)] ?? 'axis';
}

/** The factor of the largest right value, if it is that of all others too. */
export function ratioOf(claimed: Tensor, right: Tensor, tolerance: Tolerance): number | null {
  let [largest, counting] = [0, 0];
  for (let i = 0; i < right.data.length; i++) {
    if (Math.abs(right.data[i]) > Math.abs(right.data[largest])) largest = i;
    if (Math.abs(right.data[i]) > tolerance.atol) counting++;
  }
  const factor = claimed.data[largest] / right.data[largest];
  // One number is always a multiple of another.
  if (!Number.isFinite(factor) || factor === 0 || counting < 2) return null;
  const scaled = Float64Array.from(right.data, (value) => value * factor);
  return areClose(claimed.data, scaled, tolerance) ? factor : null;
}

function offsetOf(claimed: Tensor, right: Tensor, tolerance: Tolerance): number | null {
  const offset = claimed.data[0] - right.data[0];
  if (!Number.isFinite(offset) || right.data.length < 2) return null;
  const moved = Float64Array.from(right.data, (value) => value + offset);
  return areClose(claimed.data, moved, tolerance) ? offset : null;
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
  claimed: Tensor,
  right: Tensor,
  { ratio, offset, correlation }: Pick<Statistics, 'ratio' | 'offset' | 'correlation'>,
): string[] {
  const findings: string[] = [];
  const [first] = claimed.data;
  const isNaNAt = ({ data }: Tensor, i: number) => Number.isNaN(data[i]);
  if (claimed.data.every((value) => value === 0)) findings.push('Every value is 0.');
  else if (claimed.data.length > 1 && claimed.data.every((value) => value === first))
    findings.push(`Every value is ${short(first)}, where the right ones differ: was there a sum over too many axes?`);
  if (claimed.data.some((_, i) => isNaNAt(claimed, i) && !isNaNAt(right, i))) findings.push('Some values are NaN.');
  if (right.data.some((_, i) => isNaNAt(right, i) && !isNaNAt(claimed, i)))
    findings.push('Some values that should be NaN are not: NaN goes on to what is computed from it.');
  const share = largestDistance(claimed.data, right.data) / largestMagnitude(right.data);
  if (share <= SMALL) findings.push(smallFinding(claimed, share));
  if (ratio !== null) findings.push(`Every value is ${short(ratio)} times the right one.`);
  else if (offset !== null) findings.push(`Every value is the right one plus ${short(offset)}.`);
  else if (correlation !== null && correlation > 0.999)
    findings.push(
      'The values go with the right ones, but for a factor and an offset that are not the same everywhere.',
    );
  else if (correlation !== null && correlation < -0.999) findings.push('The signs are opposite.');
  return findings;
}

/** Errors up to this share of the largest value come of precision and constants more often than of formulas. */
const SMALL = 0.01;

/** Bits of a significand of float16; bfloat16 has fewer. */
const HALF_BITS = 11;

function smallFinding({ data }: Tensor, share: number): string {
  const isHalf = data.every((value) => {
    const unit = 2 ** (Math.floor(Math.log2(Math.abs(value))) - HALF_BITS + 1);
    return value === 0 || Number.isInteger(value / unit);
  });
  const size = `The error is small everywhere, ${short(share)} of the largest value at the most`;
  return isHalf
    ? `${size}, and no value has more digits than float16: compute in float32 or float64.`
    : `${size}: look at epsilon, at constants, and at the precision of what lies between.`;
}

/** Longer axes are not told apart by their slices. */
const LONGEST_AXIS = 64;

/** A factor, or an offset, that is one number in every slice along an axis. */
function sliceFindings(
  claimed: Tensor,
  right: Tensor,
  axes: readonly AxisStatistics[],
  tolerance: Tolerance,
): string[] {
  for (const { axis, name, size } of axes) {
    if (size < 2 || size > LONGEST_AXIS || right.data.length / size < 2) continue;
    const slices = Array.from({ length: size }, (_, i) => [slice(claimed, axis, i), slice(right, axis, i)] as const);
    const ratios = slices.map(([ours, theirs]) => ratioOf(ours, theirs, tolerance));
    const along = `At every ${name} (axis ${axis}) the values are the right ones`;
    const numbers = (values: readonly (number | null)[]) => list(values.map((value) => short(value ?? 0)));
    if (!ratios.includes(null)) return [`${along} times a number of its own: ${numbers(ratios)}.`];
    const offsets = slices.map(([ours, theirs]) => offsetOf(ours, theirs, tolerance));
    if (!offsets.includes(null)) return [`${along} plus a number of its own: ${numbers(offsets)}.`];
  }
  return [];
}

/** Those at place `index` of an axis. */
export function slice({ shape, data, dtype }: Tensor, axis: number, index: number): Tensor<Float64Array> {
  const inner = sizeOf(shape.slice(axis + 1));
  const step = inner * shape[axis];
  const values = new Float64Array(data.length / shape[axis]);
  for (let i = 0; i < values.length; i++) values[i] = data[Math.floor(i / inner) * step + index * inner + (i % inner)];
  return { dtype, shape: shape.toSpliced(axis, 1), data: values };
}

export function short(value: number): string {
  return String(Number(value.toPrecision(6)));
}

/** @param hasNamesake whether another axis bears the same name */
function axisFindings({ axis, name, size, wrong }: AxisStatistics, hasNamesake: boolean): string[] {
  if (name === 'gate row' && size % GATES.length === 0) {
    const rows = size / GATES.length;
    const gates = GATES.filter((_, gate) => wrong.some((row) => Math.floor(row / rows) === gate));
    return gates.length === GATES.length ? [] : [`Wrong in the rows of the ${list(gates)} gate alone.`];
  }
  if (wrong.length === size || wrong.length === 0) return [];
  const of = hasNamesake ? ` of axis ${axis}` : '';
  const few = wrong.length <= size / 2 || wrong.length <= 4;
  if (few) return [`Wrong at ${name} ${list(wrong.map(String))}${of} alone; the others are right.`];
  const right = Array.from({ length: size }, (_, i) => i).filter((i) => !wrong.includes(i));
  return [`Right at ${name} ${list(right.map(String))}${of} alone.`];
}

function list(names: readonly string[]): string {
  if (names.length > 6) return `${names.slice(0, 6).join(', ')}, …`;
  return names.length < 2 ? names.join('') : `${names.slice(0, -1).join(', ')} and ${names[names.length - 1]}`;
}

/** An error that is not there at the last step and grows towards the first one was carried back. */
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
      `The last steps are right and the earlier ones wrong, from step ${last} back: look at what step t + 1 hands to step t.`,
    ];
  if (first > 0 && last === size - 1)
    return [`Right up to step ${first - 1}, wrong from there on: look at the state that is handed on.`];
  return [];
}

/** So much larger at one end of time than at the other, and never much smaller on the way, an error grows. */
const [GROWTH, DIP] = [4, 0.8];

function growthFindings(worst: Float64Array): string[] {
  if (worst.length < 3) return [];
  const grows = (errors: Float64Array) =>
    errors[errors.length - 1] >= GROWTH * errors[0] &&
    errors.every((error, i) => i === 0 || error >= DIP * errors[i - 1]);
  const [first, last] = [short(worst[0]), short(worst[worst.length - 1])];
  if (grows(worst.toReversed()))
    return [
      `The error grows backward in time, from ${last} at the last step to ${first} at step 0: look at what step t + 1 hands to step t.`,
    ];
  if (grows(worst))
    return [
      `The error grows with time, from ${first} at step 0 to ${last} at the last step: look at the state that is handed on.`,
    ];
  return [];
}

/** On spatial axes: wrong at the edge of the plane alone. */
function borderFindings(wrong: Uint8Array, axes: readonly AxisStatistics[], { shape }: Tensor): string[] {
  const spatial = axes.filter(({ name, size }) => name === 'place' && size > 2).map(({ axis }) => axis);
  if (spatial.length === 0 || !wrong.includes(1)) return [];
  let [inside, outside] = [0, 0];
  wrong.forEach((flag, i) => {
    const place = indexOf(i, shape);
    const isInside = spatial.every((axis) => place[axis] > 0 && place[axis] < shape[axis] - 1);
    if (flag && isInside) inside++;
    if (flag && !isInside) outside++;
  });
  return inside === 0 && outside > 0 ? ['Wrong at the border of the plane alone: look at the padding.'] : [];
}

/** A shape that was claimed in the place of another. */
export function shapeSentence(name: string, claimed: Tensor, right: Tensor): string {
  return `${name} has shape ${formatShape(claimed.shape)}; expected ${formatShape(right.shape)}`;
}
