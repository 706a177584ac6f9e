/** Indices of windows, taps and channels that are taken from other loops. */
import type { WindowAxis } from '../tensor/windows.js';
import { lettersOf, withReferences, type Node, type Subscript } from './language.js';
import { axesOfName, type Line, type Program, type TableSlip } from './program.js';
import { unflattened } from './windows.js';

/** The axes of an array that may be read or written at the index of another loop. */
export interface Indexed {
  readonly name: string;
  /** Its axis of windows, of taps or of channels, by letter. */
  readonly axis: string;
  readonly of: 'output' | 'kernel' | 'channels';
  /** What its indices count. */
  readonly counts: string;
}

type Loop = readonly [name: string, over: 'p' | 'k' | '', at: (p: readonly number[], k: readonly number[]) => number];

const loopsOf = (axes: number): Loop[] => [
  ...Array.from({ length: axes }, (_, i): Loop => [`the window along spatial axis ${i}`, 'p', (p) => p[i]]),
  ...Array.from({ length: axes }, (_, i): Loop => [`the tap along spatial axis ${i}`, 'k', (_, k) => k[i]]),
  ['', '', () => 0],
];

export function loopSlips(
  axes: readonly WindowAxis[],
  arrays: readonly Indexed[],
  sizes: Program['axes'],
): TableSlip[] {
  const loops = loopsOf(axes.length);
  return arrays.flatMap(({ name, axis, of, counts }) =>
    (of === 'channels' ? [-1] : [...axes.keys()]).flatMap((which) => {
      const own = of === 'output' ? 'p' : of === 'kernel' ? 'k' : '';
      const isOwn = ([, over]: Loop, i: number) => over === own && i % axes.length === which;
      return loops
        .filter((loop, i) => !isOwn(loop, i) && (loop[1] !== '' || of !== 'channels'))
        .map(([what, over, at]): TableSlip => {
          const letters = lettersOf('pk').filter((letter) => letter === own || letter === over);
          const [P, K] = ['p', 'k'].map((letter) => (letters.includes(letter) ? sizes[letter] : 1));
          const table = Int32Array.from({ length: P * K }, (_, i) => {
            const [p, k] = [unflattened(Math.floor(i / K), axes, 'output'), unflattened(i % K, axes, 'kernel')];
            const index = at(p, k);
            if (of === 'channels') return index < sizes[axis] ? index : -1;
            const place = (of === 'output' ? p : k).with(which, index);
            return place.every((value, each) => value < axes[each][of])
              ? place.reduce((flat, value, each) => flat * axes[each][of] + value, 0)
              : -1;
          });
          const index = what === '' ? 'index 0' : `the index of ${what}`;
          const instead = which < 0 ? counts : `${counts} along spatial axis ${which}`;
          return {
            ...{ id: 'wrong_index', rank: 7, names: [], given: {} },
            moved: { name, axis, over: letters.join(''), table },
            wrong: `${name} is indexed with ${index} instead of that of ${instead}`,
            fix: `use the index of ${instead}`,
          };
        });
    }),
  );
}

/** The name of the table that a slip uses, one for each set of axes. */
export const tableOf = ({ over, axis }: NonNullable<TableSlip['moved']>): string => `index of ${axis} over ${over}`;

/** The lines that read or write an array, with its index along an axis taken from a table. */
export function movedLines(
  program: Program,
  lines: readonly Line[],
  moved: NonNullable<TableSlip['moved']>,
): ReadonlyMap<Line, Line> {
  const { name, axis } = moved;
  const plain = (axes: string): Subscript[] => lettersOf(axes).map((letter) => ({ axis: letter, shift: 0 }));
  const rerouted = (at: readonly Subscript[]) =>
    at.map((each): Subscript => ('axis' in each && each.axis === axis ? { table: tableOf(moved) } : each));
  const found = new Map<Line, Line>();
  for (const line of lines) {
    if (line.target === name) {
      const at = rerouted(line.at ?? plain(line.axes));
      const isSum = line.value.kind === 'reduce' && line.value.how === 'Σ';
      found.set(line, { ...line, at, ...(isSum ? { adds: true, value: (line.value as { body: Node }).body } : {}) });
      continue;
    }
    const value = withReferences(line.value, (node) =>
      node.name === name ? { ...node, at: rerouted(node.at ?? plain(axesOfName(program, name, new Map()))) } : node,
    );
    if (value !== line.value) found.set(line, { ...line, value });
  }
  return found;
}
