/**
 * The formulas of convolution. `at[p,k]` is the element that tap k of window p sees; `from[o,a]` is the channel that
 * output channel o reads as channel a of its group. A transposed convolution goes the other way: input channel o adds to
 * output channel `from[o,a]` what the windows of a plain one would see.
 */
import type { Static } from '@sinclair/typebox';
import type { ConvolutionInputs, ConvolutionOptions } from '../../../schemas/convolution.js';
import type { Instance } from '../../layers/instance.js';
import { convolution as layer } from '../../layers/convolution.js';
import type { Decoded } from '../../layers/definition.js';
import { outputShape, product, transposedOutputSize, type WindowAxis } from '../../tensor/windows.js';
import { programOf, tensorsOf, type Program, type TableSlip } from '../program.js';
import { loopSlips, type Indexed } from '../loop-slips.js';
import { windowSlips, withSlips } from '../window-slips.js';
import { windowTable } from '../windows.js';

type Values = ArrayLike<number>;

/** Sizes and values of an instance. Channels C of x, O of out. */
export interface Setup {
  readonly N: number;
  readonly C: number;
  readonly O: number;
  readonly groups: number;
  /** In a transposed convolution, `input` is the size of out, and `output` that of x. */
  readonly axes: readonly WindowAxis[];
  readonly transposed: boolean;
  readonly x: Values;
  readonly weight: Values;
  readonly bias: Values | undefined;
  readonly dout: Values | undefined;
}

export function setupOf(instance: Instance): Setup {
  const { N, C, O, groups, axes, transposed } = layer.plan(
    instance.inputs as Decoded<typeof ConvolutionInputs>,
    instance.options as Static<typeof ConvolutionOptions>,
  );
  const { x, weight } = instance.inputs;
  const { bias, dout } = tensorsOf(instance);
  return { N, C, O, groups, axes, transposed, x: x.data, weight: weight.data, bias: bias?.data, dout: dout?.data };
}

/** For each axis, how many elements output_padding adds to the end of out. */
export const outputPaddingOf = ({ axes, transposed }: Setup): number[] =>
  axes.map((axis) => (transposed ? axis.input - transposedOutputSize({ ...axis, input: axis.output }, 0) : 0));

/** Channels per group: A on the side of the plane that windows lie on, B on the side of the windows. */
export function channelsOf({ C, O, groups, transposed }: Setup) {
  const [windowed, seen] = transposed ? [C, O] : [O, C];
  return { windowed, seen, A: seen / groups, B: windowed / groups };
}

/** For each plane of the weight, the one that is read for it if the axes of channels are exchanged within each group. */
export function exchangedChannels(setup: Setup): Int32Array {
  const { windowed, A, B } = channelsOf(setup);
  return Int32Array.from({ length: windowed * A }, (_, i) => {
    const [o, a] = [Math.floor(i / A), i % A];
    return Math.floor(o / B) * A * B + a * B + (o % B);
  });
}

export function convolution(instance: Instance): Program {
  const setup = setupOf(instance);
  const { axes, transposed } = setup;
  const program = convolutionOf(setup);
  return withSlips(program, () => [
    ...loopSlips(axes, arraysOf(transposed), program.axes),
    ...windowSlips(axes, transposed ? 'transposed' : 'weighted'),
    ...outputPaddingSlips(setup),
    ...groupSlips(setup),
  ]);
}

/** What is read or written at the index of a window, a tap or a channel. */
function arraysOf(transposed: boolean): Indexed[] {
  // The windows of a transposed convolution are the elements of x.
  const [of, out] = transposed ? (['x', 'dx'] as const) : (['dout', 'out'] as const);
  const window = transposed ? 'the element of x' : 'the window';
  const channels = transposed ? 'the input channel' : 'the output channel';
  return [
    ...[of, out].flatMap((name): Indexed[] => [
      { name, axis: 'p', of: 'output', counts: window },
      { name, axis: 'o', of: 'channels', counts: channels },
    ]),
    ...['weight', 'dweight'].flatMap((name): Indexed[] => [
      { name, axis: 'k', of: 'kernel', counts: 'the tap' },
      { name, axis: 'o', of: 'channels', counts: channels },
      { name, axis: 'a', of: 'channels', counts: `the ${transposed ? 'output' : 'input'} channel` },
    ]),
  ];
}

