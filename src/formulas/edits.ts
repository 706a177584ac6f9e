/**
 * Typical slips in a formula. Each is the formula with one part changed, and a sentence that describes the change. They
 * are generated from the formula, not listed.
 */
import {
  childrenOf,
  lettersOf,
  replaced,
  type Node,
  type Product,
  type Reduction,
  type Reference,
  type Subscript,
} from './language.js';
import type { Line, Program } from './program.js';
import {
  isDifference,
  ofCall,
  ofDerivative,
  ofLoneName,
  ofNumber,
  ofProduct,
  ofSigmoidDerivative,
  ofSum,
  signOf,
} from './arithmetic-slips.js';
import {
  insteadOf,
  ofOffset,
  ofOtherAxes,
  sameLetters,
  usedInstead,
  wrongOffsets,
  type Place,
} from './reading-slips.js';
import { RANK, type Slip } from './slip.js';
import { formulaOf, textOf } from './text.js';

/** A changed formula. */
export interface Edit {
  readonly kind: string;
  readonly line: Line;
  /** The part of the formula that was written wrongly. */
  readonly part: Node;
  /** The line as it was probably written; absent if it was not written at all. */
  readonly to: Line | undefined;
  /** Smaller is more common. */
  readonly rank: number;
  /** What is wrong, as a clause, and what to do. */
  readonly wrong: string;
  readonly fix: string;
  /** Edits of one group are made together by one slip; those of the same kind and words, if absent. */
  readonly group?: string;
}

/**
 * All edits of a program's lines.
 *
 * @param edited those that may be wrong, of all that are evaluated together
 */
export function editsOf(
  program: Program,
  lines: readonly Line[] = program.lines,
  edited: readonly Line[] = lines,
): Edit[] {
  return edited.flatMap((line) => editsOfLine(program, lines, line));
}

function editsOfLine(program: Program, lines: readonly Line[], line: Line): Edit[] {
  const context = new Context(program, lines, line);
  const edits: Edit[] = [];
  const visit = (node: Node, parent: Node | undefined) => {
    for (const { kind, id, by, wrong, fix, group, part = node } of context.slipsOf(node, parent))
      edits.push({
        ...(group === undefined ? {} : { group }),
        kind: id,
        line,
        part,
        to: { ...line, value: replaced(line.value, node, by) },
        rank: RANK[kind],
        wrong,
        fix,
      });
    for (const child of childrenOf(node)) visit(child, node);
  };
  visit(line.value, undefined);
  for (const { kind, id, by, wrong, fix } of context.valuesInstead())
    edits.push({ kind: id, line, part: line.value, to: { ...line, value: by }, rank: RANK[kind], wrong, fix });
  const { target, value } = line;
  edits.push(...context.cuts(), ...context.places());
  const isZero = value.kind === 'number' && value.value === 0;
  // Where several lines write a quantity, it is not 0 without one of them.
  if (!isZero && context.isOnlyWriter)
    edits.push({
      ...{ kind: 'never_computed', line, part: value, to: undefined, rank: RANK.never },
      wrong: `${target} was never computed: it is 0`,
      fix: `compute ${formulaOf(line)}`,
    });
  return edits;
}

/** The sentence about an edit. */
export const explanationOf = ({ line, wrong }: Edit): string => `In ${formulaOf(line)}, ${wrong}.`;

class Context {
  /** Names of quantities that hold indices: another number would lead anywhere. */
  private readonly indices: ReadonlySet<string>;
  private readonly before: readonly string[];
  private readonly place: Place;

  constructor(
    private readonly program: Program,
    /** The lines that are evaluated together with this one. */
    private readonly lines: readonly Line[],
    private readonly line: Line,
  ) {
    this.indices = new Set(lines.flatMap(tablesIn));
    this.before = this.quantitiesBefore();
    this.place = this.placeOf();
  }

  slipsOf(node: Node, parent: Node | undefined): readonly Slip[] {
    switch (node.kind) {
      case 'sum':
        return [...ofSum(node), ...ofDerivative(node), ...(parent || isDifference(node) ? [] : signOf(node, parent))];
      case 'product':
        return [...ofProduct(node), ...ofSigmoidDerivative(node), ...signOf(node, parent), ...this.ofCopies(node)];
      case 'call':
        return [...ofCall(node), ...signOf(node, parent)];
      case 'reduce':
        return [...this.ofReduction(node), ...signOf(node, parent)];
      case 'name':
        return this.isIndex(node.name)
          ? []
          : [...this.ofName(node), ...signOf(node, parent), ...ofLoneName(node, parent)];
      case 'number':
        return [...ofNumber(node)];
      case 'cut':
        return [];
    }
  }

