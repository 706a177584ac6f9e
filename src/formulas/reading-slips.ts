/** Slips in what a formula reads: a quantity with other axes, or an element at another offset. */
import { lettersOf, type Node, type Reference, type Subscript } from './language.js';
import type { Program } from './program.js';
import type { Slip } from './slip.js';
import { textOf } from './text.js';

/** The context of a reference. */
export interface Place {
  readonly program: Program;
  /** The axes of the loops around it. */
  readonly loops: readonly string[];
  /** Names of quantities that exist when it is read, except for tables of indices. */
  readonly known: readonly string[];
  readonly axesOf: (name: string) => string;
  readonly named: (axes: string) => string;
  /** The axis of the scan that it is in. */
  readonly bound: string;
  /** The step whose values exist already in this pass: −1 forward, 1 backward. */
  readonly past: 1 | -1;
}

const plain = (axes: readonly string[]): Subscript[] => axes.map((axis) => ({ axis, shift: 0 }));

/** Another quantity in the place of one. */
export function usedInstead(by: Reference, own: string, kind: Slip['kind'] = 'elsewhere'): Slip {
  return {
    kind,
    id: 'wrong_quantity',
    by,
    wrong: `${textOf(by)} was used instead of ${own}`,
    fix: `use ${own}`,
  };
}

/**
 * Quantities of other axes: a constant; what the loops around it can read; and arrays that are large enough for the
 * indices with which this one is read.
 */
export function* ofOtherAxes(node: Reference, place: Place): Generator<Slip> {
  const { known, axesOf } = place;
  const own = textOf(node);
  const axes = axesOf(node.name);
  const used = node.at ?? plain(lettersOf(axes));
  if (used.some((each) => 'table' in each)) return;
  const seen = new Set<string>();
  for (const name of known) {
    if (name === node.name) continue;
    const theirs = axesOf(name);
    if (sameLetters(theirs, axes)) continue;
    if (theirs === '') {
      yield usedInstead({ kind: 'name', name }, own);
      continue;
    }
    const ways = [...readings(theirs, used, place)];
    for (const at of theirs.includes('t') ? [...ways, ...ways.map((way) => inStep(way, place.past))] : ways) {
      const by: Reference = { kind: 'name', name, at };
      const key = JSON.stringify(by);
      if (seen.has(key)) continue;
      seen.add(key);
      // Read with the same subscripts, it is one of `otherShapes` in edits.ts.
      if (
        used.length > 1 &&
        at.length === used.length &&
        at.every((each, i) => JSON.stringify(each) === JSON.stringify(used[i])) &&
        theirs.includes('t') === axes.includes('t')
      )
        continue;
      yield usedInstead(isPlain(at, theirs) ? { kind: 'name', name } : by, own);
    }
  }
}

/** The same in another time step. */
const inStep = (at: readonly Subscript[], shift: 1 | -1): Subscript[] =>
  at.map((each) => ('axis' in each && each.axis === 't' ? { ...each, shift } : each));

/** A quantity that was read instead of the whole expression. */
export function* insteadOf(node: Node, axes: string, place: Place): Generator<Slip> {
  if (node.kind === 'name' || node.kind === 'number') return;
  const own = textOf(node);
  const used = plain(lettersOf(axes));
  for (const name of place.known) {
    const theirs = place.axesOf(name);
    if (theirs === '') continue;
    for (const at of readings(theirs, used, place)) {
      const by: Reference = isPlain(at, theirs) ? { kind: 'name', name } : { kind: 'name', name, at };
      yield { ...usedInstead(by, own), id: 'another_value' };
      break;
    }
  }
}

const isPlain = (at: readonly Subscript[], axes: string) =>
  at.length === axes.length && at.every((each, i) => 'axis' in each && each.axis === axes[i] && each.shift === 0);

/** How an array may be read: with the loops over its axes, or with the last indices of what it replaces. */
function* readings(
  theirs: string,
  used: readonly Subscript[],
  { program, loops, bound }: Place,
): Generator<Subscript[]> {
  const sizes = program.axes;
  const letters = lettersOf(theirs);
  if (letters.every((axis) => loops.includes(axis))) yield plain(letters);
  if (bound !== '' && letters.includes(bound) !== used.some((each) => 'axis' in each && each.axis === bound)) return;
  const fits = (axis: string, each: Subscript) =>
    'axis' in each && each.shift === 0 && (axis === bound) === (each.axis === bound) && sizes[each.axis] <= sizes[axis];
  // Shared axes keep their index; the others take those that are left, the last first.
  const left = used.filter((each) => 'axis' in each && !letters.includes(each.axis));
  const own = letters.filter((axis) => !used.some((each) => 'axis' in each && each.axis === axis));
  if (own.length <= left.length) {
    const taken = left.slice(left.length - own.length);
    if (own.every((axis, i) => fits(axis, taken[i])))
      yield letters.map((axis) => {
        const i = own.indexOf(axis);
        return i < 0 ? (used.find((each) => 'axis' in each && each.axis === axis) ?? { axis, shift: 0 }) : taken[i];
      });
  }
  if (letters.length <= used.length) {
    const last = used.slice(used.length - letters.length);
    if (letters.every((axis, i) => fits(axis, last[i]))) yield [...last];
  }
}

/** An offset in a flat array with a wrong size in it. */
export interface WrongOffset {
  readonly at: readonly Subscript[];
  /** The axis whose index has the wrong factor, and the factors. */
  readonly axis: string;
  readonly factor: number;
  readonly right: number;
}

/** The offsets of the elements of an array if a size is missing, or another one is in its place. */
export function* wrongOffsets(axes: string, sizes: Readonly<Record<string, number>>): Generator<WrongOffset> {
  const letters = lettersOf(axes);
  const strides = letters.map((_, i) => letters.slice(i + 1).reduce((size, axis) => size * sizes[axis], 1));
  const total = strides[0] * sizes[letters[0]];
  for (const [i, axis] of letters.slice(0, -1).entries()) {
    if (sizes[axis] === 1) continue;
    for (const size of new Set([1, ...Object.values(sizes)])) {
      const factor = size * strides[i + 1];
      if (factor === strides[i]) continue;
      // In (n · C + c) · S + s, a wrong C also scales the indices before it.
      const nested = strides.map((each, k) => (k > i ? each : (each / strides[i]) * factor));
      const alone = strides.map((each, k) => (k === i ? factor : each));
      for (const changed of i === 0 ? [alone] : [nested, alone]) {
        const largest = letters.reduce((sum, letter, k) => sum + (sizes[letter] - 1) * changed[k], 0);
        if (largest >= total) continue;
        const at = letters.map((letter, k) => ({ axis: letter, shift: 0, stride: changed[k] }));
        yield { at, axis, factor, right: strides[i] };
      }
    }
  }
}

export function* ofOffset(node: Reference, { program, axesOf, named, bound }: Place): Generator<Slip> {
  const axes = axesOf(node.name);
  if (node.at || axes.length < 2 || axes.includes('t') || bound !== '') return;
  const own = textOf(node);
  for (const { at, axis, factor, right } of wrongOffsets(axes, program.axes))
    yield {
      kind: 'offset',
      id: 'wrong_offset',
      by: { ...node, at },
      wrong: `the offset into ${own} is wrong: the index of the ${named(axis)} is multiplied by ${factor} instead of ${right}`,
      fix: `multiply it by ${right}`,
    };
}

export function sameLetters(a: string, b: string): boolean {
  return lettersOf(a).toSorted().join('') === lettersOf(b).toSorted().join('');
}
