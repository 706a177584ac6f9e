/**
 * The table that every part of the benchmark adds rows to: what was measured, layerd's figure, the figures of the
 * alternatives and the ratio to each, and the target, if there is one.
 */
import { targetsOf, type Target } from './targets.js';

/** `time` is in nanoseconds. Higher is better for a rate, and lower for everything else. */
export type Unit = 'time' | 'ns a number' | 'requests a second';

export interface Figure {
  readonly name: string;
  readonly value: number;
  /** A remark, shown in brackets. */
  readonly more?: string | undefined;
}

export interface Row {
  readonly what: string;
  readonly unit: Unit;
  readonly layerd: Omit<Figure, 'name'>;
  readonly beside: readonly (Figure | Remark)[];
  /** A reason to distrust the row. */
  readonly caution?: string | undefined;
}

/** Text instead of a figure, usually the reason why there is none. */
export interface Remark {
  readonly name: string;
  readonly says: string;
}

export type Report = (row: Row | Remark) => void;

export const HEAD = [
  '| what | layerd | compared with (how many times as fast layerd is) | target | |',
  '|---|---|---|---|---|',
].join('\n');

/** Three significant digits. */
export function formatNumber(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  const digits = value === 0 ? 0 : 2 - Math.floor(Math.log10(Math.abs(value)));
  return value.toFixed(Math.min(4, Math.max(0, digits)));
}

export function formatValue(value: number, unit: Unit): string {
  if (unit === 'ns a number') return `${formatNumber(value)} ns`;
  if (unit === 'requests a second') return `${formatNumber(value)}/s`;
  if (value < 1e3) return `${formatNumber(value)} ns`;
  if (value < 1e6) return `${formatNumber(value / 1e3)} µs`;
  return value < 1e9 ? `${formatNumber(value / 1e6)} ms` : `${formatNumber(value / 1e9)} s`;
}

/** How many times as fast as the alternative layerd is: above 1, layerd is faster. */
export function ratio(layerd: number, other: number, unit: Unit): number {
  return unit === 'requests a second' ? layerd / other : other / layerd;
}

export function formatRow(row: Row | Remark): string {
  const cells = 'says' in row ? [row.name, '–', row.says, '', ''] : cellsOf(row);
  return `| ${cells.join(' | ')} |`;
}

function cellsOf({ what, unit, layerd, beside, caution }: Row): string[] {
  const figure = ({ value, more }: Omit<Figure, 'name'>, ...brackets: string[]) => {
    const inside = [...brackets, ...(more ? [more] : [])].join('; ');
    return formatValue(value, unit) + (inside ? ` (${inside})` : '');
  };
  const others = beside.map((other) =>
    'says' in other
      ? `${other.name}: ${other.says}`
      : `${other.name} ${figure(other, `${formatNumber(ratio(layerd.value, other.value, unit))}×`)}`,
  );
  const wanted = targetsOf(what);
  const verdicts = wanted.map((target) => judge(target, unit, layerd.value, beside));
  return [
    `${what}${unit === 'ns a number' ? ', a number' : ''}`,
    figure(layerd),
    others.length > 0 ? others.join(', ') : 'nothing to compare with',
    wanted.map((target) => formatTarget(target, unit)).join('; '),
    [...verdicts, ...(caution ? [caution] : [])].join('; '),
  ];
}

/** Removes trailing zeros, so that a target is written as it was defined. */
const short = (text: string) => text.replace(/\.?0+(?=$| )/, '');

function formatTarget(target: Target, unit: Unit): string {
  return 'atMost' in target
    ? `at most ${short(formatValue(target.atMost, unit))}`
    : `${short(formatNumber(target.atLeast))}× ${target.beside}`;
}

function judge(target: Target, unit: Unit, value: number, beside: Row['beside']): string {
  if ('atMost' in target) return value <= target.atMost ? 'met' : '**missed**';
  const other = beside.find(({ name }) => name.startsWith(target.beside));
  if (!other || 'says' in other) return `no ${target.beside} to judge by`;
  return ratio(value, other.value, unit) >= target.atLeast ? 'met' : '**missed**';
}