  /** One of the two copies in a square. */
  private *ofCopies({ factors }: Product): Generator<Slip> {
    for (const [i, { node, power }] of factors.entries()) {
      if (power !== 2 || node.kind !== 'name' || this.isIndex(node.name)) continue;
      for (const slip of this.ofName(node)) {
        const copies = [
          { node, power: 1 },
          { node: slip.by, power: 1 },
        ];
        const by: Product = { kind: 'product', factors: [...factors.slice(0, i), ...copies, ...factors.slice(i + 1)] };
        yield { ...slip, by, wrong: `in one of the two factors of ${textOf(node)}², ${slip.wrong}`, part: node };
      }
    }
  }

  private *ofReduction(node: Reduction): Generator<Slip> {
    const { axes, body, how } = node;
    if (how !== 'Σ') {
      const others = { argmaxLast: 'the last of equal values', argmin: 'the smallest value' } as const;
      for (const [other, what] of Object.entries(others))
        yield {
          kind: 'function',
          id: other === 'argmin' ? 'smallest_instead_of_largest' : 'last_of_equals',
          by: { ...node, how: other as Reduction['how'] },
          wrong: `${what} was taken instead of the ${other === 'argmin' ? 'largest' : 'first of them'}`,
          fix: other === 'argmin' ? 'take the largest value' : 'take the first of equal values',
        };
      return;
    }
    const sum = textOf(node);
    yield {
      kind: 'twice',
      id: 'sum_twice',
      by: {
        kind: 'product',
        factors: [
          { node: { kind: 'number', value: 2 }, power: 1 },
          { node, power: 1 },
        ],
      },
      wrong: `every term of ${sum} is added twice`,
      fix: 'add every term once',
    };
    const sizeOf = (some: string) => lettersOf(some).reduce((size, axis) => size * this.program.axes[axis], 1);
    for (const some of new Set([axes, ...lettersOf(axes)])) {
      const size = sizeOf(some);
      if (size === 1) continue;
      const over = this.named(some);
      yield {
        kind: 'mean',
        id: 'mean_instead_of_sum',
        by: {
          kind: 'product',
          factors: [
            { node, power: 1 },
            { node: { kind: 'number', value: size }, power: -1 },
          ],
        },
        wrong: `${sum} was divided by ${size}, the number of ${over}`,
        fix: `do not divide by ${size}`,
      };
      const rest = lettersOf(axes)
        .filter((axis) => !some.includes(axis))
        .join('');
      const summed = (inner: Node): Node =>
        rest === '' ? inner : { kind: 'reduce', how: 'Σ', axes: rest, body: inner };
      yield {
        kind: 'twice',
        id: 'terms_subtracted',
        by: {
          kind: 'sum',
          terms: [
            { sign: -1, node },
            { sign: 1, node: { kind: 'product', factors: [TWO, { node: summed(firstOf(some, body)), power: 1 }] } },
          ],
        },
        wrong: `all but the first of the ${over} are subtracted in ${sum}`,
        fix: 'add all of them',
      };
      // A pass from the last step to the first leaves that of the first step.
      const isBackInTime = this.line.part === 'backward' && some.includes('t');
      if (isBackInTime)
        yield {
          kind: 'assigned',
          id: 'assigned_instead_of_added',
          by: overwritten(body, some.replace('t', ''), rest),
          wrong: `only the last of the ${over} that the pass reaches counts in ${sum}: each overwrites the one before`,
          fix: `add up all ${over} (+=), do not assign (=)`,
        };
      for (const how of ['last', 'first'] as const) {
        if (isBackInTime && some === 't' && how === 'first') continue;
        yield {
          kind: 'assigned',
          id: how === 'last' ? 'assigned_instead_of_added' : 'only_first_added',
          by: {
            kind: 'reduce',
            how,
            axes: some,
            body: rest === '' ? body : { kind: 'reduce', how: 'Σ', axes: rest, body },
          },
          wrong: `only the ${how} of the ${over} counts in ${sum}${how === 'last' && !isBackInTime ? ': each overwrites the one before' : ''}`,
          fix: how === 'last' ? `add up all ${over} (+=), do not assign (=)` : `add up all ${over}`,
        };
      }
      if (some.length === 1)
        for (const skipped of [
          [1, 0],
          [0, 1],
        ] as const)
          yield {
            kind: 'skipped',
            id: 'one_left_out',
            by: {
              kind: 'reduce',
              how: 'Σ',
              axes: rest === '' ? some : rest,
              body: rest === '' ? body : { kind: 'reduce', how: 'Σ', axes: some, body, skipped },
              ...(rest === '' ? { skipped } : {}),
            },
            group: leftOut(some, skipped),
            wrong: `the ${skipped[0] === 1 ? 'first' : 'last'} of the ${over} is left out of ${sum}`,
            fix: `sum over all ${over}`,
          };
    }
  }

