import { describe, expect, it } from 'vitest';
import { dtypeOf, floatArray, formatShape, sameShape, sizeOf, tensor, zeros } from '../../src/tensor/tensor.js';

describe('a tensor', () => {
  it('has as many elements as the product of its axes, and one without axes', () => {
    expect([sizeOf([2, 3, 4]), sizeOf([7]), sizeOf([])]).toEqual([24, 7, 1]);
  });

  it('takes its dtype from its array', () => {
    expect([new Float64Array(1), new Float32Array(1), new Int32Array(1), new Uint8Array(1)].map(dtypeOf)).toEqual([
      'float64',
      'float32',
      'int32',
      'uint8',
    ]);
    expect(tensor([1], Int32Array.of(5))).toEqual({ shape: [1], data: Int32Array.of(5) });
  });

  it('is created with zeros', () => {
    expect(zeros('float32', [2, 3])).toEqual({ shape: [2, 3], data: new Float32Array(6) });
    expect(floatArray('float64', 2)).toEqual(new Float64Array(2));
  });

  it('shows its shape in brackets', () => {
    expect([formatShape([2, 3]), formatShape([7]), formatShape([])]).toEqual(['[2, 3]', '[7]', '[]']);
  });

  it('has the same shape as another if both have the same number of axes with the same sizes', () => {
    expect(sameShape([2, 3], [2, 3])).toBe(true);
    expect(sameShape([2, 3], [3, 2])).toBe(false);
    expect(sameShape([2, 3], [2, 3, 1])).toBe(false);
    expect(sameShape([2, 3, 1], [2, 3])).toBe(false);
    expect(sameShape([], [])).toBe(true);
  });
});
