import { describe, expect, it } from 'vitest';
import { wrongCells } from '../../web/state/check.js';
import type { Tensor } from '../../web/tensors/tensor.js';

const row = (...data: number[]): Tensor => ({ shape: [data.length], data });
const tolerance = { rtol: 1e-6, atol: 1e-9, dtype: 'float64' } as const;
const marked = (...given: Parameters<typeof wrongCells>) => [...wrongCells(...given)];

describe('the wrong cells of a claim', () => {
  it('are those beyond the tolerance, with the expected value', () => {
    expect(marked(row(1.23456789, 2), row(1.23456789, 2.5), { ...tolerance, statistics: undefined })).toEqual([
      ['1', 'expected 2.5'],
    ]);
  });

  it('are not those that are correct to their printed digits', () => {
    const right = row(1.23456, 0.98765, 3.14159);
    expect(marked(row(1.2346, 0.9877, 3.2), right, { ...tolerance, statistics: undefined })).toEqual([
      ['2', 'expected 3.14159'],
    ]);
  });

  it('are only where the service finds errors, such as none that rounding explains', () => {
    const axis = { axis: 0, name: 'index', size: 2, wrong: [1] };
    const statistics = { wrong: 1, of: 2, ratio: null, offset: null, correlation: null, axes: [axis], findings: [] };
    expect(marked(row(1.00001234567, 3), row(1, 2), { ...tolerance, statistics })).toEqual([['1', 'expected 2']]);
  });
});
