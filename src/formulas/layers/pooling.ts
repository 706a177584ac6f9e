/**
 * The formulas of pooling. `at[p,k]` is the element that tap k of window p sees, and `index[p,k]` its number in the
 * plane of x: the same.
 */
import type { Static } from '@sinclair/typebox';
import type { PoolingInputs, PoolingOptions } from '../../../schemas/pooling.js';
import type { Instance } from '../../layers/instance.js';
import type { Decoded } from '../../layers/definition.js';
import { pooling as layer } from '../../layers/pooling.js';
import { sizeOf } from '../../tensor/tensor.js';
import { effectiveKernel, outputShape, product, type WindowAxis } from '../../tensor/windows.js';
import { programOf, tensorsOf, type Program, type TableSlip } from '../program.js';
import { loopSlips, type Indexed } from '../loop-slips.js';
import { hasPadding, windowSlips, withSlips } from '../window-slips.js';
import { otherOrders, tapsAlong, windowCounts, windowTable, withTapsMoved } from '../windows.js';

export const planOf = ({ inputs, options }: Instance) =>
  layer.plan(inputs as Decoded<typeof PoolingInputs>, options as Static<typeof PoolingOptions>);

export function pooling(instance: Instance): Program {
  const { axes, countIncludePad, mode } = planOf(instance);
  const program = poolingOver(instance, axes);
  return withSlips(program, () => {
    const arrays: Indexed[] = [
      { name: 'out', axis: 'p', of: 'output', counts: 'the window' },
      { name: 'dout', axis: 'p', of: 'output', counts: 'the window' },
      { name: 'indices', axis: 'p', of: 'output', counts: 'the window' },
    ];
    const loops = loopSlips(axes, arrays, program.axes);
    const slips = windowSlips(axes, 'unweighted');
    if (mode === 'average') {
      const counted = countIncludePad ? [] : slips.map((slip) => withItsCount(slip, product(axes, 'kernel')));
      return [...slips, ...counted, ...loops, ...countSlips(axes, countIncludePad)];
    }
    const everywhere = [...slips, ...tieSlips(axes)].map(({ given: { at }, ...slip }) => ({
      ...{ ...slip, names: ['at', 'index'], given: { at, index: at } },
    }));
    return [...everywhere, ...loops, ...indexSlips(axes)];
  });
}

/**
 * @param axes those of the layer, or others: then out has another shape
 * @param empty the value of windows without an element inside, which a layer refuses
 */
export function poolingOver(instance: Instance, axes: readonly WindowAxis[], empty?: number): Program {
  const { x } = instance.inputs;
  const { dout } = tensorsOf(instance);
  const { countIncludePad, mode, returnIndices } = planOf(instance);
  const [N, C, ...plane] = x.shape;
  const D = sizeOf(plane);
  const at = windowTable(axes);
  const taps = product(axes, 'kernel');
  const shared = {
    axes: { n: N, c: C, p: product(axes, 'output'), k: taps, q: D },
    dims: { p: outputShape(axes), q: plane },
    shapes: { dx: 'ncq' },
    means: { n: 'samples', c: 'channels', p: 'windows', k: 'taps', q: 'places of x' },
  };
  const inside = windowCounts(axes, false);
  const given = {
    ...{ 'x ncq': x.data, 'dout ncp': dout?.data, 'at pk': at },
    ...(empty === undefined
      ? {}
      : { 'fill p': inside.map((count) => (count === 0 ? empty : 0)), 'full p': inside.map(Math.sign) }),
  };
  if (mode === 'average')
    return programOf({
      ...shared,
      given: { ...given, 'count p': windowCounts(axes, countIncludePad) },
      forward: [`out[n,c,p] = Σ_k x[n,c,at] / count${empty === undefined ? '' : ' + fill'}`],
      backward: dout ? ['dx[n,c,at] += dout / count'] : [],
    });
  return programOf({
    ...shared,
    given: {
      ...given,
      'index pk': at,
      // For mistakes: numbers of taps, those of each window that are outside, and where planes start.
      taps,
      'tap k': Int32Array.from({ length: taps }, (_, k) => k),
      'pads p': Int32Array.from(inside, (count) => taps - count),
      'start nc': Int32Array.from({ length: N * C }, (_, i) => i * D),
    },
    forward: [
      'best[n,c,p] = argmax_k x[n,c,at]',
      'place[n,c,p] = at[p,best]',
      `out[n,c,p] = x[n,c,place]${empty === undefined ? '' : ' · full + fill'}`,
      ...(returnIndices ? ['indices[n,c,p] = index[p,best]'] : []),
    ],
    // Backward may look up the place otherwise than forward.
    backward: dout ? ['to[n,c,p] = at[p,best]', 'dx[n,c,to] += dout'] : [],
  });
}

