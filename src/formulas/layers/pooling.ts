/** The formulas of pooling. `at[p,k]` is the element that tap k of window p sees. */
import type { Static } from '@sinclair/typebox';
import type { PoolingInputs, PoolingOptions } from '../../../schemas/pooling.js';
import type { Instance } from '../../layers/instance.js';
import type { Decoded } from '../../layers/definition.js';
import { pooling as layer } from '../../layers/pooling.js';
import { product, type WindowAxis } from '../../tensor/windows.js';
import type { TableSlip } from '../program.js';
import { programOf, tensorsOf } from '../program.js';
import { windowSlips } from '../window-slips.js';
import { windowCounts, windowTable } from '../windows.js';

export function pooling(instance: Instance) {
  const { x } = instance.inputs;
  const { dout } = tensorsOf(instance);
  const { axes, countIncludePad, mode, returnIndices } = layer.plan(
    instance.inputs as Decoded<typeof PoolingInputs>,
    instance.options as Static<typeof PoolingOptions>,
  );
  const [N, C] = x.shape;
  const sizes = { n: N, c: C, p: product(axes, 'output'), k: product(axes, 'kernel'), q: product(axes, 'input') };
  const shared = {
    axes: sizes,
    shapes: { dx: 'ncq' },
    means: { n: 'samples', c: 'channels', p: 'windows', k: 'taps', q: 'places' },
  };
  const slips = windowSlips(axes);
  const given = { 'x ncq': x.data, 'dout ncp': dout?.data, 'at pk': windowTable(axes) };
  if (mode === 'average')
    return programOf({
      ...shared,
      slips: [...slips, ...countSlips(axes, countIncludePad)],
      given: { ...given, 'count p': windowCounts(axes, countIncludePad) },
      forward: ['out[n,c,p] = Σ_k x[n,c,at] / count'],
      backward: dout ? ['dx[n,c,at] += dout / count'] : [],
    });
  return programOf({
    ...shared,
    slips,
    given,
    forward: [
      'best[n,c,p] = argmax_k x[n,c,at]',
      'place[n,c,p] = at[p,best]',
      'out[n,c,p] = x[n,c,place]',
      ...(returnIndices ? ['indices[n,c,p] = place'] : []),
    ],
    backward: dout ? ['dx[n,c,place] += dout'] : [],
  });
}

/** What an average is divided by instead. */
function countSlips(axes: readonly WindowAxis[], includesPadding: boolean): TableSlip[] {
  const right = windowCounts(axes, includesPadding);
  const taps = product(axes, 'kernel');
  const all = (count: number) => right.map(() => count);
  const other = includesPadding ? 'the elements inside the input' : 'the padding too';
  const ways = [
    ['other_count', windowCounts(axes, !includesPadding), `the divisor counts ${other}`],
    ['kernel_for_count', all(taps), 'every window is divided by the size of the kernel'],
    ['count_off_by_one', right.map((count) => count + 1), 'the divisor is one too large'],
    ['count_off_by_one', right.map((count) => count - 1), 'the divisor is one too small'],
    ...axes.map(
      (axis, i) =>
        ['count_of_one_axis', all(axis.kernel), `every window is divided by the kernel size of axis ${i}`] as const,
    ),
  ] as const;
  return ways
    .filter(([, counts]) => !counts.every((count, i) => count === right[i]))
    .map(([id, count, wrong]) => ({
      ...{ id, rank: 3, names: ['count'], given: { count }, wrong: `In out = Σ_k x / count, ${wrong}` },
      fix: `divide by the number of elements of the window${includesPadding ? ', with the padding' : ' that are inside the input'}`,
    }));
}