  private *ofName(node: Reference): Generator<Slip> {
    const { program, line } = this;
    const own = textOf(node);
    const axes = this.axesOf(node.name);
    if (axes === undefined) return;
    for (const other of this.before) {
      if (other === node.name || !sameLetters(this.axesOf(other) ?? '', axes) || isTable(program, other)) continue;
      if (isTable(program, node.name)) continue;
      if (axes.length === 0 && !(other in program.given)) continue;
      const shifted: Reference = { ...node, name: other };
      const plain: Reference = { kind: 'name', name: other };
      for (const by of [shifted, ...this.inOtherSteps(plain, node)]) yield usedInstead(by, own, 'name');
    }
    for (const by of this.ofStepBefore(node, axes)) yield usedInstead(by, own, 'name');
    yield* this.otherShapes(node, axes, own);
    yield* ofOtherAxes(node, this.place);
    yield* ofOffset(node, this.place);
    if (axes.includes('t') && line.scan) {
      const subscripts: readonly Subscript[] =
        node.at ?? lettersOf(axes).map((axis): Subscript => ({ axis, shift: 0 }));
      const now = subscripts.find((each) => 'axis' in each && each.axis === 't');
      const at = now && 'axis' in now ? now.shift : 0;
      // What is not computed yet cannot have been used, unless it comes from the other pass.
      const writer = program.lines.find(({ target }) => target === node.name);
      const isOther = writer?.scan !== line.scan;
      for (const shift of [-1, 0, 1]) {
        if (shift === at) continue;
        if (!isOther && (line.scan.isDown ? shift < 0 : shift > 0)) continue;
        if (!isOther && shift === 0 && !this.isBefore(node.name)) continue;
        const moved = subscripts.map((each): Subscript => (each === now ? { axis: 't', shift } : each));
        const by: Reference = { ...node, at: moved };
        yield {
          kind: 'shift',
          id: 'wrong_time_step',
          by,
          wrong: `${shift === 0 ? `${textOf({ kind: 'name', name: node.name })} of the same step` : textOf(by)} was used instead of ${own}`,
          fix: `use ${own}`,
        };
      }
    }
    yield* this.transpositions(node, axes, own);
  }

  private placeOf(): Place {
    const { program, line } = this;
    const axesOf = (name: string) => this.axesOf(name) ?? '';
    const isRead = (name: string) => !isTable(program, name) && !this.isIndex(name);
    const within = line.at ? line.at.flatMap((each) => ('axis' in each ? [each.axis] : [])) : lettersOf(line.axes);
    return {
      ...{ program, axesOf },
      loops: [...new Set([...within, ...axesIn(line.value, axesOf)])],
      known: this.before.filter(isRead),
      named: (axes) => this.named(axes),
      bound: line.scan?.axis ?? '',
      past: line.part === 'backward' ? 1 : -1,
    };
  }

  /** A quantity of the same step, the step before and the one after it, other than with the subscripts of a node. */
  private inOtherSteps(plain: Reference, { at }: Reference): Reference[] {
    const axes = this.axesOf(plain.name) ?? '';
    if (!axes.includes('t')) return [];
    const given = at?.find((each) => 'axis' in each && each.axis === 't');
    const own = given && 'axis' in given ? given.shift : 0;
    const isDown = this.line.part === 'backward';
    return [0, isDown ? 1 : -1]
      .filter((shift) => shift !== own)
      .map((shift) => {
        if (shift === 0) return plain;
        return {
          ...plain,
          at: plainSubscripts(axes).map((each) => ('axis' in each && each.axis === 't' ? { axis: 't', shift } : each)),
        };
      });
  }

