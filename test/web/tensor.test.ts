import { describe, expect, it } from 'vitest';
import { formatNumber, texNumber } from '../../web/tensors/format.js';
import { indexAt, isRagged, nest, offsetOf, ofRank, resized, tensorOf, withCell } from '../../web/tensors/tensor.js';

describe('tensors', () => {
  it('convert from nested arrays to flat ones and back', () => {
    const nested = [[[1, 2, 3]], [[4, 5, 6]]];
    const tensor = tensorOf(nested);
    expect(tensor).toEqual({ shape: [2, 1, 3], data: [1, 2, 3, 4, 5, 6] });
    expect(nest(tensor?.data ?? [], [2, 1, 3])).toEqual(nested);
  });

  it('are undefined if they are ragged or contain a value that is not a number', () => {
    expect(isRagged([[1, 2], [3]])).toBe(true);
    expect(isRagged([[1], 2])).toBe(true);
    expect(tensorOf([[1, 2], [3]])).toBeUndefined();
    expect(tensorOf([1, 'two'])).toBeUndefined();
    expect(tensorOf([1, 'NaN'])?.data).toEqual([1, NaN]);
  });

  it('count cells in row-major order', () => {
    expect(offsetOf([2, 3, 4], [1, 2, 3])).toBe(23);
    expect(indexAt([2, 3, 4], 23)).toEqual([1, 2, 3]);
  });

  it('keep the elements that lie in both shapes when they grow or shrink', () => {
    expect(
      resized(
        [
          [1, 2],
          [3, 4],
        ],
        [3, 1],
        () => 9,
      ),
    ).toEqual([[1], [3], [9]]);
  });

  it('change one cell and share the others', () => {
    const before = [
      [1, 2],
      [3, 4],
    ];
    const after = withCell(before, [1, 0], 9) as number[][];
    expect(after).toEqual([
      [1, 2],
      [9, 4],
    ]);
    expect(after[0]).toBe(before[0]);
    expect(before[1][0]).toBe(3);
  });

  it('gain leading axes of 1 to reach a rank, and lose no others', () => {
    expect(ofRank([[1, 2]], 4)).toEqual([[[[1, 2]]]]);
    expect(ofRank([[1, 2]], 1)).toEqual([1, 2]);
    expect(ofRank([[1], [2]], 1)).toEqual([[1], [2]]);
  });
});

describe('formatNumber', () => {
  it.each([
    [0, '0'],
    [-0, '0'],
    [0.1 + 0.2, '0.3'],
    [-1.23456789, '−1.235'],
    [123456, '123500'],
    [1.5e-16, '1.5e−16'],
    [0.00085834, '8.58e−4'],
    [0.0012, '0.0012'],
    [2e7, '2e7'],
    [NaN, 'NaN'],
    [-Infinity, '−∞'],
    ['Infinity', '∞'],
    ['-Infinity', '−∞'],
  ])('writes %s as %s', (value, text) => {
    expect(formatNumber(value)).toBe(text);
  });

  it('writes powers of ten for TeX', () => {
    expect(texNumber(1e-8)).toBe('10^{-8}');
    expect(texNumber(-2.5e-9)).toBe(String.raw`-2.5 \cdot 10^{-9}`);
  });
});