/** The formulas of any setup: with other axes, for instance, out has another shape. */
export function convolutionOf(setup: Setup): Program {
  const { N, groups, axes, transposed, x, weight, bias, dout } = setup;
  const { windowed, seen, A, B } = channelsOf(setup);
  const [P, K, D] = [product(axes, 'output'), product(axes, 'kernel'), product(axes, 'input')];
  const hasBias = bias !== undefined;
  const plane = axes.map(({ input }) => input);
  const exchanged = exchangedChannels(setup);
  const ofGroup = groups > 1 ? ' of a group' : '';
  const shared = {
    axes: { n: N, o: windowed, a: A, c: seen, p: P, k: K, q: D },
    dims: { p: outputShape(axes), q: plane },
    means: transposed
      ? {
          ...{ n: 'samples', o: 'input channels', a: `output channels${ofGroup}`, c: 'output channels' },
          ...{ p: 'places of x', k: 'taps', q: 'places of out' },
        }
      : {
          ...{ n: 'samples', o: 'output channels', a: `input channels${ofGroup}`, c: 'input channels' },
          ...{ p: 'windows', k: 'taps', q: 'places of x' },
        },
  };
  const given = {
    'weight oak': weight,
    [`bias ${transposed ? 'c' : 'o'}`]: bias,
    'at pk': windowTable(axes),
    'from oa': Int32Array.from({ length: windowed * A }, (_, i) => Math.floor(i / A / B) * A + (i % A)),
    // For mistakes: the weight's axes exchanged, and numbers of terms.
    'row oa': exchanged.map((at) => Math.floor(at / A)),
    'column oa': exchanged.map((at) => at % A),
    taps: K,
    channels: transposed ? B : A,
  };
  if (!transposed)
    return programOf({
      ...shared,
      shapes: { dx: 'ncq' },
      given: { 'x ncq': x, 'dout nop': dout, ...given },
      forward: [`out[n,o,p] = Σ_ak x[n,from,at] · weight${hasBias ? ' + bias' : ''}`],
      backward: dout
        ? [
            'dx[n,from,at] += dout · weight',
            'dweight[o,a,k] = Σ_np dout · x[n,from,at]',
            ...(hasBias ? ['dbias[o] = Σ_np dout'] : []),
          ]
        : [],
    });
  const added = outputPaddingOf(setup);
  return programOf({
    ...shared,
    shapes: { sums: 'ncq', out: 'ncq' },
    given: {
      ...{ 'x nop': x, 'dout ncq': dout, ...given },
      // For mistakes: what a window of a plain convolution sees of x, and whether output_padding adds no element.
      'seen qk': windowTable(axes.map((axis) => ({ ...axis, input: axis.output, output: axis.input }))),
      'inner q': insideOf(plane, (index, axis) => index < plane[axis] - added[axis]),
    },
    forward: hasBias ? ['sums[n,from,at] += x · weight', 'out[n,c,q] = sums + bias'] : ['out[n,from,at] += x · weight'],
    backward: dout
      ? [
          'dx[n,o,p] = Σ_ak dout[n,from,at] · weight',
          'dweight[o,a,k] = Σ_np x · dout[n,from,at]',
          ...(hasBias ? ['dbias[c] = Σ_nq dout'] : []),
        ]
      : [],
  });
}

/** 1 for the elements of a plane whose every index passes the test, 0 for the others. */
function insideOf(sizes: readonly number[], isInside: (index: number, axis: number) => boolean): Int32Array {
  const count = sizes.reduce((product, size) => product * size, 1);
  return Int32Array.from({ length: count }, (_, at) => {
    let rest = at;
    for (let axis = sizes.length - 1; axis >= 0; rest = Math.floor(rest / sizes[axis--]))
      if (!isInside(rest % sizes[axis], axis)) return 0;
    return 1;
  });
}

/** How the elements that output_padding adds go wrong. */
function outputPaddingSlips(setup: Setup): TableSlip[] {
  const { axes } = setup;
  const added = outputPaddingOf(setup);
  if (added.every((size) => size === 0)) return [];
  const before = windowTable(axes.map((axis, i) => ({ ...axis, before: axis.before - added[i] })));
  const shared = { rank: 3, names: ['at'] };
  return [
    {
      ...{ ...shared, id: 'output_padding_before', given: { at: before } },
      wrong: 'output_padding was added at the start of out: everything is shifted',
      fix: 'extend only the end of out by output_padding; its start does not move',
    },
  ];
}

/** How the channels of groups go wrong. */
function groupSlips(setup: Setup): TableSlip[] {
  const { groups: G, transposed } = setup;
  const { windowed, A, B } = channelsOf(setup);
  if (G === 1) return [];
  const [own, reads] = transposed ? ['input', 'writes to'] : ['output', 'reads'];
  const fix = transposed
    ? 'input channel c belongs to group ⌊c / (C / groups)⌋, which writes to O / groups output channels in a row'
    : 'output channel o belongs to group ⌊o / (O / groups)⌋, which reads C / groups input channels in a row';
  const letter = transposed ? 'c' : 'o';
  const ways = [
    [
      'groups_ignored',
      (_: number, a: number) => a,
      `The groups are ignored: every ${own} channel ${reads} the first channels`,
    ],
    [
      'groups_interleaved',
      (o: number, a: number) => a * G + Math.floor(o / B),
      `The channels that a group ${reads} are interleaved: channel i is taken to be in group i mod groups`,
    ],
    [
      'group_of_the_remainder',
      (o: number, a: number) => (o % G) * A + a,
      `${own === 'input' ? 'Input' : 'Output'} channel ${letter} is assigned to group ${letter} mod groups`,
    ],
    [
      'wrong_group',
      (o: number, a: number) => ((Math.floor(o / B) + 1) % G) * A + a,
      `Each group ${reads} the channels of the next group`,
    ],
  ] as const;
  return ways.map(([id, from, wrong]) => ({
    ...{ id, wrong, rank: 3, names: ['from'], fix },
    given: { from: Int32Array.from({ length: windowed * A }, (_, i) => from(Math.floor(i / A), i % A)) },
  }));
}
