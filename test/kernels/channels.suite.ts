import { afterEach, describe, expect, it } from 'vitest';
import type { ChannelShape, Kernels } from '../../src/kernels/kernels.js';
import { randomNumbers } from '../support/random.js';
import { atScale } from '../support/scale.js';
import { boundedSum, expectBounded, FLOAT_DTYPES, memory, OF_LONG_SUM, ROUNDOFF } from './memory.js';

/**
 * Every S from 1 to 40 with a few batches and channels, shapes that fill many vectors, and shapes that an
 * implementation may split: by rows, by runs that begin at any channel, or within one run.
 */
const SHAPES: ChannelShape[] = [
  ...Array.from({ length: 40 }, (_, i) => ({ N: 1 + (i % 3), C: 1 + (i % 4), S: i + 1 })),
  ...Array.from({ length: 40 }, (_, i) => ({ N: 1 + (i % 5), C: i + 1, S: 1 })),
  { N: 130, C: 3, S: 1 },
  { N: 3, C: 7, S: 130 },
  { N: 5, C: 3, S: 9001 },
  ...atScale({
    all: [
      { N: 19_001, C: 7, S: 1 },
      { N: 1, C: 2, S: 70_001 },
    ],
    quick: [],
  }),
];

const sizeOf = ({ N, C, S }: ChannelShape) => N * C * S;
const channelOf = (i: number, { C, S }: ChannelShape) => Math.floor(i / S) % C;

/** The elements of one channel. */
function ofChannel<Value>(values: ArrayLike<Value>, c: number, shape: ChannelShape): Value[] {
  return Array.from(values).filter((_, i) => channelOf(i, shape) === c);
}

function perChannel<Value>({ C }: ChannelShape, value: (c: number) => Value): Value[] {
  return Array.from({ length: C }, (_, c) => value(c));
}