  /** What is computed later in a scan exists in the step before, too. */
  private ofStepBefore(node: Reference, axes: string): Reference[] {
    const { lines, line, program } = this;
    if (!line.scan || !axes.includes('t') || isTable(program, node.name)) return [];
    const shift = line.scan.isDown ? 1 : -1;
    const at = (node.at ?? plainSubscripts(axes)).map((each) =>
      'axis' in each && each.axis === 't' ? { ...each, shift } : each,
    );
    const known = this.before;
    const later = lines.filter(({ scan }) => scan === line.scan);
    return [...new Set(later.map(({ target }) => target))]
      .filter((name) => name !== node.name && !known.includes(name) && sameLetters(this.axesOf(name) ?? '', axes))
      .map((name) => ({ ...node, name, at }));
  }

  /** Quantities of other axes that are as large: a weight of the input for a weight of the state. */
  private *otherShapes(node: Reference, axes: string, own: string): Generator<Slip> {
    const { axes: sizes } = this.program;
    if (axes.length < 2 || node.at?.some((each) => 'table' in each)) return;
    for (const other of this.before) {
      const theirs = this.axesOf(other) ?? '';
      if (other === node.name || theirs.length !== axes.length || sameLetters(theirs, axes)) continue;
      if (isTable(this.program, other) || theirs.includes('t') !== axes.includes('t')) continue;
      if (!lettersOf(theirs).every((axis, i) => sizes[axis] >= sizes[axes[i]])) continue;
      const by: Reference = { kind: 'name', name: other, at: node.at ?? plainSubscripts(axes) };
      const name = textOf({ kind: 'name', name: other });
      yield { kind: 'name', id: 'wrong_quantity', by, wrong: `${name} was used instead of ${own}`, fix: `use ${own}` };
    }
  }

  private *transpositions(node: Reference, axes: string, own: string): Generator<Slip> {
    const { axes: sizes } = this.program;
    const subscripts = node.at ?? plainSubscripts(axes);
    for (let i = 0; i < subscripts.length; i++)
      for (let j = i + 1; j < subscripts.length; j++) {
        const [a, b] = [subscripts[i], subscripts[j]];
        if (!('axis' in a && 'axis' in b) || a.axis === 't' || b.axis === 't') continue;
        if (sizes[a.axis] !== sizes[b.axis] || sizes[a.axis] === 1) continue;
        const at = subscripts.map((each, k) => (k === i ? b : k === j ? a : each));
        yield {
          kind: 'transposed',
          id: 'transposed',
          by: { ...node, at },
          wrong: `${own} was transposed`,
          fix: `use ${own} as it is`,
        };
      }
    const defined = this.axesOf(node.name) ?? '';
    for (const [i, each] of subscripts.entries()) {
      if ('table' in each)
        for (const other of this.loopsFor(defined[i]))
          yield {
            kind: 'index',
            id: 'wrong_index',
            by: { ...node, at: subscripts.map((old, k) => (k === i ? other : old)) },
            wrong: `${own} was read at the index of ${this.indexName(other)} instead of ${each.table}`,
            fix: `read it at ${each.table}`,
          };
      if (!('axis' in each) || each.axis === this.line.scan?.axis || sizes[each.axis] === 1) continue;
      for (const other of this.indicesFor(each.axis, subscripts))
        yield {
          kind: 'index',
          id: 'wrong_index',
          by: { ...node, at: subscripts.map((old, k) => (k === i ? other : old)) },
          wrong: `${own} was read at the index of ${this.indexName(other)} instead of that of the ${this.named(each.axis)}`,
          fix: `read ${own} at the index of the ${this.named(each.axis)}`,
        };
      if (each.axis === 't') continue;
      yield {
        kind: 'transposed',
        id: 'reversed',
        by: { ...node, at: subscripts.map((other, k) => (k === i ? { ...each, reversed: true } : other)) },
        wrong: `${own} was read in reverse order along the ${this.named(each.axis)}`,
        fix: `read the ${this.named(each.axis)} of ${own} from first to last`,
      };
    }
  }

  valuesInstead(): Iterable<Slip> {
    return this.line.at ? [] : insteadOf(this.line.value, this.line.axes, this.place);
  }

