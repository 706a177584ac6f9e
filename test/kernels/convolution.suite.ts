import fc from 'fast-check';
import { afterEach, describe, it } from 'vitest';
import type { ConvolutionShape, Kernels } from '../../src/kernels/kernels.js';
import { plain } from '../../src/kernels/plain/plain.js';
import type { FloatArray } from '../../src/tensor/tensor.js';
import { product, threeAxes, type WindowAxes } from '../../src/tensor/windows.js';
import { randomNumbers } from '../support/random.js';
import { atScale } from '../support/scale.js';
import { everyAxis, ON_RANDOM_WINDOWS, positions, someAxes, taps } from './geometry.js';
import { boundedSum, expectBounded, FLOAT_DTYPES, memory, ROUNDOFF } from './memory.js';

/** More taps and rows than are summed at once. */
const CHANNELS = atScale({ all: [3, 86], quick: [3] });

const SIDES = atScale({ all: [5, 8, 17, 32, 50], quick: [5, 8, 17] });

type Spoil = (values: number[]) => number[];

export function convolutionSuite(kernels: Kernels): void {
  describe.each(FLOAT_DTYPES)('the convolution kernels in %s', (dtype) => {
    const { input, output, expectIntact } = memory();
    const numbers = randomNumbers(8);
    afterEach(expectIntact);

    /** Compares all three kernels with the definition, element by element. */
    function expectAll(shape: ConvolutionShape, spoil: Spoil = (values) => values, spoilWeight: Spoil = spoil): void {
      const { N, groups, A, B, axes } = shape;
      const [K, D, P] = [product(axes, 'kernel'), product(axes, 'input'), product(axes, 'output')];
      const folded = input(dtype, spoil(numbers.array(N * groups * A * D)));
      const windowed = input(dtype, spoil(numbers.array(N * groups * B * P)));
      const weight = input(dtype, spoilWeight(numbers.array(groups * B * A * K)));
      const ofWindowed = input(dtype, numbers.array(groups * B));
      const ofFolded = input(dtype, numbers.array(groups * A));
      const termsOf = (length: number, channels: number, bias: ArrayLike<number>) =>
        Array.from({ length }, (_, i) => [bias[Math.floor(i / (length / (N * channels))) % channels]]);
      const toWindowed = termsOf(windowed.length, groups * B, ofWindowed);
      const toFolded = termsOf(folded.length, groups * A, ofFolded);
      const toWeight = Array.from(weight, (): number[] => []);
      const windows = positions(axes).map((o) => taps(axes, o));
      for (let n = 0; n < N; n++)
        for (let g = 0; g < groups; g++)
          for (let b = 0; b < B; b++)
            for (let a = 0; a < A; a++)
              windows.forEach((places, p) => {
                places.forEach((place, k) => {
                  const y = ((n * groups + g) * B + b) * P + p;
                  const w = ((g * B + b) * A + a) * K + k;
                  // The padding reads NaN, which shows if it is multiplied.
                  if (place === undefined) return;
                  const x = ((n * groups + g) * A + a) * D + place;
                  toWindowed[y].push(folded[x] * weight[w]);
                  toFolded[x].push(windowed[y] * weight[w]);
                  toWeight[w].push(folded[x] * windowed[y]);
                });
              });
      const bounded = (terms: number[][]) => terms.map((values) => boundedSum(values, dtype));
      const message = JSON.stringify(shape);

      const y = output(dtype, windowed.length);
      kernels.correlate(folded, weight, ofWindowed, y, shape);
      expectBounded(y, bounded(toWindowed), `correlate, ${message}`);
      kernels.correlate(folded, weight, undefined, y, shape);
      expectBounded(y, bounded(toWindowed.map(([, ...terms]) => terms)), `correlate without bias, ${message}`);
      const x = output(dtype, folded.length);
      kernels.spread(windowed, weight, ofFolded, x, shape);
      expectBounded(x, bounded(toFolded), `spread, ${message}`);
      const dweight = output(dtype, weight.length);
      kernels.correlateSides(folded, windowed, dweight, shape);
      expectBounded(dweight, bounded(toWeight), `correlateSides, ${message}`);
    }

    const random = (axes: WindowAxes, N: number, groups: number, A: number, B: number) => {
      expectAll({ N, groups, A, B, axes });
    };

    it('follow their definition for every small geometry of one axis', () => {
      // Enough channels for the product to be worth packing.
      for (const axis of everyAxis()) if (axis.before < 2) random(threeAxes([axis]), 1, 1, 9, 13);
    });

    it('follow their definition for random windows over one to three axes, in groups', () => {
      const few = fc.integer({ min: 1, max: 3 });
      const some = fc.integer({ min: 1, max: 9 });
      fc.assert(fc.property(someAxes, few, few, some, some, random), ON_RANDOM_WINDOWS);
    });

    it.each(SIDES)('follow their definition for planes of side %i', (side) => {
      for (const stride of [1, 2, 3]) {
        const axis = { input: side, kernel: 3, stride, dilation: 1, before: 1, after: 1 };
        const given = { ...axis, output: Math.floor((side - 1) / stride) + 1 };
        random(threeAxes([given, given]), 2, 1, 2, 5);
      }
    });

    it.each([3, 9, 13])('propagate NaN and ∞ only to the elements that depend on them, in rows of %i', (side) => {
      // Both ends of a row, an element that a vector loads before the last window, and one in a later row.
      const special: [number, number][] = [
        [0, Infinity],
        [side - 1, NaN],
        [side - 2, Infinity],
        [2 * side, -Infinity],
      ];
      for (const [place, value] of special)
        for (const stride of [1, 2]) {
          const axis = { input: side, kernel: 3, stride, dilation: 1, before: 1, after: 1 };
          const row = { ...axis, output: Math.floor((side - 1) / stride) + 1 };
          const column = { ...axis, input: 5, stride: 1, output: 5 };
          const shape = { N: 1, groups: 1, A: 3, B: 8, axes: threeAxes([column, row]) };
          expectAll(
            shape,
            (values) => values.with(place, value),
            (values) => values,
          );
        }
    });

    /** About one element in `every` becomes NaN, an infinity or 0; 0 times an infinity is NaN. */
    const spoilSome =
      (every: number): Spoil =>
      (values) => {
        const special = [NaN, Infinity, -Infinity, 0];
        const [where, which] = [numbers.array(values.length, 0, every), numbers.array(values.length, 0, 4)];
        return values.map((value, i) => (where[i] < 1 ? special[Math.floor(which[i])] : value));
      };

    it('multiply nothing by the padding over random windows in groups, with infinities and NaN', () => {
      const few = fc.integer({ min: 1, max: 3 });
      const some = fc.integer({ min: 1, max: 9 });
      const every = fc.constantFrom(3, 20, 200);
      const skips = fc.property(someAxes, few, few, some, some, every, (axes, N, groups, A, B, every) => {
        expectAll({ N, groups, A, B, axes }, spoilSome(every));
      });
      fc.assert(skips, ON_RANDOM_WINDOWS);
    });

    it.each([
      { what: 'side by side, of few channels', side: 16, stride: 1, A: 2, B: 3 },
      { what: 'side by side, more taps than are summed at once', side: 9, stride: 1, A: 40, B: 12 },
      { what: 'two apart, more taps than are summed at once', side: 17, stride: 2, A: 40, B: 12 },
      { what: 'three apart', side: 20, stride: 3, A: 2, B: 9 },
    ])('never multiply the padding, in windows $what', ({ side, stride, A, B }) => {
      const axis = { input: side, kernel: 3, stride, dilation: 1, before: 1, after: 1 };
      const given = { ...axis, output: Math.floor((side - 1) / stride) + 1 };
      for (const every of atScale({ all: [20, 2000], quick: [20] }))
        expectAll({ N: 2, groups: 1, A, B, axes: threeAxes([given, given]) }, spoilSome(every));
    });

    it.each(CHANNELS)('follow their definition with more taps and rows than one block, for %i channels', (A) => {
      const axis = { input: 340, kernel: 3, stride: 1, dilation: 1, before: 1, after: 1, output: 340 };
      const shape = { N: 1, groups: 1, A, B: 200, axes: threeAxes([axis]) };
      const x = input(dtype, numbers.array(A * 340));
      const weight = input(dtype, numbers.array(200 * A * 3));
      const y = input(dtype, numbers.array(200 * 340));
      type Call = (by: Kernels, x: FloatArray, weight: FloatArray, y: FloatArray, out: FloatArray) => void;
      const expectSums = (terms: number, length: number, call: Call) => {
        const out = output(dtype, length);
        call(kernels, x, weight, y, out);
        const [sums, magnitudes] = [(value: number) => value, Math.abs].map((of) => {
          const values = new Float64Array(length);
          const [xs, weights, ys] = [x, weight, y].map((array) => Float64Array.from(array, of));
          call(plain, xs, weights, ys, values);
          return values;
        });
        const bounded = Array.from(sums, (value, i) => ({
          value,
          bound: (terms + 2) * ROUNDOFF[dtype] * magnitudes[i],
        }));
        expectBounded(out, bounded);
      };
      expectSums(A * 3, y.length, (by, x, weight, _, out) => {
        by.correlate(x, weight, undefined, out, shape);
      });
      expectSums(200 * 3, x.length, (by, _, weight, y, out) => {
        by.spread(y, weight, undefined, out, shape);
      });
      expectSums(340, weight.length, (by, x, _, y, out) => {
        by.correlateSides(x, y, out, shape);
      });
    });
  });
}
