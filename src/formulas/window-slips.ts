/** How the positions of windows go wrong: the tables of other positions, each with a sentence. */
import type { WindowAxis } from '../tensor/windows.js';
import type { TableSlip } from './program.js';
import { positionOf as at, windowTable, type Look, type Position } from './windows.js';

const AT = 'In the position p · stride + k · dilation − padding of tap k of window p';

type Change = (axis: WindowAxis) => Partial<Pick<WindowAxis, 'stride' | 'dilation' | 'before'>>;

const PARAMETERS: readonly (readonly [id: string, change: Change, wrong: string, fix: string])[] = [
  ['stride_missing', () => ({ stride: 1 }), 'the stride is missing: it is taken to be 1', 'multiply p by the stride'],
  [
    'dilation_missing',
    () => ({ dilation: 1 }),
    'the dilation is missing: it is taken to be 1',
    'multiply k by the dilation',
  ],
  [
    'padding_missing',
    () => ({ before: 0 }),
    'the padding is missing: it is taken to be 0',
    'subtract the padding before the input',
  ],
  [
    'stride_and_dilation_exchanged',
    ({ stride, dilation }) => ({ stride: dilation, dilation: stride }),
    'the stride and the dilation are exchanged',
    'multiply p by the stride, and k by the dilation',
  ],
  [
    'dilation_for_stride',
    ({ dilation }) => ({ stride: dilation }),
    'p is multiplied by the dilation',
    'multiply p by the stride',
  ],
  [
    'stride_for_dilation',
    ({ stride }) => ({ dilation: stride }),
    'k is multiplied by the stride',
    'multiply k by the dilation',
  ],
  [
    'kernel_for_stride',
    ({ kernel }) => ({ stride: kernel }),
    'p is multiplied by the kernel size',
    'multiply p by the stride',
  ],
  [
    'padding_of_the_other_side',
    ({ after }) => ({ before: after }),
    'the padding after the input was used',
    'subtract the padding before the input',
  ],
  ['padding_added', ({ before }) => ({ before: -before }), 'the padding is added', 'subtract the padding'],
  [
    'padding_twice',
    ({ before }) => ({ before: 2 * before }),
    'the padding is subtracted twice',
    'subtract the padding once',
  ],
  [
    'padding_of_both_sides',
    ({ before, after }) => ({ before: before + after }),
    'the padding of both sides is subtracted',
    'subtract the padding before the input',
  ],
];

const LOOKS: readonly (readonly [id: string, look: Look, wrong: string, fix: string])[] = [
  [
    'kernel_flipped',
    (axis, p, k) => at(axis, p, axis.kernel - 1 - k),
    'kernel − 1 − k was used instead of k: the kernel is flipped',
    'use tap k as it is',
  ],
  [
    'windows_reversed',
    (axis, p, k) => at(axis, axis.output - 1 - p, k),
    'p counts from the last window to the first',
    'begin with the first window',
  ],
  ['place_off_by_one', (axis, p, k) => at(axis, p, k) + 1, 'one is added', 'begin at −padding'],
  ['place_off_by_one', (axis, p, k) => at(axis, p, k) - 1, 'one is subtracted', 'begin at −padding'],
  [
    'last_tap_missing',
    (axis, p, k) => (k === axis.kernel - 1 ? -1 : at(axis, p, k)),
    'the last tap is left out',
    'use all taps of the window',
  ],
  [
    'first_tap_missing',
    (axis, p, k) => (k === 0 ? -1 : at(axis, p, k)),
    'the first tap is left out',
    'use all taps of the window',
  ],
  [
    'last_window_missing',
    (axis, p, k) => (p === axis.output - 1 ? -1 : at(axis, p, k)),
    'the last window is left out',
    'use all windows',
  ],
  [
    'first_window_missing',
    (axis, p, k) => (p === 0 ? -1 : at(axis, p, k)),
    'the first window is left out',
    'use all windows',
  ],
  [
    'padded_with_the_edge',
    (axis, p, k) => Math.min(Math.max(at(axis, p, k), 0), axis.input - 1),
    'positions outside the input read the nearest element inside it',
    'skip what is outside the input',
  ],
  [
    'padded_from_the_other_end',
    (axis, p, k) => ((at(axis, p, k) % axis.input) + axis.input) % axis.input,
    'positions outside the input wrap around to its other end',
    'skip what is outside the input',
  ],
  [
    'first_element_missing',
    (axis, p, k) => (at(axis, p, k) === 0 ? -1 : at(axis, p, k)),
    'the first element of the input counts as outside',
    'the input begins at position 0',
  ],
  [
    'last_element_missing',
    (axis, p, k) => (at(axis, p, k) === axis.input - 1 ? -1 : at(axis, p, k)),
    'the last element of the input counts as outside',
    'the input ends at position input − 1',
  ],
];

