/** The formulas of a layer, put together for one instance. */
import type { Instance } from '../layers/instance.js';
import { sizeOf, type Shape, type Tensor } from '../tensor/tensor.js';
import { lettersOf, parse, type Step } from './language.js';

/** Values that an instance gives: tensors, tables of indices (−1: outside), and, without axes, numbers. */
export interface Given {
  readonly axes: string;
  readonly data: ArrayLike<number>;
}

/** How formulas are evaluated together, one time step after the other. */
export interface Scan {
  readonly axis: string;
  /** From the last step to the first. */
  readonly isDown: boolean;
  /** The quantity that a state starts from, by the state's name; 0 if absent. */
  readonly starts: Readonly<Record<string, string>>;
  /** States that keep their value in the steps that a sequence does not have; everything else is 0 there. */
  readonly held: readonly string[];
}

export interface Line extends Step {
  readonly part: 'forward' | 'backward';
  readonly scan?: Scan;
  /** Another way to compute the same, which takes the place of the usual lines for its targets. */
  readonly style?: string;
}

export interface Program {
  /** Sizes by letter, outermost first. */
  readonly axes: Readonly<Record<string, number>>;
  readonly given: Readonly<Record<string, Given>>;
  /** What the letters of axes stand for, in the plural. */
  readonly means?: Readonly<Record<string, string>>;
  /** The axes of quantities that are only written through subscripts. */
  readonly shapes: Readonly<Record<string, string>>;
  /** The sizes of the axes that one letter covers, where it covers several axes of a tensor. */
  readonly dims?: Readonly<Record<string, Shape>>;
  readonly lines: readonly Line[];
  /** Number of steps of each sequence, over the axis of that letter, or also over those before it. */
  readonly lengths?: { readonly axis: string; readonly of: ArrayLike<number> };
  readonly slips?: readonly TableSlip[];
}

/** A slip in what an instance gives: in a table of indices, or in the lengths of sequences. */
export interface TableSlip {
  readonly id: string;
  readonly rank: number;
  /** The given quantities that are wrong. */
  readonly names: readonly string[];
  readonly given: Readonly<Record<string, ArrayLike<number>>>;
  readonly lengths?: ArrayLike<number>;
  /** What is read or written at a wrong index along one of its axes: that in a table over the axes of loops. */
  readonly moved?: {
    readonly name: string;
    readonly axis: string;
    readonly over: string;
    readonly table: ArrayLike<number>;
  };
  /** A sentence without its full stop, and what to do. */
  readonly wrong: string;
  readonly fix: string;
}

/** Replacements for some lines (`undefined`: never evaluated), and other values for some given quantities. */
export interface Change {
  readonly lines?: ReadonlyMap<Line, Line | undefined>;
  readonly given?: Readonly<Record<string, ArrayLike<number>>>;
  readonly lengths?: ArrayLike<number>;
}

/** The tensors of an instance, any of which may be absent. */
export function tensorsOf({ inputs, upstream, drawn }: Instance): Readonly<Record<string, Tensor | undefined>> {
  return { ...inputs, ...upstream, ...drawn };
}

/** Formulas that are evaluated together, one time step after the other. */
export interface ScanBlock {
  readonly scan: Omit<Scan, 'axis'>;
  readonly lines: readonly string[];
}

export type Block = string | ScanBlock;

export interface Source {
  readonly axes: Readonly<Record<string, number>>;
  /** By name, with their axes after a blank: `'x ncs'`. */
  readonly given: Readonly<Record<string, ArrayLike<number> | number | undefined>>;
  readonly shapes?: Readonly<Record<string, string>>;
  readonly lengths?: Program['lengths'];
  readonly means?: NonNullable<Program['means']>;
  readonly dims?: NonNullable<Program['dims']>;
  readonly slips?: readonly TableSlip[];
  readonly forward: readonly Block[];
  readonly backward: readonly Block[];
  /** Other ways to compute what `backward` or `forward` define. */
  readonly styles?: Readonly<Record<string, readonly Block[]>>;
}

const LETTERS = 'abcd';

