/**
 * A self-contained part of a problem: a few rows of the batch, a few channels, the first step of a pass. Its elements
 * do not depend on the rest, so it shows at little cost that a candidate does not explain a claim.
 */
import type { Part } from '../formulas/evaluate.js';
import { axesOfNode, childrenOf, lettersOf, namesIn, type Node } from '../formulas/language.js';
import { axesOfName, type Line, type Program } from '../formulas/program.js';
import type { Formulas } from './written.js';

/** Elements of a claim that a part is meant to have. */
const WANTED = 6;
/** With fewer elements than this, a part is not used. */
const ENOUGH = 2;

/** The part that determines some elements of each tensor, found when it is first asked for. */
export class Parts {
  private readonly known = new Map<string, Part | undefined>();
  /** Equal parts are one object: formulas are compiled once for each. */
  private readonly made = new Map<string, Part>();

  constructor(private readonly formulas: Formulas) {}

  /** @returns undefined if the whole problem is needed */
  of(name: string): Part | undefined {
    if (!this.known.has(name)) this.known.set(name, this.find(name));
    return this.known.get(name);
  }

  private find(name: string): Part | undefined {
    const { evaluation, program, usual } = this.formulas;
    const last = usual.findLastIndex(({ target }) => target === name);
    const lines = ancestors(usual.slice(0, last + 1), name);
    const steps = lines.some(({ scan }) => scan) ? 1 : Infinity;
    const limits = limitsFor(program, name, lines);
    if (Object.keys(limits).length === 0 && steps === Infinity) return undefined;
    const key = JSON.stringify([limits, steps]);
    const part = this.made.get(key) ?? { limits, steps };
    this.made.set(key, part);
    const count = () => evaluation.now(name).reduce((sum, value) => sum + (Number.isNaN(value) ? 0 : 1), 0);
    // Only the pass of the claim is limited: each step of backward needs the whole forward pass.
    const own = lines.filter((line) => line.part === usual[last].part);
    const determined = evaluation.withChange({}, own, count, undefined, part) ?? 0;
    return determined >= ENOUGH ? part : undefined;
  }
}

/** The lines from which a quantity follows. */
function ancestors(lines: readonly Line[], name: string): Line[] {
  const needed = new Set([name]);
  for (let before = -1; before < needed.size;) {
    before = needed.size;
    for (const line of lines) if (needed.has(line.target)) for (const read of readBy(line)) needed.add(read);
  }
  return lines.filter(({ target }) => needed.has(target));
}

const readBy = ({ value, at = [], target, scan }: Line): string[] => {
  const start = scan?.starts[target];
  return [
    ...namesIn(value),
    ...at.flatMap((each) => ('table' in each ? [each.table] : [])),
    ...(start === undefined ? [] : [start]),
  ];
};

/** Limits for the axes of a tensor over which nothing is summed, so that few elements are left. */
function limitsFor(program: Program, name: string, lines: readonly Line[]): Record<string, number> {
  const summed = new Set(lines.flatMap((line) => summedIn(line, program)));
  const own = lines.filter(({ target }) => target === name);
  const written = own.map(({ axes, at }) =>
    at ? at.flatMap((each) => ('axis' in each ? each.axis : [])).join('') : axes,
  );
  const all = axesOfName(program, name, new Map());
  const limits: Record<string, number> = {};
  lettersOf(all).forEach((axis, i) => {
    if (summed.has(axis) || !written.every((axes) => axes.includes(axis))) return;
    let inner = 1;
    for (const other of all.slice(i + 1)) inner *= program.axes[other];
    const limit = Math.min(program.axes[axis], Math.ceil(WANTED / inner));
    if (limit < program.axes[axis]) limits[axis] = limit;
  });
  return limits;
}

/** The axes over which a line sums, including those along which values are added to the same element. */
function summedIn({ value, at }: Line, program: Program): string[] {
  const axesOf = (name: string) => axesOfName(program, name, new Map());
  const below = (node: Node): string[] => [
    ...(node.kind === 'reduce' ? lettersOf(node.axes) : []),
    ...childrenOf(node).flatMap(below),
  ];
  if (!at) return below(value);
  const kept = at.flatMap((each) => ('axis' in each ? [each.axis] : []));
  const places = at.flatMap((each) => ('table' in each ? lettersOf(axesOf(each.table)) : []));
  return [
    ...below(value),
    ...[...lettersOf(axesOfNode(value, axesOf)), ...places].filter((axis) => !kept.includes(axis)),
  ];
}

/** Nanoseconds for each term of a formula, and for each run of a formula. */
const [PER_TERM, PER_LINE] = [4, 1500];

/** Estimates how long formulas take from the sizes of their loops. */
export class Costs {
  private readonly known = new Map<Part | undefined, Map<Line, number>>();

  constructor(private readonly program: Program) {}

  of(lines: readonly Line[], part?: Part): number {
    const known = this.known.get(part) ?? new Map<Line, number>();
    this.known.set(part, known);
    return lines.reduce((sum, line) => {
      const cost = known.get(line) ?? this.ofLine(line, part);
      known.set(line, cost);
      return sum + cost;
    }, 0);
  }

  private ofLine(line: Line, { limits = {}, steps = Infinity }: Partial<Part> = {}): number {
    const { axes } = this.program;
    const all = new Set([...lettersOf(line.axes), ...axesIn(line, this.program)]);
    let terms = 1;
    for (const axis of all)
      terms *= axis === line.scan?.axis ? Math.min(steps, axes[axis]) : (limits[axis] ?? axes[axis]);
    const runs = line.scan ? Math.min(steps, axes[line.scan.axis]) : 1;
    return terms * PER_TERM + runs * PER_LINE;
  }
}

/** The axes of all loops of a line. */
function axesIn({ value, at }: Line, program: Program): string[] {
  const axesOf = (name: string) => axesOfName(program, name, new Map());
  const below = (node: Node): string[] => [...lettersOf(axesOfNode(node, axesOf)), ...childrenOf(node).flatMap(below)];
  const placed = (at ?? []).flatMap((each) => {
    if ('axis' in each) return [each.axis];
    return 'table' in each ? lettersOf(axesOf(each.table)) : [];
  });
  return [...below(value), ...placed];
}
