/** How the positions of windows go wrong: the tables of other positions, each with a sentence. */
import type { WindowAxis } from '../tensor/windows.js';
import type { Program, TableSlip } from './program.js';
import {
  otherOrders,
  positionOf as at,
  tapsAlong,
  windowTable,
  withTapsMoved,
  type Look,
  type Position,
} from './windows.js';

/** What has the windows. Those of a transposed convolution lie on out, one for each element of x. */
export type Windowed = 'weighted' | 'transposed' | 'unweighted';

/** A slip along all axes, or along one: then `of` and `along` name it. */
interface Way {
  readonly id: string;
  readonly change?: (axis: WindowAxis) => Partial<Pick<WindowAxis, 'stride' | 'dilation' | 'before'>>;
  readonly look?: Look;
  readonly wrong: (of: string, along: string) => string;
  readonly fix: string;
}

/** Words that fit an instance. They do not mention options that have no effect in it. */
interface Words {
  readonly hasStride: boolean;
  readonly hasDilation: boolean;
  readonly position: string;
  /** What to do with p and k. */
  readonly ofWindow: string;
  readonly ofTap: string;
  readonly window: string;
  /** What the positions are in. */
  readonly plane: string;
  readonly before: string;
  readonly after: string;
}

export const hasPadding = (axes: readonly WindowAxis[]) => axes.some(({ before, after }) => before > 0 || after > 0);

function wordsFor(axes: readonly WindowAxis[], windowed: Windowed): Words {
  const hasStride = axes.some(({ stride, output }) => stride > 1 && output > 1);
  const hasDilation = axes.some(({ dilation, kernel }) => dilation > 1 && kernel > 1);
  const isTransposed = windowed === 'transposed';
  return {
    hasStride,
    hasDilation,
    position: `${hasStride ? 'p · stride' : 'p'} + ${hasDilation ? 'k · dilation' : 'k'}${hasPadding(axes) ? ' − padding' : ''}`,
    ofWindow: hasStride ? 'multiply p by the stride' : 'use p as it is',
    ofTap: hasDilation ? 'multiply k by the dilation' : 'use k as it is',
    window: isTransposed ? 'element of x' : 'window',
    plane: isTransposed ? 'out' : 'the input',
    before: isTransposed ? 'at the start of out' : 'before the input',
    after: isTransposed ? 'at the end of out' : 'after the input',
  };
}

/** Wrong parameters. */
function parameterWays({ hasStride, hasDilation, ofWindow, ofTap, before: start, after: end }: Words): Way[] {
  const subtract = `subtract the padding ${start}`;
  const ofBoth = [...new Set([ofWindow, ofTap])].join(', and ');
  const exchanged = {
    id: 'stride_and_dilation_exchanged',
    change: ({ stride, dilation }: WindowAxis) => ({ stride: dilation, dilation: stride }),
    fix: ofBoth,
  };
  const ways: (Way | false)[] = [
    {
      id: 'stride_missing',
      change: () => ({ stride: 1 }),
      wrong: (of) => `the stride${of} is missing: it is taken to be 1`,
      fix: ofWindow,
    },
    {
      id: 'dilation_missing',
      change: () => ({ dilation: 1 }),
      wrong: (of) => `the dilation${of} is missing: it is taken to be 1`,
      fix: ofTap,
    },
    {
      id: 'padding_missing',
      change: () => ({ before: 0 }),
      wrong: (of) => `the padding${of} is missing: it is taken to be 0`,
      fix: subtract,
    },
    hasStride && hasDilation && { ...exchanged, wrong: (of) => `the stride and the dilation${of} are exchanged` },
    hasStride &&
      !hasDilation && { ...exchanged, wrong: (_, along) => `k is multiplied by the stride, and p is not${along}` },
    !hasStride &&
      hasDilation && { ...exchanged, wrong: (_, along) => `p is multiplied by the dilation, and k is not${along}` },
    hasDilation && {
      id: 'dilation_for_stride',
      change: ({ dilation }) => ({ stride: dilation }),
      wrong: (_, along) => `p is multiplied by the dilation${along}`,
      fix: ofWindow,
    },
    hasStride && {
      id: 'stride_for_dilation',
      change: ({ stride }) => ({ dilation: stride }),
      wrong: (_, along) => `k is multiplied by the stride${along}`,
      fix: ofTap,
    },
    {
      id: 'kernel_for_stride',
      change: ({ kernel }) => ({ stride: kernel }),
      wrong: (_, along) => `p is multiplied by the kernel size${along}`,
      fix: ofWindow,
    },
    {
      id: 'padding_of_the_other_side',
      change: ({ after }) => ({ before: after }),
      wrong: (_, along) => `the padding ${end} is subtracted${along}`,
      fix: subtract,
    },
    {
      id: 'padding_added',
      change: ({ before }) => ({ before: -before }),
      wrong: (of) => `the padding${of} is added`,
      fix: 'subtract the padding',
    },
    {
      id: 'padding_twice',
      change: ({ before }) => ({ before: 2 * before }),
      wrong: (of) => `the padding${of} is subtracted twice`,
      fix: 'subtract the padding once',
    },
    {
      id: 'padding_of_both_sides',
      change: ({ before, after }) => ({ before: before + after }),
      wrong: (_, along) => `the padding of both sides is subtracted${along}`,
      fix: subtract,
    },
  ];
  return ways.filter((way) => way !== false);
}