/** Indices that may be used instead of p and k. */
const INDICES: readonly (readonly [what: string, of: (all: Position, axes: number) => number | undefined])[] = [
  ['k', ({ axis, k }) => k[axis]],
  ['p', ({ axis, p }) => p[axis]],
  ['k of another axis', ({ axis, k }, axes) => (axes > 1 ? k[(axis + 1) % axes] : undefined)],
  ['p of another axis', ({ axis, p }, axes) => (axes > 1 ? p[(axis + 1) % axes] : undefined)],
  ['0', () => 0],
  ['p²', ({ axis, p }) => p[axis] ** 2],
  ['k²', ({ axis, k }) => k[axis] ** 2],
  ['−k', ({ axis, k }) => -k[axis]],
  ['2 k', ({ axis, k }) => 2 * k[axis]],
  ['2 p', ({ axis, p }) => 2 * p[axis]],
];

function indexLooks(axes: number): (readonly [id: string, look: Look, wrong: string, fix: string])[] {
  return INDICES.flatMap(([what, of]) => {
    if (of({ axis: 0, p: [0, 0], k: [0, 0] }, axes) === undefined) return [];
    const index = (all: Position) => of(all, axes) ?? -1;
    const ways: (readonly [string, Look, string, string])[] = [];
    if (what !== 'p')
      ways.push([
        'wrong_window_index',
        (axis, _, k, all) => at(axis, index(all), k),
        `${what} was used instead of p`,
        'use the index of the window along the same axis',
      ]);
    if (what !== 'k')
      ways.push([
        'wrong_tap_index',
        (axis, p, _, all) => at(axis, p, index(all)),
        `${what} was used instead of k`,
        'use the index of the tap along the same axis',
      ]);
    return ways;
  });
}

/** The position along another axis, sums instead of products, and wrong signs. */
function placeLooks(axes: readonly WindowAxis[]): (readonly [id: string, look: Look, wrong: string, fix: string])[] {
  const fix = 'compute p · stride + k · dilation − padding';
  const other = (i: number) => (i + 1) % axes.length;
  return [
    ...(axes.length > 1
      ? [
          [
            'position_of_another_axis',
            (_: WindowAxis, __: number, ___: number, { axis: i, p, k }: Position) =>
              at(axes[other(i)], p[other(i)], k[other(i)]),
            'the position along another axis was used',
            fix,
          ] as const,
        ]
      : []),
    [
      'sum_for_product',
      ({ stride, dilation, before }, p, k) => p + stride + k * dilation - before,
      'the stride is added to p, not multiplied',
      fix,
    ],
    [
      'sum_for_product',
      ({ stride, dilation, before }, p, k) => p * stride + k + dilation - before,
      'the dilation is added to k, not multiplied',
      fix,
    ],
    [
      'wrong_sign',
      ({ stride, dilation, before }, p, k) => p * stride - k * dilation - before,
      'k · dilation is subtracted',
      fix,
    ],
    [
      'wrong_sign',
      ({ stride, dilation, before }, p, k) => k * dilation - p * stride - before,
      'p · stride is subtracted',
      fix,
    ],
  ];
}

const along = (which: number, count: number) => (which < 0 || count === 1 ? '' : ` along axis ${which}`);

export function windowSlips(axes: readonly WindowAxis[]): TableSlip[] {
  const slips: TableSlip[] = [];
  const right = windowTable(axes);
  const slip = (id: string, table: Int32Array, wrong: string, fix: string, rank: number) => {
    if (table.length !== right.length || table.every((place, i) => place === right[i])) return;
    slips.push({ id, rank, names: ['at'], given: { at: table }, wrong: `${AT}, ${wrong}`, fix });
  };
  // All axes, and each by itself.
  const which = axes.length === 1 ? [-1] : [-1, ...axes.keys()];
  for (const [id, change, wrong, fix] of PARAMETERS)
    for (const one of which) {
      const changed = axes.map((axis, i) => (one < 0 || i === one ? { ...axis, ...change(axis) } : axis));
      slip(id, windowTable(changed), `${wrong}${along(one, axes.length)}`, fix, one < 0 ? 2 : 3);
    }
  for (const [id, look, wrong, fix] of [...LOOKS, ...indexLooks(axes.length), ...placeLooks(axes)])
    for (const one of which) {
      const table = windowTable(axes, (axis, p, k, all) => (one < 0 || all.axis === one ? look : at)(axis, p, k, all));
      slip(id, table, `${wrong}${along(one, axes.length)}`, fix, one < 0 ? 3 : 4);
    }
  if (axes.length > 1)
    for (const name of ['stride', 'dilation', 'before'] as const) {
      const changed = axes.map((axis, i) => ({ ...axis, [name]: axes[(i + 1) % axes.length][name] }));
      const word = name === 'before' ? 'padding' : name;
      slip(
        `${word}_of_another_axis`,
        windowTable(changed),
        `the ${word} of another axis was used`,
        `use the ${word} of each axis`,
        3,
      );
    }
  if (axes.length === 2) {
    const [first, second] = axes;
    if (first.kernel === second.kernel) {
      const K = first.kernel;
      const swapped = right.map((_, i) => right[i - (i % (K * K)) + (i % K) * K + Math.floor((i % (K * K)) / K)]);
      slip(
        'kernel_transposed',
        swapped,
        'the two axes of the kernel are exchanged',
        'use tap k of each axis as it is',
        4,
      );
    }
  }
  return slips;
}
