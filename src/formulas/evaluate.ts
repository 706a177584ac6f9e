/**
 * Evaluates the formulas of an instance, and again with some of them changed.
 *
 * Each quantity has two places: one for its right values, one for those that follow from a change; a change evaluates
 * only what depends on it. A quantity over the axis of a scan (time) keeps one slice more at either end: the state
 * before the first step, and after the last.
 */
import { lettersOf, namesIn } from './language.js';
import { Compiler } from './operations.js';
import type { Change, Line, Program, Scan } from './program.js';
import { Values, type Quantity } from './values.js';

/** A line, and what computes it; nothing does if it was never written. */
interface Planned {
  readonly line: Line;
  readonly run: (() => void) | undefined;
}

/** A part of a problem that is whole in itself: what depends on anything else is NaN. */
export interface Part {
  /** How many elements of an axis are computed, by its letter. */
  readonly limits: Readonly<Record<string, number>>;
  /** How many steps of each scan are computed. */
  readonly steps: number;
}

const WHOLE: Part = { limits: {}, steps: Infinity };

/** The lines of a program, compiled for a part of it. */
interface Compiled {
  readonly part: Part;
  readonly compiler: Compiler;
  readonly stores: ReadonlyMap<Line, () => void>;
}

export class Evaluation {
  private readonly values: Values;
  private readonly compiled = new Map<Part, Compiled>();
  private lengths: ArrayLike<number> | undefined;

  /** @throws {SyntaxError} if a formula reads what is not defined, or has axes that its quantity lacks */
  constructor(readonly program: Program) {
    this.values = new Values(program.axes);
    for (const [name, { axes, data }] of Object.entries(program.given)) {
      const quantity = this.values.declare(name, axes);
      this.values.load(quantity, quantity.right, data);
    }
    for (const { target, axes } of program.lines)
      if (!this.values.has(target)) this.values.declare(target, program.shapes[target] ?? axes);
    const plain = new Set(program.lines.filter(({ style }) => style === undefined).map(({ target }) => target));
    this.lengths = program.lengths?.of;
    const usual = program.lines.filter(({ style, target }) => style === undefined || !plain.has(target));
    const { stores } = this.prepare(WHOLE);
    this.runAll(
      usual.map((line) => ({ line, run: stores.get(line) })),
      WHOLE,
    );
  }

  /** Compiles all lines at once, since room that is allocated during a change is released after it. */
  private prepare(part: Part): Compiled {
    const known = this.compiled.get(part);
    if (known) return known;
    const compiler = new Compiler(this.program, this.values, part.limits);
    const stores = new Map<Line, () => void>();
    for (const line of this.program.lines) {
      const store = compiler.keptStoreOf(line);
      if (!store) throw new SyntaxError(`${line.target} lacks axes of its formula`);
      stores.set(line, store);
    }
    const made = { part, compiler, stores };
    this.compiled.set(part, made);
    return made;
  }

  /** The right values of a quantity, in the order of its axes. */
  right(name: string): Float64Array {
    const { right, lead, size } = this.values.quantity(name);
    return this.values.data.subarray(right + lead, right + lead + size);
  }

  /** The values of a quantity now: those that follow from a change, during one. */
  now(name: string): Float64Array {
    const { id, lead, size } = this.values.quantity(name);
    const from = this.values.where[id] + lead;
    return this.values.data.subarray(from, from + size);
  }

  has(name: string): boolean {
    return this.values.has(name);
  }

  /** Makes room for a quantity that only a change computes. */
  reserve(name: string, axes: string): void {
    if (!this.values.has(name)) this.values.declare(name, axes);
  }

  /**
   * Evaluates lines with a change, calls `visit` while the changed values can be read, then restores the right ones.
   *
   * @param lines those that depend on the change, in order
   * @param goesOn called when a quantity outside of scans is complete; nothing more is evaluated if it returns false
   * @param part what is evaluated, if not everything
   * @returns undefined if the changed formula has axes that its quantity lacks, or if `goesOn` returned false
   */
  withChange<Result>(
    { lines: others, given = {}, lengths }: Change,
    lines: readonly Line[],
    visit: () => Result,
    goesOn?: (target: string) => boolean,
    part: Part = WHOLE,
  ): Result | undefined {
    const { compiler, stores } = this.prepare(part);
    const mark = this.values.mark();
    this.lengths = lengths ?? this.program.lengths?.of;
    const changed = new Set<Quantity>();
    const change = (name: string) => {
      const quantity = this.values.quantity(name);
      changed.add(quantity);
      return quantity;
    };
    try {
      for (const [name, data] of Object.entries(given)) this.values.load(change(name), change(name).changed, data);
      for (const line of lines) change((others?.get(line) ?? line).target);
      for (const { id, changed: offset } of changed) this.values.where[id] = offset;
      const planned: Planned[] = [];
      for (const line of lines) {
        if (others?.has(line) !== true) {
          planned.push({ line, run: stores.get(line) });
          continue;
        }
        const other = others.get(line);
        const run = other && compiler.storeOf(other);
        if (other && !run) return undefined;
        planned.push({ line: other ?? line, run });
      }
      return this.runAll(planned, part, goesOn) ? visit() : undefined;
    } finally {
      for (const { id, right } of changed) this.values.where[id] = right;
      this.values.releaseTo(mark);
      this.lengths = this.program.lengths?.of;
    }
  }

