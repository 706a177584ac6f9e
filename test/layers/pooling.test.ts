import type { Static } from '@sinclair/typebox';
import { describe, expect, it } from 'vitest';
import type { PoolingOptions } from '../../schemas/pooling.js';
import { pooling } from '../../src/layers/pooling.js';
import { tensor, zeros, type Shape } from '../../src/tensor/tensor.js';
import { arraysOf, float32, float64, nested, refusalOf, run } from '../support/layer.js';

type Options = Partial<Static<typeof PoolingOptions>>;

/** One plane of one axis. */
function row(x: number[], options: Options) {
  const { outputs, backward } = run(pooling, { x: float64([[x]]) }, options);
  return {
    out: Array.from(outputs.out.data),
    indices: Array.from(outputs.indices?.data ?? []),
    dx: (dout: number[]) => Array.from(backward({ dout: float64([[dout]]) }).dx.data),
  };
}

const max = (x: number[], options: Options) => row(x, { mode: 'max', return_indices: true, ...options });
const average = (x: number[], options: Options) => row(x, { mode: 'average', ...options });

describe('pooling', () => {
  const plane = float64([
    [
      [
        [1, 3, 2, 0],
        [4, 2, 1, 5],
      ],
    ],
  ]);
  const dout = float64([[[[8, 12]]]]);

  it('computes maxima that can be checked by hand', () => {
    const { outputs, backward } = run(pooling, { x: plane }, { mode: 'max', kernel_size: 2, return_indices: true });
    expect(nested(outputs.out)).toEqual([[[[4, 5]]]]);
    expect(nested(outputs.indices)).toEqual([[[[4, 7]]]]);
    expect(nested(backward({ dout }).dx)).toEqual([
      [
        [
          [0, 0, 0, 0],
          [8, 0, 0, 12],
        ],
      ],
    ]);
  });

  it('computes averages that can be checked by hand', () => {
    const { outputs, backward } = run(pooling, { x: plane }, { mode: 'average', kernel_size: 2 });
    expect(nested(outputs.out)).toEqual([[[[(1 + 3 + 4 + 2) / 4, (2 + 0 + 1 + 5) / 4]]]]);
    expect(nested(backward({ dout }).dx)).toEqual([
      [
        [
          [2, 2, 3, 3],
          [2, 2, 3, 3],
        ],
      ],
    ]);
  });

  it('pools each channel of each sample separately', () => {
    const x = float64([
      [
        [1, 2],
        [3, 4],
      ],
      [
        [5, 6],
        [7, 8],
      ],
    ]);
    const { outputs } = run(pooling, { x }, { mode: 'max', kernel_size: 2, return_indices: true });
    expect(nested(outputs.out)).toEqual([
      [[2], [4]],
      [[6], [8]],
    ]);
    expect(nested(outputs.indices)).toEqual([
      [[1], [1]],
      [[1], [1]],
    ]);
  });

  it('passes the whole gradient to the first of equal maxima', () => {
    const { out, indices, dx } = max([2, 7, 7, 1, 1, 1], { kernel_size: 3 });
    expect([out, indices, dx([10, 20])]).toEqual([
      [7, 1],
      [1, 3],
      [0, 10, 0, 20, 0, 0],
    ]);
  });

  it('chooses the first in row-major order if maxima of a plane are equal', () => {
    const x = float64([
      [
        [
          [0, 9],
          [9, 9],
        ],
      ],
    ]);
    const { outputs } = run(pooling, { x }, { mode: 'max', kernel_size: 2, return_indices: true });
    expect(nested(outputs.indices)).toEqual([[[[1]]]]);
  });

  it('returns the last of several NaN, however many windows there are, as PyTorch 1.13 does', () => {
    // F.max_pool2d with kernel_size 2 and return_indices on a row of windows with at least two NaN each.
    const row = [NaN, 1, 2, NaN, NaN, NaN, 3, NaN];
    const below = [NaN, 5, NaN, 0, 1, NaN, NaN, NaN];
    const x = float64([[[row, below]]]);
    const { outputs, backward } = run(pooling, { x }, { mode: 'max', kernel_size: 2, return_indices: true });
    expect(nested(outputs.indices)).toEqual([[[[8, 10, 13, 15]]]]);
    expect(nested(backward({ dout: float64([[[[1, 2, 3, 4]]]]) }).dx)).toEqual([
      [
        [
          [0, 0, 0, 0, 0, 0, 0, 0],
          [1, 0, 2, 0, 0, 3, 0, 4],
        ],
      ],
    ]);
  });

  it('returns NaN if a window contains one, with the index of the last', () => {
    const { out, indices, dx } = max([Infinity, NaN, NaN, 3, 2, 1], { kernel_size: 3 });
    expect([out, indices, dx([10, 20])]).toEqual([
      [NaN, 3],
      [2, 3],
      [0, 0, 10, 20, 0, 0],
    ]);
    expect(average([Infinity, NaN, 1, 2], { kernel_size: 2 }).out).toEqual([NaN, 1.5]);
  });

  it('finds a maximum if all values are −∞', () => {
    const { out, indices } = max([-Infinity, -Infinity], { kernel_size: 2 });
    expect([out, indices]).toEqual([[-Infinity], [0]]);
  });

  it('accumulates the gradients where windows overlap', () => {
    expect(max([1, 5, 2], { kernel_size: 2, stride: 1 }).dx([10, 20])).toEqual([0, 30, 0]);
    expect(average([1, 5, 2], { kernel_size: 2, stride: 1 }).dx([10, 20])).toEqual([5, 15, 10]);
  });

  it('skips the values between windows if the stride is larger than the window', () => {
    const options = { kernel_size: 1, stride: 3 };
    expect([max([1, 9, 9, 2, 9], options).out, max([1, 9, 9, 2, 9], options).dx([3, 4])]).toEqual([
      [1, 2],
      [3, 0, 0, 4, 0],
    ]);
    expect(average([1, 9, 9, 2, 9], options).dx([3, 4])).toEqual([3, 0, 0, 4, 0]);
  });

  it('uses the window as the stride by default, and drops the remainder', () => {
    expect(max([1, 2, 3, 4, 9], { kernel_size: 2 }).out).toEqual([2, 4]);
  });

  it('never lets padding win a maximum, and counts indices without padding', () => {
    const { out, indices } = max([-3, -1, -2], { kernel_size: 2, stride: 1, padding: 1 });
    expect([out, indices]).toEqual([
      [-3, -1, -1, -2],
      [0, 1, 1, 2],
    ]);
  });

  it('divides an average by the padded window, or by its part inside x', () => {
    const options = { kernel_size: 2, stride: 1, padding: 1 };
    expect(average([2, 4], options).out).toEqual([1, 3, 2]);
    expect(average([2, 4], { ...options, count_include_pad: false }).out).toEqual([2, 3, 4]);
    expect(average([2, 4], options).dx([2, 4, 6])).toEqual([1 + 2, 2 + 3]);
    expect(average([2, 4], { ...options, count_include_pad: false }).dx([2, 4, 6])).toEqual([2 + 2, 2 + 6]);
  });

  it('lets the last window extend past the end in ceil_mode', () => {
    expect(max([1, 2, 3, 4, 5], { kernel_size: 2, ceil_mode: true }).out).toEqual([2, 4, 5]);
    // The window is clipped to the padded input: taps beyond it are not counted.
    expect(average([1, 2, 3, 4, 5], { kernel_size: 2, ceil_mode: true }).out).toEqual([1.5, 3.5, 5]);
    // Windows start at −1, 1 and 3; the last one reads 3 and the padding at 4, and extends past the end by one.
    const padded = { kernel_size: 3, stride: 2, padding: 1, ceil_mode: true };
    expect(average([1, 2, 3, 4], padded).out).toEqual([(0 + 1 + 2) / 3, 9 / 3, 4 / 2]);
    expect(average([1, 2, 3, 4], { ...padded, count_include_pad: false }).out).toEqual([3 / 2, 9 / 3, 4 / 1]);
  });

  it('drops the window that would start in the padding after the input in ceil_mode', () => {
    // Windows would start at −1, 1 and 3, and 3 is past the input.
    const options = { kernel_size: 2, stride: 2, padding: 1, ceil_mode: true };
    expect(max([1, 2, 3], options).out).toEqual([1, 3]);
    expect(average([1, 2, 3], options).out).toEqual([0.5, 2.5]);
  });

  it('accepts a window larger than the input in ceil_mode, as PyTorch does', () => {
    expect(max([1, 2], { kernel_size: 3, ceil_mode: true }).out).toEqual([2]);
    expect(average([1, 2], { kernel_size: 3, ceil_mode: true }).out).toEqual([1.5]);
  });

  it('spaces the taps of a dilated window', () => {
    const options = { kernel_size: 2, stride: 1, dilation: 3 };
    expect(max([5, 9, 9, 4, 6], options).out).toEqual([5, 9]);
    expect(average([5, 9, 9, 4, 6], options).out).toEqual([4.5, 7.5]);
    expect(average([5, 9, 9, 4, 6], options).dx([2, 4])).toEqual([1, 2, 0, 1, 2]);
  });

  it('counts the taps of a dilated window in the padded input, or in x', () => {
    // Taps at −1, 1 and 3 of a row of three with a padding of one.
    const options = { kernel_size: 3, dilation: 2, padding: 1 };
    expect(average([2, 4, 6], options).out).toEqual([4 / 3]);
    expect(average([2, 4, 6], { ...options, count_include_pad: false }).out).toEqual([4]);
  });

  it('places the odd padding of "same" after the input, and that of "same_lower" before it', () => {
    expect(max([1, 3, 2], { kernel_size: 2, stride: 1, padding: 'same' }).out).toEqual([3, 3, 2]);
    expect(max([1, 3, 2], { kernel_size: 2, stride: 1, padding: 'same_lower' }).out).toEqual([1, 3, 3]);
    expect(max([1, 3, 2], { kernel_size: 2, stride: 1, padding: 'valid' }).out).toEqual([3, 3]);
  });

  it('accepts sizes, strides and paddings that differ between the axes', () => {
    const { outputs } = run(
      pooling,
      { x: plane },
      { mode: 'max', kernel_size: [1, 3], stride: [1, 2], padding: [0, [1, 0]], return_indices: true },
    );
    // Windows start at −1 and 1 along each row.
    expect(nested(outputs.out)).toEqual([
      [
        [
          [3, 3],
          [4, 5],
        ],
      ],
    ]);
    expect(nested(outputs.indices)).toEqual([
      [
        [
          [1, 1],
          [4, 7],
        ],
      ],
    ]);
  });

  it.each([[[1, 2, 12]], [[1, 2, 3, 4]], [[1, 2, 3, 2, 2]]])('pools the whole plane of %j when global', (shape) => {
    const x = tensor(
      shape,
      Float64Array.from({ length: 24 }, (_, i) => i),
    );
    const out = [1, 2, ...shape.slice(2).map(() => 1)];
    const greatest = run(pooling, { x }, { mode: 'max', global: true, return_indices: true }).outputs;
    expect([greatest.out.shape, greatest.out.data]).toEqual([out, Float64Array.of(11, 23)]);
    expect(Array.from(greatest.indices?.data ?? [])).toEqual([11, 11]);
    const { outputs, backward } = run(pooling, { x }, { mode: 'average', global: true });
    expect([outputs.out.shape, outputs.out.data]).toEqual([out, Float64Array.of(5.5, 17.5)]);
    const { dx } = backward({ dout: tensor(out, Float64Array.of(12, 24)) });
    expect(dx).toEqual(
      tensor(
        shape,
        Float64Array.from({ length: 24 }, (_, i) => (i < 12 ? 1 : 2)),
      ),
    );
  });

  it('accepts neutral options together with global', () => {
    const neutral: Options[] = [
      { padding: 'valid', dilation: 1 },
      { padding: [[0, 0]], dilation: [1] },
    ];
    for (const options of neutral) expect(max([1, 2], { global: true, ...options }).out).toEqual([2]);
  });

  it('accepts sizes of 1', () => {
    expect(max([3], { kernel_size: 1 }).out).toEqual([3]);
    expect(average([3], { kernel_size: 1 }).dx([2])).toEqual([2]);
    const x = zeros('float64', [1, 1, 1, 1, 1]);
    expect(run(pooling, { x }, { mode: 'max', kernel_size: 1 }).outputs.out.shape).toEqual([1, 1, 1, 1, 1]);
  });

  it('returns 0 as the average of a window without a tap in x if padding is counted', () => {
    // Taps at −1 and 2 of a row of one element.
    expect(average([5], { kernel_size: 2, dilation: 3, padding: [[1, 2]] }).out).toEqual([0]);
  });

  it('returns indices only if requested', () => {
    expect(Object.keys(run(pooling, { x: plane }, { mode: 'max', kernel_size: 1 }).outputs)).toEqual(['out']);
    expect(Object.keys(run(pooling, { x: plane }, { mode: 'average', kernel_size: 1 }).outputs)).toEqual(['out']);
  });

  it('returns float32 for a float32 call, and indices as integers', () => {
    const x = float32([[[1, 2]]]);
    const asked = { mode: 'max', kernel_size: 2, return_indices: true } as const;
    for (const options of [asked, { mode: 'average', kernel_size: 2 } as const]) {
      const { outputs, backward } = run(pooling, { x }, options);
      const indices = options === asked ? { indices: 'Int32Array' } : {};
      expect(arraysOf(outputs)).toEqual({ out: 'Float32Array', ...indices });
      expect(arraysOf(backward({ dout: float32([[[1]]]) }))).toEqual({ dx: 'Float32Array' });
    }
  });
});