  /** Results in the wrong place, and states that stay what they were. */
  places(): Edit[] {
    const { line, program } = this;
    const { target, value, scan } = line;
    const subscripts = line.at ?? plainSubscripts(line.axes);
    const bare = { line, part: value, rank: RANK.index };
    const found: Edit[] = [];
    const moved = (kind: string, at: readonly Subscript[], wrong: string, fix: string) => {
      // A sum adds each of its terms to the wrong element.
      const isSum = value.kind === 'reduce' && value.how === 'Σ';
      const to = isSum ? { ...line, at, adds: true, value: value.body } : { ...line, at };
      found.push({ ...bare, kind, to, wrong, fix });
    };
    const defined = this.axesOf(target) ?? '';
    for (const [i, each] of subscripts.entries()) {
      if ('table' in each)
        for (const other of this.loopsFor(defined[i]))
          moved(
            'wrong_index_of_result',
            subscripts.map((old, k) => (k === i ? other : old)),
            `${target} was written at the index of ${this.indexName(other)} instead of ${each.table}`,
            `write it at ${each.table}`,
          );
      if (!('axis' in each) || each.axis === scan?.axis) continue;
      const own = this.named(each.axis);
      for (const other of this.indicesFor(each.axis, subscripts))
        moved(
          'wrong_index_of_result',
          subscripts.map((old, k) => (k === i ? other : old)),
          `${target} was written at the index of ${this.indexName(other)} instead of that of the ${own}`,
          `write ${target} at the index of the ${own}`,
        );
      if (program.axes[each.axis] > 1 && each.axis !== 't')
        for (const shift of [1, -1])
          moved(
            'wrong_index_of_result',
            subscripts.map((old, k) => (k === i ? { ...each, shift } : old)),
            `${target} was written one position too ${shift > 0 ? 'late' : 'early'} along the ${own}`,
            `write ${target} at the index of the ${own}`,
          );
      for (let k = i + 1; k < subscripts.length; k++) {
        const second = subscripts[k];
        if (!('axis' in second) || second.axis === scan?.axis) continue;
        if (program.axes[second.axis] !== program.axes[each.axis] || program.axes[each.axis] === 1) continue;
        moved(
          'result_transposed',
          subscripts.map((old, l) => (l === i ? second : l === k ? each : old)),
          `${target} was transposed: the ${own} and the ${this.named(second.axis)} are exchanged`,
          `write ${target} with the ${own} first`,
        );
      }
    }
    if (!scan && !line.at && line.axes.length > 1 && !line.axes.includes('t'))
      for (const { at, axis, factor, right } of wrongOffsets(line.axes, program.axes))
        moved(
          'wrong_offset_of_result',
          at,
          `the offset into ${target} is wrong: the index of the ${this.named(axis)} is multiplied by ${factor} instead of ${right}`,
          `multiply it by ${right}`,
        );
    if (scan && target in scan.starts) {
      const axes = `t${line.axes.replace('t', '')}`;
      const before = scan.isDown ? 1 : -1;
      const kept: Reference = {
        kind: 'name',
        name: target,
        at: lettersOf(line.axes || axes).map((axis) => ({ axis, shift: axis === 't' ? before : 0 })),
      };
      found.push({
        ...{ ...bare, kind: 'never_updated', rank: RANK.never },
        to: { ...line, value: kept },
        wrong: `${target} was never updated: it keeps its initial value`,
        fix: `set ${target} in every step`,
      });
    }
    return found;
  }

  /** The indices of loops that lie within an axis. */
  private loopsFor(axis: string): Subscript[] {
    const { axes } = this.program;
    return this.place.loops
      .filter((other) => axes[other] > 1 && axes[other] <= axes[axis] && other !== this.line.scan?.axis)
      .map((other) => ({ axis: other, shift: 0 }));
  }

  /** Indices that may have been used for that of an axis: those of other loops, and 0. */
  private indicesFor(axis: string, used: readonly Subscript[]): Subscript[] {
    const { axes } = this.program;
    const inLoops = new Set(axesIn(this.line.value, (name) => this.axesOf(name) ?? ''));
    for (const each of used) if ('axis' in each) inLoops.add(each.axis);
    const others = [...inLoops].filter((other) => other !== axis && axes[other] <= axes[axis]);
    const found: Subscript[] = others.filter((other) => axes[other] > 1).map((other) => ({ axis: other, shift: 0 }));
    return axes[axis] > 1 ? [...found, { index: 0 }] : found;
  }

  private indexName(each: Subscript): string {
    if ('index' in each) return 'the first element';
    return 'axis' in each ? `the ${this.named(each.axis)}` : each.table;
  }