export function channelsSuite(kernels: Kernels): void {
  describe.each(FLOAT_DTYPES)('the channel kernels in %s', (dtype) => {
    const { input, output, inPlace, expectIntact } = memory();
    const numbers = randomNumbers(2);
    const roundoff = ROUNDOFF[dtype];
    afterEach(expectIntact);

    it('sumPerChannel sums each channel over batch and space', () => {
      for (const shape of SHAPES) {
        const x = input(dtype, numbers.array(sizeOf(shape)));
        const sums = output(dtype, shape.C);
        kernels.sumPerChannel(x, sums, shape);
        const expected = perChannel(shape, (c) => boundedSum(ofChannel(x, c, shape), dtype));
        expectBounded(sums, expected, JSON.stringify(shape));
      }
    });

    it('sumPerChannel stays accurate over 100,000 terms', () => {
      // 1 + 2^-10 adds up exactly in float64; a running float32 sum drops the 2^-10 from 2^14 on.
      const x = input(dtype, Array<number>(100_000).fill(1 + 2 ** -10));
      const sums = output(dtype, 1);
      kernels.sumPerChannel(x, sums, { N: 100_000, C: 1, S: 1 });
      expect(Math.abs(sums[0] - 100_000 * (1 + 2 ** -10))).toBeLessThanOrEqual(OF_LONG_SUM * roundoff * sums[0]);
    });

    it('moments returns the mean and the biased variance', () => {
      for (const shape of SHAPES) {
        const x = input(dtype, numbers.array(sizeOf(shape)));
        const [mean, variance] = [output('float64', shape.C), output('float64', shape.C)];
        kernels.moments(x, shape, mean, variance);
        const count = shape.N * shape.S;
        const means = perChannel(shape, (c) => ofChannel(x, c, shape).reduce((a, b) => a + b, 0) / count);
        const variances = perChannel(
          shape,
          (c) => ofChannel(x, c, shape).reduce((sum, value) => sum + (value - means[c]) ** 2, 0) / count,
        );
        // Sums in float64 whatever the dtype: elements are below 1 in magnitude.
        const bound = 4 * count * ROUNDOFF.float64;
        const bounded = (value: number) => ({ value, bound });
        expectBounded(mean, means.map(bounded), `mean, ${JSON.stringify(shape)}`);
        expectBounded(variance, variances.map(bounded), `variance, ${JSON.stringify(shape)}`);
      }
    });

    it('moments computes an accurate variance although the mean is a million times as large', () => {
      // Quarters next to 2^20 are exact in float32, so the exact variance is known: that of the quarters by themselves.
      const shape = { N: 7, C: 2, S: 143 };
      const count = shape.N * shape.S;
      const quarters = numbers.array(sizeOf(shape), -8, 8).map((value) => Math.round(value) / 4);
      const x = input(
        dtype,
        quarters.map((value, i) => value + (channelOf(i, shape) ? -(2 ** 20) : 2 ** 20)),
      );
      const [mean, variance] = [output('float64', 2), output('float64', 2)];
      kernels.moments(x, shape, mean, variance);
      for (let c = 0; c < 2; c++) {
        const values = ofChannel(quarters, c, shape);
        const center = values.reduce((a, b) => a + b) / count;
        const spread = values.reduce((sum, value) => sum + (value - center) ** 2, 0) / count;
        expect(Math.abs(mean[c] - (c ? -(2 ** 20) : 2 ** 20) - center)).toBeLessThanOrEqual(2 ** 20 * 2 ** -52);
        // E[x²] − E[x]² would keep four digits in float64, and none in float32.
        expect(Math.abs(variance[c] / spread - 1)).toBeLessThanOrEqual(1e-12);
      }
    });

    it('moments returns variance 0 for a constant channel', () => {
      for (const shape of [
        { N: 4, C: 2, S: 25 },
        { N: 70_001, C: 2, S: 1 },
        { N: 1, C: 2, S: 70_001 },
      ]) {
        const x = input(dtype, Array<number>(sizeOf(shape)).fill(1.5));
        const [mean, variance] = [output('float64', 2), output('float64', 2)];
        kernels.moments(x, shape, mean, variance);
        expect(Array.from(mean)).toEqual([1.5, 1.5]);
        expect(Array.from(variance)).toEqual([0, 0]);
      }
    });

    it('moments returns the exact mean of a constant whose sums are inexact', () => {
      for (const shape of [
        { N: 70_001, C: 2, S: 1 },
        { N: 1, C: 2, S: 70_001 },
      ]) {
        const x = input(dtype, Array<number>(sizeOf(shape)).fill(0.1));
        const [mean, variance] = [output('float64', 2), output('float64', 2)];
        kernels.moments(x, shape, mean, variance);
        // Any other result would be far off after division by a standard deviation of nearly 0.
        expect(Array.from(mean)).toEqual([x[0], x[0]]);
        expect(Math.max(...variance)).toBeLessThan(1e-40);
      }
    });

    it('moments confines NaN and ∞ to their channel throughout a long batch', () => {
      const shape = { N: 70_001, C: 4, S: 1 };
      const x = inPlace(dtype, Array<number>(sizeOf(shape)).fill(1));
      x[0] = Infinity;
      x[4 * 70_000 + 1] = -Infinity;
      x[2] = Infinity;
      x[4 * 70_000 + 2] = NaN;
      const [mean, variance] = [output('float64', 4), output('float64', 4)];
      kernels.moments(x, shape, mean, variance);
      expect(Array.from(mean)).toEqual([Infinity, -Infinity, NaN, 1]);
      expect(Array.from(variance)).toEqual([NaN, NaN, NaN, 0]);
    });

    it('moments confines NaN and ∞ to their channel', () => {
      const shape = { N: 2, C: 3, S: 2 };
      const x = input(dtype, [NaN, 1, Infinity, 1, 1, 3, 2, 3, 1, 1, 1, 3]);
      const [mean, variance] = [output('float64', 3), output('float64', 3)];
      kernels.moments(x, shape, mean, variance);
      expect(Array.from(mean)).toEqual([NaN, Infinity, 2]);
      expect(Array.from(variance)).toEqual([NaN, NaN, 1]);
    });

    it('moments returns an infinite variance if the squares overflow', () => {
      const [mean, variance] = [output('float64', 1), output('float64', 1)];
      const x = input('float64', [1e200, -1e200, 3e199]);
      kernels.moments(x, { N: 3, C: 1, S: 1 }, mean, variance);
      expect(mean[0] / 1e199).toBeCloseTo(1, 12);
      expect(variance[0]).toBe(Infinity);
    });

    it('normalize centers, scales and shifts, with or without gamma and beta', () => {
      for (const shape of SHAPES)
        for (const [scaled, shifted] of [
          [false, false],
          [true, false],
          [false, true],
          [true, true],
        ]) {
          const x = input(dtype, numbers.array(sizeOf(shape)));
          const mean = input('float64', numbers.array(shape.C));
          const rstd = input('float64', numbers.array(shape.C, 0.5, 2));
          const gamma = scaled ? input(dtype, numbers.array(shape.C)) : undefined;
          const beta = shifted ? input(dtype, numbers.array(shape.C)) : undefined;
          const out = output(dtype, sizeOf(shape));
          kernels.normalize(x, shape, { mean, rstd, gamma, beta }, out);
          const expected = Array.from(x, (value, i) => {
            const c = channelOf(i, shape);
            const scale = rstd[c] * (gamma ? gamma[c] : 1);
            const shift = beta ? beta[c] : 0;
            const magnitude = (Math.abs(value) + Math.abs(mean[c])) * Math.abs(scale) + Math.abs(shift);
            return { value: (value - mean[c]) * scale + shift, bound: 4 * roundoff * magnitude };
          });
          expectBounded(out, expected, JSON.stringify(shape));
        }
    });

    it('normalize stays accurate after subtracting a large mean', () => {
      // x − mean must be formed before it is rounded to float32.
      const x = input(dtype, [2 ** 20 + 0.25, 2 ** 20 - 0.25]);
      const out = output(dtype, 2);
      const by = { mean: input('float64', [2 ** 20 + 2 ** -10]), rstd: input('float64', [4]) };
      kernels.normalize(x, { N: 2, C: 1, S: 1 }, by, out);
      expect(Array.from(out)).toEqual([1 - 2 ** -8, -1 - 2 ** -8]);
    });

    it('normalizeSums returns the sums of dout and of dout times the normalised x', () => {
      for (const shape of SHAPES) {
        const x = input(dtype, numbers.array(sizeOf(shape)));
        const dout = input(dtype, numbers.array(sizeOf(shape)));
        const mean = input('float64', numbers.array(shape.C));
        const rstd = input('float64', numbers.array(shape.C, 0.5, 2));
        const [sums, products] = [output('float64', shape.C), output('float64', shape.C)];
        kernels.normalizeSums(x, dout, shape, { mean, rstd }, sums, products);
        const terms = Array.from(dout, (d, i) => {
          const c = channelOf(i, shape);
          return d * (x[i] - mean[c]) * rstd[c];
        });
        // The magnitudes are below 1, 2 and 2, so each term of a sum loses at most four roundoffs of the bound.
        const slack = (values: number[]) => ({
          value: boundedSum(values, 'float64').value,
          bound: 16 * (values.length + 2) * ROUNDOFF.float64,
        });
        const of = (values: ArrayLike<number>) => perChannel(shape, (c) => slack(ofChannel(values, c, shape)));
        expectBounded(sums, of(dout), `sums, ${JSON.stringify(shape)}`);
        expectBounded(products, of(terms), `products, ${JSON.stringify(shape)}`);
      }
    });

    it('normalizeBackward follows its formula', () => {
      for (const shape of SHAPES) {
        const x = input(dtype, numbers.array(sizeOf(shape)));
        const dout = input(dtype, numbers.array(sizeOf(shape)));
        const of = () => input('float64', numbers.array(shape.C));
        const by = { mean: of(), rstd: of(), scale: of(), meanDout: of(), meanProduct: of() };
        const dx = output(dtype, sizeOf(shape));
        kernels.normalizeBackward(x, dout, shape, by, dx);
        const expected = Array.from(x, (value, i) => {
          const c = channelOf(i, shape);
          const along = (value - by.mean[c]) * by.rstd[c] * by.meanProduct[c];
          // All factors are below 1 and x − mean below 2, so no step exceeds 4.
          return { value: by.scale[c] * (dout[i] - by.meanDout[c] - along), bound: 16 * roundoff };
        });
        expectBounded(dx, expected, JSON.stringify(shape));
      }
    });
  });
}
