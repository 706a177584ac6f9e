import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import type { Kernels } from '../../src/kernels/kernels.js';
import { product, threeAxes, type WindowAxes } from '../../src/tensor/windows.js';
import { randomNumbers } from '../support/random.js';
import { everyAxis, ON_RANDOM_WINDOWS, positions, someAxes, taps } from './geometry.js';
import { boundedSum, expectBounded, FLOAT_DTYPES, memory, ROUNDOFF } from './memory.js';

/** For every column [plane, tap, window] where it comes from in x, or undefined in the padding. */
function sources(planes: number, axes: WindowAxes): (number | undefined)[] {
  const windows = positions(axes).map((o) => taps(axes, o));
  const plane = product(axes, 'input');
  const K = product(axes, 'kernel');
  return Array.from({ length: planes * K }, (_, row) => {
    const [p, k] = [Math.floor(row / K), row % K];
    return windows.map((places) => {
      const place = places[k];
      return place === undefined ? undefined : p * plane + place;
    });
  }).flat();
}

function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}

export function windowsSuite(kernels: Kernels): void {
  describe.each(FLOAT_DTYPES)('unfold and fold in %s', (dtype) => {
    const { input, output, expectIntact } = memory();
    const numbers = randomNumbers(3);
    afterEach(expectIntact);

    function expectBoth(planes: number, axes: WindowAxes): void {
      const from = sources(planes, axes);
      const size = planes * product(axes, 'input');
      const message = JSON.stringify(axes);

      const x = input(dtype, numbers.array(size));
      const columns = output(dtype, from.length);
      kernels.unfold(x, planes, axes, columns);
      const unfolded = from.map((place) => ({ value: place === undefined ? 0 : x[place], bound: 0 }));
      expectBounded(columns, unfolded, message);

      const given = input(dtype, numbers.array(from.length));
      const folded = output(dtype, size);
      kernels.fold(given, planes, axes, folded);
      const terms = Array.from({ length: size }, (): number[] => []);
      from.forEach((place, i) => {
        if (place !== undefined) terms[place].push(given[i]);
      });
      const sums = terms.map((values) => boundedSum(values, dtype));
      expectBounded(folded, sums, message);
    }

    it('follow their definition for every small geometry of one axis', () => {
      for (const axis of everyAxis()) expectBoth(1, threeAxes([axis]));
    });

    it('follow their definition for random windows over one to three axes', () => {
      const followsDefinition = fc.property(someAxes, fc.integer({ min: 1, max: 3 }), (axes, planes) => {
        expectBoth(planes, axes);
      });
      fc.assert(followsDefinition, ON_RANDOM_WINDOWS);
    });

    it('follow their definition for rows of 1 to 40 and of 130', () => {
      for (const side of [...Array.from({ length: 40 }, (_, i) => i + 1), 130])
        for (const stride of [1, 2]) {
          const axis = { kernel: 3, stride, dilation: 1, before: 1, after: 1 };
          const row = { ...axis, input: side, output: Math.floor((side - 1) / stride) + 1 };
          const column = { ...axis, input: 3, stride: 1, output: 3 };
          expectBoth(2, threeAxes([column, row]));
        }
    });

    it('are transposes of each other: ⟨unfold(x), y⟩ = ⟨x, fold(y)⟩', () => {
      const areTransposes = fc.property(someAxes, fc.integer({ min: 1, max: 3 }), (axes, planes) => {
        const x = input(dtype, numbers.array(planes * product(axes, 'input')));
        const columns = output(dtype, planes * product(axes, 'kernel') * product(axes, 'output'));
        kernels.unfold(x, planes, axes, columns);
        const y = input(dtype, numbers.array(columns.length));
        const folded = output(dtype, x.length);
        kernels.fold(y, planes, axes, folded);
        // Every product is below 1, and no place is read more often than a window has taps.
        const bound = columns.length * (product(axes, 'kernel') + 2) * ROUNDOFF[dtype];
        expect(Math.abs(dot(columns, y) - dot(x, folded))).toBeLessThanOrEqual(bound);
      });
      fc.assert(areTransposes, ON_RANDOM_WINDOWS);
    });

    it('let NaN and ∞ through, and read none of them into the padding', () => {
      const axes = threeAxes([{ input: 3, kernel: 2, stride: 2, dilation: 1, before: 1, after: 0, output: 2 }]);
      const columns = output(dtype, 4);
      kernels.unfold(input(dtype, [NaN, Infinity, 5]), 1, axes, columns);
      // Tap 0 reads the padding and place 1, tap 1 places 0 and 2.
      expect(Array.from(columns)).toEqual([0, Infinity, NaN, 5]);
      const x = output(dtype, 3);
      kernels.fold(input(dtype, [NaN, NaN, Infinity, 1]), 1, axes, x);
      expect(Array.from(x)).toEqual([Infinity, NaN, 1]);
    });
  });
}