  /** Loops that start late or end early. */
  cuts(): Edit[] {
    const { line, program } = this;
    const { target, value } = line;
    if (!this.isOnlyWriter) return [];
    const looped = line.adds ? this.place.loops.join('') : '';
    const axes = line.at ? (line.scan ? 't' : looped) : line.axes;
    const isSummed = (axis: string) => line.at?.every((each) => !('axis' in each) || each.axis !== axis) === true;
    return lettersOf(axes).flatMap((axis) => {
      if (program.axes[axis] === 1) return [];
      const there = isSummed(axis) && axis !== 't' ? `what it adds to ${target} is missing` : `${target} is 0 there`;
      return (
        [
          [1, 0],
          [0, 1],
        ] as const
      ).map((skipped) => ({
        ...{ kind: 'one_left_out', line, part: value, rank: RANK.skipped, group: leftOut(axis, skipped) },
        to: { ...line, value: { kind: 'cut', axis, skipped, body: value } },
        wrong: `the ${skipped[0] === 1 ? 'first' : 'last'} of the ${this.named(axis)} is left out: ${there}`,
        fix: `compute ${target} for all ${this.named(axis)}`,
      }));
    });
  }

  private isIndex(name: string): boolean {
    return isTable(this.program, name) || this.indices.has(name);
  }

  get isOnlyWriter(): boolean {
    return this.lines.every((line) => line === this.line || line.target !== this.line.target);
  }

  private named(axes: string): string {
    return lettersOf(axes)
      .map((axis) => this.program.means?.[axis] ?? axis)
      .join(' and ');
  }

  private axesOf(name: string): string | undefined {
    const { given, lines, shapes } = this.program;
    if (name in given) return given[name].axes;
    return shapes[name] ?? lines.find(({ target, axes }) => target === name && axes !== '')?.axes;
  }

  /** Quantities that exist when this line is computed. */
  private quantitiesBefore(): string[] {
    const { given } = this.program;
    const before = this.lines.slice(0, this.lines.indexOf(this.line)).map(({ target }) => target);
    return [...new Set([...Object.keys(given), ...before])].filter((name) => name !== this.line.target);
  }

  private isBefore(name: string): boolean {
    const { lines } = this;
    return lines.findIndex(({ target }) => target === name) < lines.indexOf(this.line);
  }
}

/** A loop that begins late or ends early may compute several quantities. */
const leftOut = (axis: string, [start]: readonly [number, number]) => `${start > 0 ? 'first' : 'last'} ${axis}`;

const TWO = { node: { kind: 'number', value: 2 }, power: 1 } as const;

const firstOf = (axes: string, body: Node): Node => ({ kind: 'reduce', how: 'first', axes, body });

/** What is left of a sum over time and other axes if each step, from the last to the first, overwrites it. */
function overwritten(body: Node, others: string, summed: string): Node {
  const inner: Node = summed === '' ? body : { kind: 'reduce', how: 'Σ', axes: summed, body };
  const first: Node = { kind: 'reduce', how: 'first', axes: 't', body: inner };
  return others === '' ? first : { kind: 'reduce', how: 'last', axes: others, body: first };
}

/** The quantities that a line reads as indices. */
function tablesIn({ value, at = [] }: Line): string[] {
  const below = (node: Node): string[] => [
    ...(node.kind === 'name' ? tables(node.at ?? []) : []),
    ...childrenOf(node).flatMap(below),
  ];
  return [...tables(at), ...below(value)];
}

const tables = (at: readonly Subscript[]): string[] => at.flatMap((each) => ('table' in each ? [each.table] : []));

const plainSubscripts = (axes: string): Subscript[] => lettersOf(axes).map((axis) => ({ axis, shift: 0 }));

/** The axes over which a node is computed. */
function axesIn(node: Node, axesOf: (name: string) => string): string[] {
  const below = childrenOf(node).flatMap((child) => axesIn(child, axesOf));
  if (node.kind === 'reduce') return [...below, ...lettersOf(node.axes)];
  if (node.kind !== 'name') return below;
  return (node.at ?? plainSubscripts(axesOf(node.name))).flatMap((each) => {
    if ('axis' in each) return [each.axis];
    return 'table' in each ? lettersOf(axesOf(each.table)) : [];
  });
}

const isTable = ({ given }: Program, name: string) => name in given && given[name].data instanceof Int32Array;
