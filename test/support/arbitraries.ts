/** Generators for random calls of layers. */
import fc, { type Arbitrary } from 'fast-check';
import { tensor, type Tensor } from '../../src/tensor/tensor.js';
import { randomNumbers } from './random.js';

export interface Configuration {
  readonly inputs: Readonly<Record<string, Tensor>>;
  readonly options: Readonly<Record<string, unknown>>;
  /** The outputs that have an upstream gradient. */
  readonly upstream: readonly string[];
  /** The seed of the values. */
  readonly seed: number;
  /** The side of each kink that the outputs show; a derivative exists where it does not change. */
  readonly side?: (outputs: Readonly<Record<string, Tensor>>) => string;
}

export const size = (most: number) => fc.integer({ min: 1, max: most });
/** Shapes and options shrink; the values of the tensors come from this seed and do not. */
export const seed = fc.noShrink(fc.nat(2 ** 32 - 1));

/** Omits undefined values. */
export function given<Value>(fields: Readonly<Record<string, Value | undefined>>): Record<string, Value> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Record<string, Value>;
}

/** One integer for all axes, or an array with one for each. */
export function perAxis(axes: number, min: number, max: number) {
  const integer = fc.integer({ min, max });
  return fc.oneof(integer, fc.array(integer, { minLength: axes, maxLength: axes }));
}

/** Every form of the `padding` option. */
export function padding(axes: number, max: number) {
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

/** By number of axes: the fewer axes, the larger the sizes. */
export const LARGEST_SIDE = [0, 7, 4, 3];
export const LARGEST_KERNEL = [0, 4, 3, 2];

/** @param gates number of blocks of H rows in a weight */
export function recurrent(gates: 1 | 4, outputs: readonly string[]): Arbitrary<Configuration> {
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