describe('pooling refuses', () => {
  const refused = (x: Shape, options: Options) =>
    refusalOf(() => run(pooling, { x: zeros('float64', x) }, { mode: 'max', ...options }));
  const wrongValue = (option: string, detail: string) => ({ kind: 'value-mismatch', path: [option], detail });

  it.each([[[2, 3]], [[2, 3, 1, 1, 1, 1]]])('x of shape %j', (shape) => {
    expect(refused(shape, { kernel_size: 1 })).toEqual({
      kind: 'shape-mismatch',
      path: ['x'],
      detail: `x has shape [${shape.join(', ')}]; expected [N, C, *] with one to three spatial axes`,
    });
  });

  it('options of the other mode', () => {
    expect(refused([1, 1, 4], { kernel_size: 2, count_include_pad: false })).toEqual(
      wrongValue('count_include_pad', 'count_include_pad is only for mode "average"; expected true with mode "max"'),
    );
    expect(refused([1, 1, 4], { mode: 'average', kernel_size: 2, return_indices: true })).toEqual(
      wrongValue('return_indices', 'return_indices is only for mode "max"; expected false with mode "average"'),
    );
  });

  it('a call without kernel_size unless it is global', () => {
    expect(refused([1, 1, 4], {})).toEqual({
      kind: 'invalid-request',
      path: ['kernel_size'],
      detail: 'kernel_size is missing; expected an integer, or one for each spatial axis, because global is false',
    });
  });

  it.each<[keyof Options, Options, string]>([
    ['kernel_size', { kernel_size: 4 }, 'none'],
    ['stride', { stride: 1 }, 'none'],
    ['padding', { padding: 1 }, '0'],
    ['padding', { padding: 'same' }, '0'],
    ['padding', { padding: [[0, 1]] }, '0'],
    ['dilation', { dilation: 2 }, '1'],
    ['dilation', { dilation: [2] }, '1'],
    ['ceil_mode', { ceil_mode: true }, 'false'],
  ])('%s with global: %j', (option, given, expected) => {
    expect(refused([1, 1, 4], { global: true, ...given })).toEqual(
      wrongValue(option, `${option} is only for sliding windows; expected ${expected}, because global is true`),
    );
  });

  it.each(['kernel_size', 'stride', 'dilation', 'padding'])('%s for another number of axes', (option) => {
    expect(refused([1, 1, 4, 4], { kernel_size: 2, [option]: [1, 1, 1] })).toEqual(
      wrongValue(option, `${option} has 3 entries; expected 2, one for each spatial axis of x`),
    );
  });

  it('a padding of more than half the window', () => {
    expect(refused([1, 1, 8, 8], { kernel_size: [2, 3], padding: [1, [0, 2]] })).toEqual(
      wrongValue(
        'padding',
        'padding is 2 on spatial axis 1; expected at most 1, half of the 3 elements that the window covers',
      ),
    );
    // The dilated size counts: a window of two taps that spans four may have a padding of two.
    expect(row([1, 2, 3], { mode: 'max', kernel_size: 2, dilation: 3, padding: 2 }).out).toHaveLength(2);
  });

  it('a window that covers more than the padded input', () => {
    expect(refused([1, 1, 8, 3], { kernel_size: [1, 3], dilation: [1, 2], padding: [0, [1, 0]] })).toEqual({
      kind: 'shape-mismatch',
      path: ['kernel_size'],
      detail:
        'the window covers 5 elements of spatial axis 1; expected at most 4, because x has 3 there and the padding is [1, 0]',
    });
  });

  it('a window with all of its taps in the padding', () => {
    const options: Options = { kernel_size: 2, dilation: 3, padding: [[1, 2]] };
    const detail = 'window 0 along spatial axis 0 has all its taps in the padding; expected at least one in x';
    expect(refused([1, 1, 1], options)).toEqual(wrongValue('padding', detail));
    const average = { mode: 'average', count_include_pad: false } as const;
    expect(refused([1, 1, 1], { ...options, ...average })).toEqual(wrongValue('padding', detail));
  });
});
