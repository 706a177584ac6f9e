import { describe, expect, it } from 'vitest';
import { looksLikeFloat32, printOf } from '../../src/check/rounding.js';
import { tensor } from '../../src/tensor/tensor.js';

const claim = (...values: number[]) => tensor([values.length], Float64Array.from(values));

/** Half a unit of the last digit for several numbers of digits, as short decimals. */
const halves = (...values: number[]) => {
  const print = printOf(claim(...values), 'float64');
  return print && [print.precision, ...Array.from(print.room, (half) => Number(half.toPrecision(3)))];
};

describe('a print', () => {
  it('has as many decimals as its longest element', () => {
    expect(halves(1.2346, -0.12, 0)).toEqual(['4 decimals', 5e-5, 5e-5, 5e-5]);
    expect(halves(0.0123, 0.0004)).toEqual(['4 decimals', 5e-5, 5e-5]);
  });

  it('has as many significant digits as its longest element, each with a separate last digit', () => {
    expect(halves(1.2346, 1.2346e-7, 1.23e9)).toEqual(['5 significant digits', 5e-5, 5e-12, 5e4]);
    expect(halves(1.0667e9, 66.667)).toEqual(['5 significant digits', 5e4, 5e-4]);
    expect(halves(1.0667e9)).toEqual(['5 significant digits', 5e4]);
  });

  it('may consist of integers if all of them have at least five digits', () => {
    // `%.4e` prints 24919.3 as 2.4919e+04.
    expect(halves(24919, -10533)).toEqual(['5 significant digits', 0.5, 0.5]);
    expect(halves(24919, 249190, 0)).toEqual(['5 significant digits', 0.5, 5, 0]);
    expect(halves(2491, 1053)).toBeUndefined();
  });

  it('ignores zeros when counting significant digits, because zero is printed exactly', () => {
    expect(halves(1.2346, 1.2346e-7, 0)).toEqual(['5 significant digits', 5e-5, 5e-12, 0]);
  });

  it('is not assumed if the values have few digits anyway', () => {
    for (const values of [
      [100, 1e8],
      [1, 2, 3],
      [123, 45678],
      [123, 1e8],
      [1.5, 2.5],
      [0.01, 0.09],
      [0.5, 1e8],
      [0],
      [NaN, Infinity],
    ])
      expect(halves(...values), values.join()).toBeUndefined();
  });

  it('is not assumed if a value has all of its digits, or was chosen rather than printed', () => {
    expect(halves(1.2346, 0.1234567890123)).toBeUndefined();
    expect(printOf(tensor([2], Int32Array.from([123, 45600])), 'float64')).toBeUndefined();
  });

  it('is read in the dtype of the request', () => {
    const { data, shape } = claim(1.2346, 0.12);
    const print = printOf(tensor(shape, data.map(Math.fround)), 'float32');
    expect(print?.precision).toBe('4 decimals');
  });
});

describe('values', () => {
  it('of float32 are recognised in full and as shortest decimals', () => {
    expect(looksLikeFloat32(claim(Math.fround(0.1), 0.1, NaN, Infinity))).toBe(true);
    expect(looksLikeFloat32(claim(0.1 + 0.2))).toBe(false);
  });
});
