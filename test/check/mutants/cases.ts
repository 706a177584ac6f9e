/** The inputs on which implementations run: for every layer, the sets of options that its implementations may have. */
import { rightAnswers } from '../../../src/check/answers.js';
import { caseOf } from '../../../src/check/case.js';
import type { Instance, Options, Tensors } from '../../../src/layers/instance.js';
import type { Checks, Wish } from '../../../src/check/definition.js';
import { allChecks } from '../../../src/check/registry.js';
import { plain } from '../../../src/kernels/plain/plain.js';
import { perAxis } from '../../../src/layers/geometry.js';
import { sizeOf, tensor, type Tensor } from '../../../src/tensor/tensor.js';
import { padOf, type Padding, type PerAxis } from '../../../src/tensor/windows.js';
import type { Nested } from './definition.js';
import { nestedOf } from './nested.js';

/** A mutant that gives the right answers on all of these is equivalent. */
export const EQUIVALENCE_SEEDS = [1, 2, 3];

/** The check is given the answers on these. */
export const CHECKED_SEEDS = [11, 12];

/** Options of a layer, and how its example is changed to get an instance that plainer code can compute, too. */
interface OptionSet {
  readonly name: string;
  readonly wish?: Wish;
  readonly change?: (instance: Instance) => Instance;
}

export interface Case {
  readonly checks: Checks;
  readonly set: string;
  readonly seed: number;
  readonly instance: Instance;
  readonly right: Tensors;
  /** What an implementation is given: one flat object. Made anew for each run, because mutants may write to it. */
  readonly given: () => Record<string, unknown>;
}

const mapped = (tensors: Tensors, of: (tensor: Tensor, name: string) => Tensor): Tensors =>
  Object.fromEntries(Object.entries(tensors).map(([name, value]) => [name, of(value, name)]));

/** Without some inputs. */
const without =
  (...names: string[]) =>
  (instance: Instance): Instance => ({
    ...instance,
    inputs: Object.fromEntries(Object.entries(instance.inputs).filter(([name]) => !names.includes(name))),
  });

/** x and dout as matrices: [N, C, S] with the places as rows, [N, T, I] with the steps as rows. */
const asMatrix =
  (channelAxis: 1 | 2) =>
  (instance: Instance): Instance => {
    const rows = ({ shape: [N, first, second], data }: Tensor): Tensor => {
      const [C, S] = channelAxis === 1 ? [first, second] : [second, first];
      const from = (n: number, s: number, c: number) =>
        channelAxis === 1 ? data[(n * C + c) * S + s] : data[(n * S + s) * C + c];
      const values = Float64Array.from({ length: N * S * C }, (_, i) =>
        from(Math.floor(i / (S * C)), Math.floor(i / C) % S, i % C),
      );
      return tensor([N * S, C], values);
    };
    const { inputs, upstream } = instance;
    return { ...instance, inputs: { ...inputs, x: rows(inputs.x) }, upstream: { dout: rows(upstream.dout) } };
  };

/** The same sequences with the axes of batch and time exchanged: the check's own example has the batch first. */
function timeMajor(instance: Instance): Instance {
  const turned = ({ shape: [N, T, ...rest], data }: Tensor): Tensor => {
    const size = sizeOf(rest);
    const from = (t: number, n: number, i: number) => data[(n * T + t) * size + i];
    const values = Float64Array.from({ length: data.length }, (_, i) =>
      from(Math.floor(i / (N * size)), Math.floor(i / size) % N, i % size),
    );
    return tensor([T, N, ...rest], values);
  };
  const { inputs, upstream, options } = instance;
  return {
    ...instance,
    inputs: { ...inputs, x: turned(inputs.x) },
    upstream: { ...upstream, dout: turned(upstream.dout) },
    options: { ...options, time_major: true },
  };
}

/** One group of a convolution by itself: half of the channels of x, or of the output of a transposed one. */
function ungrouped({ inputs, options, upstream, ...rest }: Instance): Instance {
  const half = ({ shape, data }: Tensor): Tensor => {
    const axis = shape.length === 1 ? 0 : 1;
    const [outer, inner] = [sizeOf(shape.slice(0, axis)), sizeOf(shape.slice(axis + 1))];
    const channels = shape[axis] / 2;
    const values = Float64Array.from({ length: data.length / 2 }, (_, i) => {
      const [block, within] = [Math.floor(i / (channels * inner)), i % (channels * inner)];
      return data[block * shape[axis] * inner + within];
    });
    if (values.length !== outer * channels * inner) throw new Error('an odd number of channels');
    return tensor(shape.with(axis, channels), values);
  };
  const halved: readonly string[] = options.transposed === true ? ['bias', 'dout'] : ['x'];
  const of = (value: Tensor, name: string) => (halved.includes(name) ? half(value) : value);
  return { ...rest, inputs: mapped(inputs, of), upstream: mapped(upstream, of), options: { ...options, groups: 1 } };
}

