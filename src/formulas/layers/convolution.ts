/**
 * The formulas of convolution. `at[p,k]` is the element that tap k of window p sees; `from[o,a]` is the channel that
 * output channel o reads as channel a of its group. A transposed convolution goes the other way: it adds to what the
 * windows of a plain one would see.
 */
import type { Static } from '@sinclair/typebox';
import type { ConvolutionInputs, ConvolutionOptions } from '../../../schemas/convolution.js';
import type { Instance } from '../../layers/instance.js';
import { convolution as layer } from '../../layers/convolution.js';
import type { Decoded } from '../../layers/definition.js';
import { product } from '../../tensor/windows.js';
import { programOf, tensorsOf } from '../program.js';
import { windowSlips } from '../window-slips.js';
import { windowTable } from '../windows.js';
import type { TableSlip } from '../program.js';

export function convolution(instance: Instance) {
  const { N, C, O, groups, axes, transposed } = layer.plan(
    instance.inputs as Decoded<typeof ConvolutionInputs>,
    instance.options as Static<typeof ConvolutionOptions>,
  );
  const { x, weight } = instance.inputs;
  const { bias, dout } = tensorsOf(instance);
  // In a transposed convolution, windows lie on the output, and x has one element for each window.
  const [windowed, seen] = transposed ? [C, O] : [O, C];
  const A = seen / groups;
  const B = windowed / groups;
  const isGiven = bias !== undefined;
  const sizes = { n: N, o: windowed, a: A, c: seen, p: product(axes, 'output'), k: product(axes, 'kernel') };
  const tables = {
    'at pk': windowTable(axes),
    'from oa': Int32Array.from({ length: windowed * A }, (_, i) => Math.floor(i / A / B) * A + (i % A)),
  };
  const shared = {
    axes: { ...sizes, q: product(axes, 'input') },
    shapes: { dx: 'ncq' },
    means: {
      n: 'samples',
      o: 'output channels',
      a: 'input channels',
      p: 'windows',
      k: 'taps',
      c: 'channels',
      q: 'places',
    },
    slips: [...windowSlips(axes), ...groupSlips(windowed, A, B)],
  };
  const given = { 'weight oak': weight.data, [`bias ${transposed ? 'c' : 'o'}`]: bias?.data, ...tables };
  if (transposed)
    return programOf({
      ...shared,
      shapes: { out: 'ncq' },
      given: { 'x nop': x.data, 'dout ncq': dout?.data, ...given },
      forward: ['out[n,from,at] += x · weight', ...(isGiven ? ['out[n,c,q] = bias'] : [])],
      backward: dout
        ? [
            'dx[n,o,p] = Σ_ak dout[n,from,at] · weight',
            'dweight[o,a,k] = Σ_np x · dout[n,from,at]',
            ...(isGiven ? ['dbias[c] = Σ_nq dout'] : []),
          ]
        : [],
    });
  return programOf({
    ...shared,
    given: { 'x ncq': x.data, 'dout nop': dout?.data, ...given },
    forward: [`out[n,o,p] = Σ_ak x[n,from,at] · weight${isGiven ? ' + bias' : ''}`],
    backward: dout
      ? [
          'dx[n,from,at] += dout · weight',
          'dweight[o,a,k] = Σ_np dout · x[n,from,at]',
          ...(isGiven ? ['dbias[o] = Σ_np dout'] : []),
        ]
      : [],
  });
}

/** How the channels of groups go wrong. */
function groupSlips(windowed: number, A: number, B: number): TableSlip[] {
  const G = windowed / B;
  if (G === 1) return [];
  const ways = [
    [
      'groups_ignored',
      (_: number, a: number) => a,
      'The groups are ignored: every output channel reads the first channels',
    ],
    [
      'groups_interleaved',
      (o: number, a: number) => a * G + Math.floor(o / B),
      'The channels of a group are interleaved: channel c is taken to be in group c mod groups',
    ],
    [
      'group_of_the_remainder',
      (o: number, a: number) => (o % G) * A + a,
      'Output channel o is assigned to group o mod groups',
    ],
    [
      'wrong_group',
      (o: number, a: number) => ((Math.floor(o / B) + 1) % G) * A + a,
      'Each group reads the channels of the next group',
    ],
  ] as const;
  return ways.map(([id, from, wrong]) => ({
    ...{
      id,
      wrong,
      rank: 3,
      names: ['from'],
      fix: 'output channel o belongs to group ⌊o / (O / groups)⌋, which reads C / groups channels in a row',
    },
    given: { from: Int32Array.from({ length: windowed * A }, (_, i) => from(Math.floor(i / A), i % A)) },
  }));
}