  private runAll(planned: readonly Planned[], part: Part, goesOn: (target: string) => boolean = () => true): boolean {
    const written = new Set<string>();
    const isComplete = (i: number) => planned.at(i + 1)?.line.target !== planned[i].line.target;
    for (let i = 0; i < planned.length; i++) {
      const { line, run } = planned[i];
      const { scan } = line;
      if (!scan) {
        this.clear(line, written, part);
        run?.();
        if (isComplete(i) && !goesOn(line.target)) return false;
        continue;
      }
      let end = i;
      while (end < planned.length && planned[end].line.scan === scan) this.clear(planned[end++].line, written, part);
      const together = planned.slice(i, end);
      const T = this.program.axes[scan.axis];
      for (let count = 0; count < Math.min(T, part.steps); count++) {
        this.values.step = scan.isDown ? T - 1 - count : count;
        if (part !== WHOLE) for (const each of together) this.clearStep(each.line, part);
        for (const each of together) {
          each.run?.();
          if (this.lengths) this.hold(each.line, scan, this.lengths);
        }
      }
      i = end - 1;
    }
    return true;
  }

  /** Everything is 0 until it is written, or NaN if it is not computed; the first state of a scan is given. */
  private clear({ target, scan }: Line, written: Set<string>, part: Part): void {
    if (written.has(target)) return;
    written.add(target);
    const { id, lead, size, axes, strides } = this.values.quantity(target);
    const region = this.values.where[id];
    const { data } = this.values;
    if (part === WHOLE) data.fill(0, region, region + size + 2 * lead);
    else {
      data.fill(0, region, region + lead);
      data.fill(NaN, region + lead, region + lead + size);
      data.fill(0, region + lead + size, region + size + 2 * lead);
      if (!scan) this.clearBox(region + lead, axes, strides, part);
    }
    const start = scan?.starts[target];
    if (scan === undefined || start === undefined || !this.values.has(start)) return;
    const from = this.values.where[this.values.quantity(start).id];
    data.copyWithin(region + (scan.isDown ? lead + size : 0), from, from + lead);
  }

  private clearStep({ target }: Line, part: Part): void {
    const { id, lead, axes, strides } = this.values.quantity(target);
    this.clearBox(this.values.where[id] + lead * (1 + this.values.step), axes.slice(1), strides.slice(1), part);
  }

  /** Sets the elements that are computed to 0: values are added to what is there. */
  private clearBox(from: number, axes: string, strides: readonly number[], part: Part): void {
    if (!lettersOf(axes).some((axis) => axis in part.limits)) {
      this.values.data.fill(0, from, from + this.values.sizeOfAxes(axes));
      return;
    }
    const count = part.limits[axes[0]] ?? this.program.axes[axes[0]];
    for (let i = 0; i < count; i++) this.clearBox(from + i * strides[0], axes.slice(1), strides.slice(1), part);
  }

  /** In the steps that a sequence does not have. */
  private hold({ target }: Line, { isDown, held }: Scan, of: ArrayLike<number>): void {
    const axis = this.program.lengths?.axis ?? '';
    const { id, axes, strides, lead } = this.values.quantity(target);
    const at = axes.indexOf(axis);
    const outer = this.values.sizeOfAxes(axes.slice(1, at));
    const inner = strides[at];
    const before = isDown ? lead : -lead;
    const count = this.program.axes[axis];
    // Lengths may differ along the axes before: a direction may pass over more steps.
    const isOverAll = of.length > count;
    for (let n = 0; n < count; n++) {
      for (let i = 0; i < outer; i++) {
        if (this.values.step < of[isOverAll ? i * count + n : n]) continue;
        const from = this.values.where[id] + lead * (1 + this.values.step) + (i * count + n) * inner;
        if (held.includes(target)) this.values.data.copyWithin(from, from + before, from + before + inner);
        else this.values.data.fill(0, from, from + inner);
      }
    }
  }
}

/** The lines that depend on `changed`, in order, those of a scan over all its steps. */
export function dependents(lines: readonly Line[], changed: readonly Line[], names: readonly string[] = []): Line[] {
  const read = readsOf(lines);
  const affected = new Set<string>([...names, ...changed.map(({ target }) => target)]);
  const found = new Set<Line>(changed);
  for (let before = -1; before < found.size;) {
    before = found.size;
    for (const line of lines) {
      if (found.has(line)) continue;
      const isWriter = affected.has(line.target);
      if (!isWriter && ![...(read.get(line) ?? [])].some((name) => affected.has(name))) continue;
      found.add(line);
      affected.add(line.target);
    }
  }
  return lines.filter((line) => found.has(line));
}

const reads = new WeakMap<readonly Line[], Map<Line, Set<string>>>();

function readsOf(lines: readonly Line[]): Map<Line, Set<string>> {
  const known = reads.get(lines);
  if (known) return known;
  const found = new Map(lines.map((line) => [line, readBy(line)]));
  reads.set(lines, found);
  return found;
}

function readBy({ value, at, target, scan }: Line): Set<string> {
  const names = namesIn(value);
  for (const each of at ?? []) if ('table' in each) names.add(each.table);
  const start = scan?.starts[target];
  if (start !== undefined) names.add(start);
  return names;
}
