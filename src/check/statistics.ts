/** What narrows a wrong result down where no known mistake fits it: how it is wrong, and where. */
import { formatShape, sizeOf, type Tensor } from '../tensor/tensor.js';
import { areClose, indexOf, type Tolerance } from './compare.js';

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
    ...wholeFindings(claimed, ratio, offset, correlation),
    ...axes.flatMap(axisFindings),
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
  ratio: number | null,
  offset: number | null,
  correlation: number | null,
): string[] {
  const findings: string[] = [];
  if (claimed.data.every((value) => value === 0)) findings.push('Every value is 0.');
  if (claimed.data.some((value) => Number.isNaN(value))) findings.push('Some values are NaN.');
  if (ratio !== null) findings.push(`Every value is ${short(ratio)} times the right one.`);
  else if (offset !== null) findings.push(`Every value is the right one plus ${short(offset)}.`);
  else if (correlation !== null && correlation > 0.999)
    findings.push(
      'The values go with the right ones, but for a factor and an offset that are not the same everywhere.',
    );
  else if (correlation !== null && correlation < -0.999) findings.push('The signs are opposite.');
  return findings;
}

export function short(value: number): string {
  return String(Number(value.toPrecision(6)));
}

function axisFindings({ name, size, wrong }: AxisStatistics): string[] {
  if (name === 'gate row' && size % GATES.length === 0) {
    const rows = size / GATES.length;
    const gates = GATES.filter((_, gate) => wrong.some((row) => Math.floor(row / rows) === gate));
    return gates.length === GATES.length ? [] : [`Wrong in the rows of the ${list(gates)} gate alone.`];
  }
  if (wrong.length === size || wrong.length === 0) return [];
  const few = wrong.length <= size / 2 || wrong.length <= 4;
  if (few) return [`Wrong at ${name} ${list(wrong.map(String))} alone; the others are right.`];
  const right = Array.from({ length: size }, (_, i) => i).filter((i) => !wrong.includes(i));
  return [`Right at ${name} ${list(right.map(String))} alone.`];
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
  if (size < 2 || flags.size === 0 || flags.size === size) return [];
  const last = Math.max(...flags);
  const first = Math.min(...flags);
  if (last < size - 1 && first === 0)
    return [
      `The last steps are right and the earlier ones wrong, from step ${last} back: look at what step t + 1 hands to step t.`,
    ];
  if (first > 0 && last === size - 1)
    return [`Right up to step ${first - 1}, wrong from there on: look at the state that is handed on.`];
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