/** The kernel flipped. In pooling, the order of the taps only decides between equal values. */
function flippedWays(windowed: Windowed): Way[] {
  if (windowed === 'unweighted') return [];
  const [sense, fix] =
    windowed === 'transposed'
      ? [
          ', or was slid over x with zeros inserted without being flipped first',
          'add x[p] · weight[k] at the position of tap k; to slide the kernel over x with zeros inserted, flip it first',
        ]
      : [', as signal processing does', 'use tap k as it is: this is cross-correlation'];
  return [
    {
      id: 'kernel_flipped',
      look: (axis, p, k) => at(axis, p, axis.kernel - 1 - k),
      wrong: (_, along) => `kernel − 1 − k was used instead of k: the kernel is flipped${along}${sense}`,
      fix,
    },
  ];
}

/** Taps, windows or elements that are left out, or found elsewhere. */
function lookWays({ window, plane, position }: Words, windowed: Windowed): Way[] {
  const start = position.endsWith('padding') ? '−padding' : '0';
  const missing = (
    id: string,
    what: string,
    isOut: (axis: WindowAxis, p: number, k: number) => boolean,
    fix: string,
  ): Way => ({
    id,
    look: (axis, p, k) => (isOut(axis, p, k) ? -1 : at(axis, p, k)),
    wrong: (_, along) => `${what}${along}`,
    fix,
  });
  const shifted = (by: 1 | -1): Way => ({
    id: 'place_off_by_one',
    look: (axis, p, k) => at(axis, p, k) + by,
    wrong: (_, along) => `1 is ${by > 0 ? 'added' : 'subtracted'}${along}`,
    fix: `let the first ${window} begin at ${start}`,
  });
  const ways: Way[] = [
    {
      id: 'windows_reversed',
      look: (axis, p, k) => at(axis, axis.output - 1 - p, k),
      wrong: (_, along) => `p counts from the last ${window} to the first${along}`,
      fix: `begin with the first ${window}`,
    },
    shifted(1),
    shifted(-1),
    missing(
      'last_tap_missing',
      'the last tap is left out',
      ({ kernel }, _, k) => k === kernel - 1,
      'use all taps of the window',
    ),
    missing('first_tap_missing', 'the first tap is left out', (_, __, k) => k === 0, 'use all taps of the window'),
    missing(
      'last_window_missing',
      `the last ${window} is left out`,
      ({ output }, p) => p === output - 1,
      `use every ${window}`,
    ),
    missing('first_window_missing', `the first ${window} is left out`, (_, p) => p === 0, `use every ${window}`),
    missing(
      'first_element_missing',
      `the first element of ${plane} counts as outside`,
      (axis, p, k) => at(axis, p, k) === 0,
      `${plane} begins at position 0`,
    ),
    missing(
      'last_element_missing',
      `the last element of ${plane} counts as outside`,
      (axis, p, k) => at(axis, p, k) === axis.input - 1,
      `${plane} ends at position size − 1`,
    ),
  ];
  return windowed === 'transposed' ? ways : [...ways, ...borderWays];
}

/** What is read outside the input. */
const BORDERS: readonly (readonly [id: string, inside: (place: number, size: number) => number, wrong: string])[] = [
  [
    'padded_with_the_edge',
    (place, size) => Math.min(Math.max(place, 0), size - 1),
    'positions outside the input read the nearest element inside it',
  ],
  [
    'padded_with_the_mirror_image',
    (place, size) => (place < 0 ? -place : place < size ? place : 2 * (size - 1) - place),
    'positions outside the input read its mirror image: it is reflected at its border',
  ],
  [
    'padded_from_the_other_end',
    (place, size) => ((place % size) + size) % size,
    'positions outside the input wrap around to its other end',
  ],
  [
    'negative_position_from_the_end',
    (place, size) => (place < 0 ? place + size : place),
    'negative positions count from the end of the input, as indices do in Python',
  ],
];