/** The axes of a tensor whose elements are computed each by itself: one letter each, or one for all of many. */
export function elementwise(shape: Shape): Required<Pick<Source, 'axes' | 'means'>> & {
  readonly over: string;
  /** As subscripts. */
  readonly at: string;
} {
  const sizes = shape.length <= LETTERS.length ? shape : [sizeOf(shape)];
  const axes = lettersOf(LETTERS).slice(0, sizes.length);
  return {
    over: axes.join(''),
    at: axes.join(),
    axes: Object.fromEntries(axes.map((axis, i) => [axis, sizes[i]])),
    means: Object.fromEntries(axes.map((axis, i) => [axis, `elements along axis ${i}`])),
  };
}

const parsed = new Map<string, Step>();

function stepOf(text: string, axes: string): Step {
  const key = `${axes} ${text}`;
  const step = parsed.get(key) ?? parse(text, axes);
  parsed.set(key, step);
  return step;
}

function linesOf(blocks: readonly Block[], axes: string, part: Line['part'], style?: string): Line[] {
  const styled = style === undefined ? {} : { style };
  return blocks.flatMap((block) => {
    if (typeof block === 'string') return [{ ...stepOf(block, axes), part, ...styled }];
    const scan: Scan = { axis: 't', ...block.scan };
    return block.lines.map((text) => ({ ...stepOf(text, axes), part, scan, ...styled }));
  });
}

const made = new Map<string, readonly Line[]>();

/** The same lines for the same text: what is derived from them can be kept. */
function allLines(
  { forward, backward, styles = {} }: Pick<Source, 'forward' | 'backward' | 'styles'>,
  letters: string,
): readonly Line[] {
  const key = JSON.stringify([letters, forward, backward, styles]);
  const known = made.get(key);
  if (known) return known;
  const usual = [...linesOf(forward, letters, 'forward'), ...linesOf(backward, letters, 'backward')];
  const others = Object.entries(styles).flatMap(([style, blocks]) => styledLines(usual, blocks, letters, style));
  const lines = [...usual, ...others];
  made.set(key, lines);
  return lines;
}

export function programOf(source: Source): Program {
  const { axes, given, shapes = {}, lengths, means, dims, slips, forward, backward, styles = {} } = source;
  const letters = Object.keys(axes).join('');
  const values = Object.entries(given).flatMap(([key, data]): [string, Given][] => {
    if (data === undefined) return [];
    const [name, over = ''] = key.split(' ');
    return [[name, { axes: over, data: typeof data === 'number' ? [data] : data }]];
  });
  return {
    axes,
    given: Object.fromEntries(values),
    shapes,
    lines: allLines({ forward, backward, styles }, letters),
    ...(lengths ? { lengths } : {}),
    ...(means ? { means } : {}),
    ...(dims ? { dims } : {}),
    ...(slips ? { slips } : {}),
  };
}

/** The lines of a style. One without a usual counterpart belongs to the direction of the next that has one. */
function styledLines(usual: readonly Line[], blocks: readonly Block[], axes: string, style: string): Line[] {
  let part: Line['part'] = 'backward';
  return linesOf(blocks, axes, part, style)
    .reverse()
    .map((line) => {
      part = usual.find(({ target }) => target === line.target)?.part ?? part;
      return { ...line, part };
    })
    .reverse();
}

/** The lines of the usual way to compute everything. */
export const usualLines = ({ lines }: Program): Line[] => lines.filter(({ style }) => style === undefined);

/** The axes of a quantity, in the order of its elements. */
export function axesOfName(
  { given, lines, shapes }: Program,
  name: string,
  reshaped: ReadonlyMap<string, { readonly name: string; readonly axes: string }>,
): string {
  for (const other of reshaped.values()) if (other.name === name) return other.axes;
  if (name in given) return given[name].axes;
  if (name in shapes) return shapes[name];
  return lines.find(({ target, axes }) => target === name && axes !== '')?.axes ?? '';
}

/** The shape of a tensor over axes. */
export const shapeOver = ({ axes: sizes, dims = {} }: Program, axes: string): Shape =>
  lettersOf(axes).flatMap((axis) => dims[axis] ?? [sizes[axis]]);