/** A slip in where windows lie, where their elements are counted as they are found. */
function withItsCount(slip: TableSlip, taps: number): TableSlip {
  const { at } = slip.given;
  const count = new Float64Array(at.length / taps);
  for (let i = 0; i < at.length; i++) if (at[i] >= 0) count[Math.floor(i / taps)]++;
  return { ...slip, names: ['at', 'count'], given: { at, count } };
}

/** The first of equal values where the taps of a window are walked in another order. */
function tieSlips(axes: readonly WindowAxis[]): TableSlip[] {
  const right = windowTable(axes);
  return otherOrders(axes.length).map((order) => ({
    id: 'ties_in_column_order',
    rank: 3,
    names: ['at'],
    given: { at: withTapsMoved(right, tapsAlong(axes, order)) },
    wrong: 'Of equal values, the first one was taken when the window is walked column by column',
    fix: 'take the first of equal values in row-major order: the last axis of the window varies fastest',
  }));
}

/** How elements are numbered instead, in indices. */
function indexSlips(axes: readonly WindowAxis[]): TableSlip[] {
  const right = windowTable(axes);
  const taps = product(axes, 'kernel');
  const padded = axes.map((axis) => ({ ...axis, input: axis.input + axis.before + axis.after, before: 0, after: 0 }));
  const slice = sizeOf(axes.slice(1).map(({ input }) => input));
  const ways = [
    ['indices_in_the_window', right.map((_, i) => i % taps), 'indices number the taps of the window'],
    ['indices_in_the_padded_plane', windowTable(padded), 'indices number the elements of the padded plane'],
    [
      'indices_in_the_slice',
      axes.length > 1 ? right.map((place) => place % slice) : right,
      'indices number the elements of a slice: the first spatial axis was left out',
    ],
  ] as const;
  return ways
    .filter(([, index]) => !index.every((place, i) => place === right[i]))
    .map(([id, index, wrong]) => ({
      ...{ id, rank: 3, names: ['index'], given: { index }, wrong },
      fix: 'number the elements of the plane of x in row-major order',
    }));
}

/** What an average is divided by instead. */
function countSlips(axes: readonly WindowAxis[], includesPadding: boolean): TableSlip[] {
  const right = windowCounts(axes, includesPadding);
  const taps = product(axes, 'kernel');
  const span = axes.reduce((all, { kernel, dilation }) => all * effectiveKernel(kernel, dilation), 1);
  const all = (count: number) => right.map(() => count);
  const other = includesPadding
    ? 'only the elements inside the input, although count_include_pad is true'
    : 'the padding too, although count_include_pad is false';
  const ways = [
    ['other_count', windowCounts(axes, !includesPadding), `The number of elements of a window counts ${other}`],
    ['kernel_for_count', all(taps), 'The sum of every window is divided by the size of the kernel'],
    ...(span === taps
      ? []
      : [
          [
            'span_for_count',
            all(span),
            'The sum of every window is divided by its span, including the gaps between taps',
          ] as const,
        ]),
    ['count_off_by_one', right.map((count) => count + 1), 'The number of elements of a window is one too large'],
    ['count_off_by_one', right.map((count) => count - 1), 'The number of elements of a window is one too small'],
    ...(axes.length > 1 ? axes : []).map(({ kernel }, i) => {
      const wrong = `Every window is divided by the kernel size of spatial axis ${i}`;
      return ['count_of_one_axis', all(kernel), wrong] as const;
    }),
  ] as const;
  const which = includesPadding && hasPadding(axes) ? 'with the padding' : 'those inside the input';
  const isClipped = right.some((count) => count !== taps) || hasPadding(axes);
  return ways
    .filter(([, counts]) => !counts.every((count, i) => count === right[i]))
    .map(([id, count, wrong]) => ({
      ...{ id, rank: 3, names: ['count'], given: { count }, wrong },
      fix: `divide by the number of elements of the window${isClipped ? `, ${which}` : ''}`,
    }));
}