const borderWays = BORDERS.map(([id, inside, wrong]): Way => ({
  id,
  look: (axis, p, k) => inside(at(axis, p, k), axis.input),
  wrong: (_, along) => `${wrong}${along}`,
  fix: 'skip what is outside the input',
}));

/** What the position of a tap is computed from. */
interface Parts {
  readonly p: number;
  readonly stride: number;
  readonly k: number;
  readonly dilation: number;
  readonly padding: number;
}

const placeOf = ({ p, stride, k, dilation, padding }: Parts) => p * stride + k * dilation - padding;

/** Numbers that are at hand where a position is computed, other than its parts. */
type Numbers = (axis: WindowAxis, all: Position) => number;

type Named = readonly [name: string, of: Numbers];

function atHand(axes: number, { hasStride, hasDilation, window }: Words): Named[] {
  const other = (axis: number) => (axis + 1) % axes;
  const found: (Named | false)[] = [
    ['p', (_, { axis, p }) => p[axis]],
    ['k', (_, { axis, k }) => k[axis]],
    ['0', () => 0],
    ['1', () => 1],
    axes > 1 && ['p of another axis', (_, { axis, p }) => p[other(axis)]],
    axes > 1 && ['k of another axis', (_, { axis, k }) => k[other(axis)]],
    hasStride && ['the stride', ({ stride }) => stride],
    hasDilation && ['the dilation', ({ dilation }) => dilation],
    ['the kernel size', ({ kernel }) => kernel],
    [`the number of ${window === 'window' ? 'windows' : 'elements of x'}`, ({ output }) => output],
  ];
  return found.filter((each) => each !== false);
}

/** Each part of a position replaced by another number, or repeated; and the position itself. */
function positionWays(axes: readonly WindowAxis[], words: Words): Way[] {
  const { hasStride, hasDilation, position, before, after } = words;
  const fix = `compute ${position}`;
  const isPadded = hasPadding(axes);
  const paddings: readonly Named[] = [
    [`the padding ${before}`, (axis) => axis.before],
    [`the padding ${after}`, (axis) => axis.after],
  ];
  const numbers = [...atHand(axes.length, words), ...(isPadded ? paddings : [])];
  const way = (id: string, what: string, place: (parts: Parts, axis: WindowAxis, all: Position) => number): Way => ({
    id,
    look: (axis, p, k, all) => {
      const { stride, dilation, before: padding } = axis;
      return place({ p, stride, k, dilation, padding }, axis, all);
    },
    wrong: (_, along) => `${what}${along}`,
    fix,
  });
  const names: Readonly<Record<keyof Parts, string>> = {
    ...{ p: 'p', stride: 'the stride', k: 'k', dilation: 'the dilation', padding: 'the padding' },
  };
  const has = { p: true, k: true, stride: hasStride, dilation: hasDilation, padding: isPadded };
  const parts = (Object.keys(names) as (keyof Parts)[]).filter((part) => has[part]);
  const [ofWindow, ofTap] = [hasStride ? 'p · stride' : 'p', hasDilation ? 'k · dilation' : 'k'];
  return [
    ...parts.flatMap((part) => [
      ...numbers
        .filter(([name]) => name !== names[part])
        .map(([name, of]) =>
          way(
            `${name === 'p' || name === 'k' ? 'wrong_index' : 'wrong_number'}_for_${part}`,
            `${name} was used instead of ${names[part]}`,
            (own, axis, all) => placeOf({ ...own, [part]: of(axis, all) }),
          ),
        ),
      way('factor_twice', `${names[part]} was squared`, (own) => placeOf({ ...own, [part]: own[part] ** 2 })),
      way('factor_twice', `${names[part]} was doubled`, (own) => placeOf({ ...own, [part]: 2 * own[part] })),
      way('wrong_sign', `the sign of ${names[part]} is wrong`, (own) => placeOf({ ...own, [part]: -own[part] })),
    ]),
    ...(hasStride
      ? [
          way('sum_for_product', 'the stride is added to p, not multiplied', (own) =>
            placeOf({ ...own, p: own.p + own.stride, stride: 1 }),
          ),
        ]
      : []),
    ...(hasDilation
      ? [
          way('sum_for_product', 'the dilation is added to k, not multiplied', (own) =>
            placeOf({ ...own, k: own.k + own.dilation, dilation: 1 }),
          ),
        ]
      : []),
    way(
      'product_for_sum',
      `${ofWindow} and ${ofTap} were multiplied, not added`,
      (own) => own.p * own.stride * own.k * own.dilation - own.padding,
    ),
    ...numbers.map(([name, of]) =>
      way('wrong_position', `${name} was used as the position`, (_, axis, all) => of(axis, all)),
    ),
    ...(axes.length > 1
      ? [
          way('position_of_another_axis', 'the position along another axis was used', (_, __, { axis, p, k }) => {
            const other = (axis + 1) % axes.length;
            return at(axes[other], p[other], k[other]);
          }),
        ]
      : []),
  ];
}

