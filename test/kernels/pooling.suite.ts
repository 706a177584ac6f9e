import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import type { AxisCounts, Kernels } from '../../src/kernels/kernels.js';
import { emptyWindow, product, threeAxes, type WindowAxes } from '../../src/tensor/windows.js';
import { randomNumbers } from '../support/random.js';
import { everyAxis, ON_RANDOM_WINDOWS, positions, someAxes, taps } from './geometry.js';
import { boundedSum, expectBounded, FLOAT_DTYPES, memory, OF_LONG_SUM, ROUNDOFF, type Bounded } from './memory.js';

const isDefined = <Value>(value: Value | undefined): value is Value => value !== undefined;

/** For every window of every plane, the indices in its plane that it reads. */
function windowsOf(axes: WindowAxes): number[][] {
  return positions(axes).map((o) => taps(axes, o).filter(isDefined));
}

/** The position of the first maximum or, if there are NaN, of the last NaN. */
function maximumOf(values: readonly number[]): number {
  const nan = values.findLastIndex(Number.isNaN);
  return nan >= 0 ? nan : values.indexOf(Math.max(...values));
}

const noWindowEmpty = (axes: WindowAxes) => axes.every((axis) => emptyWindow(axis) === undefined);

export function poolingSuite(kernels: Kernels): void {
  describe.each(FLOAT_DTYPES)('the pooling kernels in %s', (dtype) => {
    const { input, output, expectIntact } = memory();
    const numbers = randomNumbers(4);
    afterEach(expectIntact);

    function expectMaximum(values: readonly number[], planes: number, axes: WindowAxes): void {
      const windows = windowsOf(axes);
      const plane = product(axes, 'input');
      const size = planes * windows.length;
      const x = input(dtype, values);
      const [out, indices] = [output(dtype, size), output('int32', size)];
      kernels.maxPool(x, planes, axes, out, indices);
      const message = JSON.stringify(axes);
      const expected = Array.from({ length: planes }, (_, p) =>
        windows.map((places) => places[maximumOf(places.map((place) => x[p * plane + place]))]),
      );
      expect(Array.from(indices), message).toEqual(expected.flat());
      const maxima = expected.flatMap((places, p) => places.map((place) => x[p * plane + place]));
      expect(Array.from(out), message).toEqual(maxima);

      const dout = input(dtype, numbers.array(size));
      const dx = output(dtype, x.length);
      kernels.maxPoolBackward(dout, planes, axes, input('int32', indices), dx);
      const terms = Array.from(x, (): number[] => []);
      expected.flat().forEach((place, i) => terms[Math.floor(i / windows.length) * plane + place].push(dout[i]));
      const sums = terms.map((values) => boundedSum(values, dtype));
      expectBounded(dx, sums, message);
    }

    function expectAverage(planes: number, axes: WindowAxes): void {
      const windows = windowsOf(axes);
      const plane = product(axes, 'input');
      const size = planes * windows.length;
      // The sums are divided by the given counts, whatever these are.
      const [d, h, w] = axes.map(({ output }) =>
        input(
          'int32',
          numbers.array(output, 1, 9).map((count) => Math.floor(count)),
        ),
      );
      const counts: AxisCounts = [d, h, w];
      const divisors = positions(axes).map((o) => d[o[0]] * h[o[1]] * w[o[2]]);
      const over = (sum: Bounded, divisor: number): Bounded => ({
        value: sum.value / divisor,
        bound: (2 * sum.bound) / divisor,
      });
      const message = JSON.stringify(axes);

      const x = input(dtype, numbers.array(planes * plane));
      const out = output(dtype, size);
      kernels.averagePool(x, planes, axes, counts, out);
      const averages = Array.from({ length: planes }, (_, p) =>
        windows.map((places, i) => {
          const values = places.map((place) => x[p * plane + place]);
          return over(boundedSum(values, dtype), divisors[i]);
        }),
      );
      expectBounded(out, averages.flat(), message);

      const dout = input(dtype, numbers.array(size));
      const dx = output(dtype, x.length);
      kernels.averagePoolBackward(dout, planes, axes, counts, dx);
      const terms = Array.from(x, (): number[] => []);
      for (let p = 0; p < planes; p++)
        windows.forEach((places, i) => {
          for (const place of places) terms[p * plane + place].push(dout[p * windows.length + i] / divisors[i]);
        });
      const shares = terms.map((values) => boundedSum(values, dtype));
      expectBounded(dx, shares, message);
    }

    /** Few different values, so that there are many ties. */
    const tied = (length: number) => numbers.array(length, 0, 4).map((value) => Math.floor(value));

    it('maxPool finds the first maximum in every small geometry of one axis, and its backward accumulates there', () => {
      for (const axis of everyAxis()) {
        const axes = threeAxes([axis]);
        if (!noWindowEmpty(axes)) continue;
        expectMaximum(numbers.array(axis.input), 1, axes);
        expectMaximum(tied(axis.input), 1, axes);
      }
    });

    it('maxPool finds the first maximum, even among ties, in random windows over one to three axes', () => {
      const planes = fc.integer({ min: 1, max: 3 });
      const findsMaxima = fc.property(someAxes.filter(noWindowEmpty), planes, (axes, planes) => {
        expectMaximum(tied(planes * product(axes, 'input')), planes, axes);
      });
      fc.assert(findsMaxima, ON_RANDOM_WINDOWS);
    });

    it('maxPool returns the last NaN as the maximum, and finds a maximum in windows of only −∞', () => {
      const axes = threeAxes([{ input: 7, kernel: 3, stride: 2, dilation: 1, before: 0, after: 0, output: 3 }]);
      expectMaximum([1, NaN, NaN, Infinity, 5, NaN, 9], 1, axes);
      expectMaximum(Array<number>(7).fill(-Infinity), 1, axes);
      const out = output(dtype, 3);
      const indices = output('int32', 3);
      kernels.maxPool(input(dtype, [1, NaN, NaN, Infinity, 5, 2, 9]), 1, axes, out, indices);
      expect(Array.from(out)).toEqual([NaN, NaN, 9]);
      expect(Array.from(indices)).toEqual([2, 2, 6]);
    });

    it.each([2, 3])(
      'maxPool finds NaN and both ∞ among %i by %i windows side by side, in more planes than a cache holds',
      (kernel) => {
        const side = { kernel, stride: kernel, dilation: 1, before: 0, after: 0 };
        const axes = threeAxes([
          { ...side, input: 6, output: 6 / kernel },
          { ...side, input: 43, output: Math.floor(43 / kernel) },
        ]);
        const planes = 200;
        const special = [NaN, Infinity, -Infinity];
        const values = numbers.array(planes * 6 * 43).map((value, i) => (i % 29 ? value : special[(i / 29) % 3]));
        expectMaximum(values, planes, axes);
      },
    );

    it('both support a single window with any stride, without memory for it', () => {
      const one = { kernel: 2, stride: 2 ** 31 - 1, dilation: 1, after: 0, output: 1 };
      for (const before of [0, 1])
        for (const stride of [10 ** 8, 10 ** 9, 2 ** 31 - 1]) {
          const axes = threeAxes([
            { ...one, input: 2, before, stride },
            { ...one, input: 4, before, stride },
          ]);
          expectMaximum(numbers.array(8), 1, axes);
          expectAverage(1, axes);
        }
    });

    it('averagePool divides the sum of each window in every small geometry of one axis', () => {
      for (const axis of everyAxis()) expectAverage(1, threeAxes([axis]));
    });

    it('averagePool divides the sum of each window over one to three axes, and its backward distributes the gradient equally', () => {
      const divides = fc.property(someAxes, fc.integer({ min: 1, max: 3 }), (axes, planes) => {
        expectAverage(planes, axes);
      });
      fc.assert(divides, ON_RANDOM_WINDOWS);
    });

    it('averagePool confines NaN and ∞ to the windows that contain them', () => {
      const axes = threeAxes([{ input: 6, kernel: 2, stride: 2, dilation: 1, before: 0, after: 0, output: 3 }]);
      const ones = input('int32', [1]);
      const counts: AxisCounts = [ones, ones, input('int32', [2, 2, 2])];
      const out = output(dtype, 3);
      kernels.averagePool(input(dtype, [NaN, 1, Infinity, 1, 1, 3]), 1, axes, counts, out);
      expect(Array.from(out)).toEqual([NaN, Infinity, 2]);
    });

    it.each([1, 2, 3, 5, 8, 13, 21, 34, 40, 130])('both pool rows of %i', (side) => {
      const axis = { kernel: 3, stride: 2, dilation: 1, before: 1, after: 1, output: Math.floor((side - 1) / 2) + 1 };
      const axes = threeAxes([{ ...axis, input: side }]);
      expectMaximum(numbers.array(2 * side), 2, axes);
      expectAverage(2, axes);
    });

    it('both pool one window with the largest possible stride', () => {
      const axis = { input: 4, kernel: 2, stride: 2 ** 31 - 1, dilation: 1, before: 0, after: 0, output: 1 };
      expectMaximum([1, 3, 2, 0], 1, threeAxes([axis]));
      expectAverage(1, threeAxes([axis]));
    });

    it('averagePool stays accurate over 90,000 elements', () => {
      const side = { input: 300, kernel: 300, stride: 1, dilation: 1, before: 0, after: 0, output: 1 };
      const whole = input('int32', [300]);
      const out = output(dtype, 1);
      const x = input(dtype, Array<number>(90_000).fill(1 + 2 ** -10));
      kernels.averagePool(x, 1, threeAxes([side, side]), [input('int32', [1]), whole, whole], out);
      expect(Math.abs(out[0] - 1 - 2 ** -10)).toBeLessThanOrEqual(OF_LONG_SUM * ROUNDOFF[dtype]);
    });
  });
}