const convolutions = (transposed: boolean): OptionSet[] => {
  const of = (name: string, axes: number, options: Options, change?: OptionSet['change']): OptionSet => ({
    name: `${name}, ${axes}-D${transposed ? ', transposed' : ''}`,
    wish: { axes, options: { transposed, ...options } },
    ...(change ? { change } : {}),
  });
  return [
    of('plain', 2, { stride: 2, padding: 1, dilation: 1 }, ungrouped),
    of('all options', 2, {}),
    of('dilated', 2, {}, ungrouped),
    of('all options', 1, {}),
  ];
};

const pooled = (name: string, axes: number, options: Options): OptionSet => ({
  name: `${name}, ${axes}-D`,
  wish: { axes, options: { global: false, ...options } },
});

const recurrent = (options: Options): OptionSet[] => [
  { name: 'full length', wish: { options }, change: without('sequence_lengths') },
  { name: 'lengths', wish: { options } },
  { name: 'reverse', wish: { options: { ...options, direction: 'reverse' } } },
  { name: 'bidirectional', wish: { options: { ...options, direction: 'bidirectional' } } },
  { name: 'time-major', wish: { options }, change: timeMajor },
];

const dropped = (training: boolean, scaling: string): OptionSet => ({
  name: `${training ? 'training' : 'inference'}, ${scaling}`,
  wish: { options: { training, scaling } },
});

const SETS: Readonly<Record<string, readonly OptionSet[]>> = {
  activation: ['relu', 'tanh'].map((name) => ({ name, wish: { options: { function: name } } })),
  batchnorm: [
    { name: 'training', wish: { options: { training: true } } },
    { name: 'training, matrix', wish: { options: { training: true } }, change: asMatrix(1) },
    { name: 'inference', wish: { options: { training: false } } },
  ],
  convolution: [...convolutions(false), ...convolutions(true)],
  dropout: [
    dropped(true, 'inverted'),
    dropped(true, 'test_time'),
    dropped(false, 'inverted'),
    dropped(false, 'test_time'),
  ],
  linear: [{ name: 'sequences' }, { name: 'matrix', change: asMatrix(2) }],
  lstm: recurrent({}),
  pooling: [
    pooled('max', 2, { mode: 'max' }),
    pooled('average', 2, { mode: 'average' }),
    pooled('average without pads', 2, { mode: 'average', count_include_pad: false }),
    pooled('max', 1, { mode: 'max' }),
    pooled('average', 1, { mode: 'average' }),
    pooled('max, ceil_mode', 2, { mode: 'max', ceil_mode: true }),
    pooled('average, ceil_mode', 2, { mode: 'average', ceil_mode: true }),
  ],
  rnn: [
    ...recurrent({ nonlinearity: 'tanh' }),
    { name: 'relu', wish: { options: { nonlinearity: 'relu' } }, change: without('sequence_lengths') },
  ],
};

const made = new Map<string, Case>();

/** The cases of a layer with one seed, one for each set of options. */
export function casesOf(layer: string, seed: number): Case[] {
  const checks = allChecks.find((candidate) => candidate.layer.name === layer);
  if (!checks) throw new Error(`no layer ${layer}`);
  const sets = SETS[layer] ?? [{ name: 'usual' }];
  return sets.map((set) => {
    const key = `${layer} ${set.name} ${seed}`;
    // Drawing one takes as long as a check, and every implementation has the same.
    const known = made.get(key) ?? draw(checks, set, seed);
    made.set(key, known);
    return known;
  });
}

function draw(checks: Checks, { name, wish, change }: OptionSet, seed: number): Case {
  const { instance: drawn } = caseOf(checks, { seed, mistake: undefined, ...(wish ? { wish } : {}), kernels: plain });
  const instance = change ? change(drawn) : drawn;
  const right = rightAnswers(checks, instance, plain);
  return { checks, set: name, seed, instance, right, given: () => givenOf(instance) };
}

function givenOf({ inputs, options, upstream, drawn }: Instance): Record<string, unknown> {
  const given: Record<string, Nested> = {};
  for (const [name, value] of Object.entries({ ...inputs, ...upstream, ...drawn })) given[name] = nestedOf(value);
  return { ...given, ...inFull(options, inputs) };
}

/** The options of windows with an entry for each axis; everything else as it is. */
function inFull(options: Instance['options'], { x, weight }: Tensors): Record<string, unknown> {
  const full: Record<string, unknown> = { ...options };
  if (!('padding' in options)) return full;
  const input = x.shape.slice(2);
  const axes = input.length;
  const each = (name: string) => perAxis(name, options[name] as PerAxis, axes);
  const kernel = 'kernel_size' in options ? each('kernel_size') : weight.shape.slice(2);
  if ('kernel_size' in options) full.kernel_size = [...kernel];
  const stride = options.stride === undefined ? kernel : each('stride');
  full.stride = [...stride];
  full.dilation = [...each('dilation')];
  if ('output_padding' in options) full.output_padding = [...each('output_padding')];
  const paddings = perAxis('padding', options.padding as Exclude<Padding, readonly unknown[]>, axes);
  full.padding = input.map((size, i) => [
    ...padOf(paddings[i], { input: size, kernel: kernel[i], stride: stride[i], dilation: each('dilation')[i] }),
  ]);
  return full;
}
