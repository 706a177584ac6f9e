/**
 * Random calls of each layer that cross all of its options, small enough for a gradient to be taken element by
 * element. Some do not fit together (a kernel larger than its input): a layer refuses those, and they are passed over.
 */
import fc, { type Arbitrary } from 'fast-check';
import { applyDefaults } from '../../src/compute/validate.js';
import { plain } from '../../src/kernels/plain/plain.js';
import type { Layer, Plan } from '../../src/layers/definition.js';
import { Refusal } from '../../src/refusal.js';
import { sizeOf, tensor, type Tensor } from '../../src/tensor/tensor.js';
import { randomNumbers } from './random.js';

export interface Configuration {
  readonly inputs: Readonly<Record<string, Tensor>>;
  readonly options: Readonly<Record<string, unknown>>;
  /** The outputs that an upstream gradient comes for. */
  readonly upstream: readonly string[];
  /** Where the numbers come from. */
  readonly seed: number;
  /** On which side of its kinks a layer is, told from its outputs: a derivative exists where this stays. */
  readonly side?: (outputs: Readonly<Record<string, Tensor>>) => string;
}

const size = (most: number) => fc.integer({ min: 1, max: most });
/** Shapes and options shrink, the numbers in the tensors do not: they come from this seed. */
const seed = fc.noShrink(fc.nat(2 ** 32 - 1));

/** What is undefined is left out. */
function given<Value>(fields: Readonly<Record<string, Value | undefined>>): Record<string, Value> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Record<string, Value>;
}

const batchnorm: Arbitrary<Configuration> = fc
  .record({
    N: size(4),
    C: size(3),
    spatial: fc.array(size(3), { maxLength: 3 }),
    training: fc.boolean(),
    running: fc.boolean(),
    gamma: fc.boolean(),
    beta: fc.boolean(),
    epsilon: fc.constantFrom(0, 1e-12, 1e-8, 1e-5, 1e-3, 0.5),
    momentum: fc.constantFrom(0, 0.1, 0.37, 1),
    center: fc.constantFrom(0, 0, 10),
    seed,
  })
  .map(({ N, C, spatial, training, running, gamma, beta, epsilon, momentum, center, seed }) => {
    const numbers = randomNumbers(seed);
    const S = sizeOf(spatial);
    // Spread values keep a channel's variance away from 0, where the derivatives of higher order explode.
    const x = new Float64Array(N * C * S);
    for (let c = 0; c < C; c++)
      numbers.spread(N * S).forEach((value, i) => {
        x[(Math.floor(i / S) * C + c) * S + (i % S)] = center + value;
      });
    // One value a channel has no unbiased variance for running_var.
    const tracked = !training || (running && N * S > 1);
    return {
      inputs: given({
        x: tensor([N, C, ...spatial], x),
        gamma: gamma ? numbers.tensor([C], -2, 2) : undefined,
        beta: beta ? numbers.tensor([C]) : undefined,
        running_mean: tracked ? numbers.tensor([C], center - 1, center + 1) : undefined,
        running_var: tracked ? numbers.tensor([C], 0.5, 2) : undefined,
      }),
      options: { training, epsilon, momentum },
      upstream: ['out'],
      seed,
    };
  });

/** One integer for all axes, or an array with one for each. */
function perAxis(axes: number, min: number, max: number) {
  const integer = fc.integer({ min, max });
  return fc.oneof(integer, fc.array(integer, { minLength: axes, maxLength: axes }));
}

/** Every form that the contract has for it. */
function padding(axes: number, max: number) {
  const pad = fc.nat(max);
  const pair = fc.tuple(pad, pad);
  return fc.oneof(
    fc.constantFrom('valid', 'same', 'same_lower'),
    pad,
    fc.array(pad, { minLength: axes, maxLength: axes }),
    fc.array(pair, { minLength: axes, maxLength: axes }),
    fc.array(fc.oneof(pad, pair), { minLength: axes, maxLength: axes }),
  );
}

/** By how many axes there are: larger planes only where there are few. */
const LARGEST_SIDE = [0, 7, 4, 3];
const LARGEST_KERNEL = [0, 4, 3, 2];

const convolution: Arbitrary<Configuration> = size(3).chain((axes) =>
  fc
    .record({
      N: size(2),
      groups: size(2),
      inGroup: size(2),
      outGroup: size(2),
      spatial: fc.array(size(LARGEST_SIDE[axes]), { minLength: axes, maxLength: axes }),
      kernel: fc.array(size(LARGEST_KERNEL[axes]), { minLength: axes, maxLength: axes }),
      stride: perAxis(axes, 1, 3),
      dilation: perAxis(axes, 1, 2),
      padding: padding(axes, 2),
      transposed: fc.boolean(),
      output_padding: perAxis(axes, 0, 2),
      bias: fc.boolean(),
      seed,
    })
    .map(({ N, groups, inGroup, outGroup, spatial, kernel, bias, seed, output_padding, ...options }) => {
      const numbers = randomNumbers(seed);
      const [C, O] = [groups * inGroup, groups * outGroup];
      return {
        inputs: given({
          x: numbers.tensor([N, C, ...spatial]),
          weight: numbers.tensor(options.transposed ? [C, outGroup, ...kernel] : [O, inGroup, ...kernel]),
          bias: bias ? numbers.tensor([O]) : undefined,
        }),
        options: { ...options, groups, output_padding: options.transposed ? output_padding : 0 },
        upstream: ['out'],
        seed,
      };
    }),
);

