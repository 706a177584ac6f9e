import { describe, expect, it } from 'vitest';
import { preview } from '../../src/validation/preview.js';

describe('the preview of a received value', () => {
  it.each<[unknown, string]>([
    [null, 'null'],
    [false, 'false'],
    [-0.5, '-0.5'],
    [-0, '-0.0'],
    [Infinity, 'a number beyond the range of float64'],
    [[], 'an empty array'],
    [[1, 2, 3], 'an array of 3'],
    [{ x: 1 }, 'an object'],
    ['a "word"', '"a \\"word\\""'],
    ['x'.repeat(1e6), `"${'x'.repeat(40)}…"`],
  ])('is never longer than a line: %#', (value, shown) => {
    expect(preview(value)).toBe(shown);
  });
});