/** What may be taken for the size of a row. */
const rowSizes = (axes: readonly WindowAxis[]): readonly (readonly [string, (axis: WindowAxis) => number])[] => [
  ['1', () => 1],
  ['the kernel size', ({ kernel }) => kernel],
  ['the number of windows', ({ output }) => output],
  ['the size of the first axis', () => axes[0].input],
  ...(hasPadding(axes)
    ? ([['the padded size', ({ input, before, after }: WindowAxis) => input + before + after]] as const)
    : []),
];

/** The program with slips that are generated when they are first asked for: there are more than a hundred tables. */
export function withSlips(program: Program, slips: () => readonly TableSlip[]): Program {
  let known: readonly TableSlip[] | undefined;
  return {
    ...program,
    get slips() {
      return (known ??= slips());
    },
  };
}

export function windowSlips(axes: readonly WindowAxis[], windowed: Windowed): TableSlip[] {
  const slips: TableSlip[] = [];
  // Several slips may give one table; the most usual one is tried.
  const known = new Set<string>();
  const words = wordsFor(axes, windowed);
  const tap = windowed === 'transposed' ? 'tap k of element p of x' : 'tap k of window p';
  const right = windowTable(axes);
  const isSame = (a: Int32Array, b: Int32Array) => a.every((place, i) => place === b[i]);
  // Only the taps in another order: the kernel is transposed.
  const reordered = otherOrders(axes.length)
    .map((order) => ({ order, table: withTapsMoved(right, tapsAlong(axes, order)) }))
    .filter(({ table }, i, all) => all.findIndex((other) => isSame(other.table, table)) === i);
  const slip = (id: string, table: Int32Array, wrong: string, fix: string, rank: number) => {
    const key = table.join();
    if (isSame(table, right) || reordered.some((other) => other.table !== table && isSame(other.table, table))) return;
    if (known.has(key)) return;
    known.add(key);
    const whole = `In the position of ${tap} (${words.position}), ${wrong}`;
    slips.push({ id, rank, names: ['at'], given: { at: table }, wrong: whole, fix });
  };
  // All axes, and each by itself.
  const which = axes.length === 1 ? [-1] : [-1, ...axes.keys()];
  const tryWay = ({ id, change, look = at, wrong, fix }: Way, usual: number) => {
    for (const one of which) {
      const isChanged = (axis: number) => one < 0 || axis === one;
      const changed = axes.map((axis, i) => (isChanged(i) ? { ...axis, ...change?.(axis) } : axis));
      const table = windowTable(changed, (axis, p, k, all) => (isChanged(all.axis) ? look : at)(axis, p, k, all));
      const named = one < 0 ? '' : `spatial axis ${one}`;
      const text = named ? wrong(` of ${named}`, ` along ${named}`) : wrong('', '');
      slip(id, table, text, fix, usual + (one < 0 ? 0 : 1));
    }
  };
  for (const way of [...parameterWays(words), ...flippedWays(windowed)]) tryWay(way, 2);
  for (const way of [...lookWays(words, windowed), ...positionWays(axes, words)]) tryWay(way, 3);
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
  if (axes.length > 1)
    for (const [what, sizeOfRow] of rowSizes(axes))
      slip(
        'wrong_offset',
        windowTable(axes, at, sizeOfRow),
        `the offset of a row is the index of the row times ${what} instead of the size of a row`,
        'in a flat array, row i begins at i times the size of a row',
        5,
      );
  if (windowed !== 'unweighted')
    for (const { order, table } of reordered) {
      const exchanged = order.flatMap((axis, i) => (axis === i ? [] : [i])).join(' and ');
      slip(
        'kernel_transposed',
        table,
        `the kernel is transposed: its axes ${exchanged} are exchanged`,
        'the last axes of weight are those of the kernel, in the order of the spatial axes of x',
        3,
      );
    }
  return slips;
}