const dropout: Arbitrary<Configuration> = fc
  .record({
    shape: fc.array(size(4), { minLength: 1, maxLength: 4 }),
    rate: fc.oneof(fc.constantFrom(0, 1, 0.5), fc.double({ min: 0, max: 1, noNaN: true })),
    training: fc.boolean(),
    scaling: fc.constantFrom('inverted', 'test_time'),
    maskSeed: fc.maxSafeNat(),
    seed,
  })
  .map(({ shape, maskSeed, seed, ...options }) => {
    const numbers = randomNumbers(seed);
    return { inputs: { x: numbers.tensor(shape) }, options: { ...options, seed: maskSeed }, upstream: ['out'], seed };
  });

const linear: Arbitrary<Configuration> = fc
  .record({
    batch: fc.array(size(3), { minLength: 1, maxLength: 4 }),
    I: size(5),
    O: size(5),
    bias: fc.boolean(),
    seed,
  })
  .map(({ batch, I, O, bias, seed }) => {
    const numbers = randomNumbers(seed);
    return {
      inputs: given({
        x: numbers.tensor([...batch, I]),
        weight: numbers.tensor([O, I]),
        bias: bias ? numbers.tensor([O]) : undefined,
      }),
      options: {},
      upstream: ['out'],
      seed,
    };
  });

const pooling: Arbitrary<Configuration> = size(3).chain((axes) =>
  fc
    .record({
      N: size(2),
      C: size(2),
      spatial: fc.array(size(LARGEST_SIDE[axes]), { minLength: axes, maxLength: axes }),
      mode: fc.constantFrom('max', 'average'),
      flag: fc.boolean(),
      window: fc.oneof(
        { weight: 1, arbitrary: fc.constant({ global: true }) },
        {
          weight: 5,
          arbitrary: fc.record(
            {
              kernel_size: perAxis(axes, 1, 3),
              stride: perAxis(axes, 1, 4),
              padding: padding(axes, 1),
              dilation: perAxis(axes, 1, 2),
              ceil_mode: fc.boolean(),
            },
            { requiredKeys: ['kernel_size', 'padding', 'dilation', 'ceil_mode'] },
          ),
        },
      ),
      seed,
    })
    .map(({ N, C, spatial, mode, flag, window, seed }) => {
      const numbers = randomNumbers(seed);
      const shape = [N, C, ...spatial];
      // Spread values have no near ties, at which a maximum has no derivative.
      const x = tensor(shape, Float64Array.from(numbers.spread(sizeOf(shape))));
      const ofMode = mode === 'max' ? { return_indices: flag } : { count_include_pad: flag };
      return { inputs: { x }, options: { mode, ...ofMode, ...window }, upstream: ['out'], seed };
    }),
);

function recurrent(gates: 1 | 4, outputs: readonly string[]): Arbitrary<Configuration> {
  return fc
    .record({
      N: size(3),
      T: size(4),
      I: size(3),
      H: size(3),
      direction: fc.constantFrom('forward', 'reverse', 'bidirectional'),
      time_major: fc.boolean(),
      nonlinearity: fc.constantFrom('tanh', 'relu'),
      lengths: fc.option(fc.array(fc.nat(3), { minLength: 3, maxLength: 3 }), { nil: undefined }),
      bias_ih: fc.boolean(),
      bias_hh: fc.boolean(),
      h0: fc.boolean(),
      c0: fc.boolean(),
      upstream: fc.subarray([...outputs], { minLength: 1 }),
      seed,
    })
    .map((drawn) => {
      const { N, T, I, H, direction, time_major, nonlinearity, lengths, upstream } = drawn;
      const numbers = randomNumbers(drawn.seed);
      const R = gates * H;
      const stacked = (wanted: boolean, ...shape: number[]) =>
        wanted ? numbers.tensor(direction === 'bidirectional' ? [2, ...shape] : shape) : undefined;
      const relu = gates === 1 && nonlinearity === 'relu';
      return {
        inputs: given<Tensor>({
          x: numbers.tensor(time_major ? [T, N, I] : [N, T, I]),
          weight_ih: stacked(true, R, I),
          weight_hh: stacked(true, R, H),
          bias_ih: stacked(drawn.bias_ih, R),
          bias_hh: stacked(drawn.bias_hh, R),
          h0: stacked(drawn.h0, N, H),
          c0: stacked(gates === 4 && drawn.c0, N, H),
          sequence_lengths:
            lengths &&
            tensor(
              [N],
              Int32Array.from(lengths.slice(0, N), (length) => 1 + (length % T)),
            ),
        }),
        options: { direction, time_major, ...(gates === 1 ? { nonlinearity } : {}) },
        upstream,
        seed: drawn.seed,
        ...(relu ? { side: ({ out }) => Array.from(out.data, (h) => (h > 0 ? '+' : '0')).join('') } : {}),
      };
    });
}

/** By the layer's name. */
export const configurations: Readonly<Record<string, Arbitrary<Configuration>>> = {
  batchnorm,
  convolution,
  dropout,
  linear,
  lstm: recurrent(4, ['out', 'h_n', 'c_n']),
  pooling,
  rnn: recurrent(1, ['out', 'h_n']),
};

/** The plan of a call, whose property passes over it where the layer refuses: what is drawn need not fit together. */
export function acceptedPlan(layer: Layer, { inputs, options }: Pick<Configuration, 'inputs' | 'options'>): Plan {
  const complete = { ...options };
  applyDefaults(layer.schemas.options, complete);
  try {
    const plan = layer.plan(inputs, complete);
    layer.forward(inputs, plan, plain);
    return plan;
  } catch (error) {
    fc.pre(!(error instanceof Refusal));
    throw error;
  }
}
