/** A part of a larger problem has bit for bit the same result as the part by itself. */
import { describe, expect, it } from 'vitest';
import type { AxisCounts, ConvolutionShape, Kernels } from '../../src/kernels/kernels.js';
import { floatArray, type FloatArray, type FloatDtype } from '../../src/tensor/tensor.js';
import { product, threeAxes, type WindowAxis } from '../../src/tensor/windows.js';
import { randomNumbers } from '../support/random.js';
import { FLOAT_DTYPES } from './memory.js';

/** Elements whose index along `axis` of `shape` is in [from, to). */
function slice(data: FloatArray, shape: readonly number[], axis: number, from: number, to: number): FloatArray {
  const inner = shape.slice(axis + 1).reduce((size, n) => size * n, 1);
  return data.filter((_, i) => {
    const at = Math.floor(i / inner) % shape[axis];
    return at >= from && at < to;
  });
}

function axisOf(input: number, kernel: number, stride: number, pad: number): WindowAxis {
  const output = Math.floor((input + 2 * pad - kernel) / stride) + 1;
  return { input, kernel, stride, dilation: 1, before: pad, after: pad, output };
}

export function slicesSuite(kernels: Kernels): void {
  describe.each(FLOAT_DTYPES)('results independent of the surrounding data, in %s', (dtype: FloatDtype) => {
    const numbers = randomNumbers(11);
    const random = (length: number) => {
      const array = floatArray(dtype, length);
      array.set(numbers.array(length));
      return array;
    };
    const result = (length: number, compute: (out: FloatArray) => void) => {
      const out = floatArray(dtype, length);
      compute(out);
      return out;
    };

    it.each([8, 600])('matmul over %i terms, by rows and by columns', (K) => {
      const [M, N] = [23, 37];
      const [a, b, bias] = [random(M * K), random(K * N), random(N)];
      const whole = result(M * N, (c) => {
        kernels.matmul(a, b, c, { M, N, K, bias });
      });
      for (const [from, to] of [
        [0, 1],
        [4, 11],
      ]) {
        const rows = result((to - from) * N, (c) => {
          kernels.matmul(slice(a, [M, K], 0, from, to), b, c, { M: to - from, N, K, bias });
        });
        expect(rows).toEqual(slice(whole, [M, N], 0, from, to));
        const columns = result(M * (to - from), (c) => {
          const shape = { M, N: to - from, K, bias: slice(bias, [N], 0, from, to) };
          kernels.matmul(a, slice(b, [K, N], 1, from, to), c, shape);
        });
        expect(columns).toEqual(slice(whole, [M, N], 1, from, to));
      }
    });

    // 360 taps exceed what is summed at once.
    it.each([
      { stride: 1, side: 20 },
      { stride: 2, side: 20 },
      { stride: 1, side: 5 },
    ])('convolution of stride $stride over planes of side $side', ({ stride, side }) => {
      const [N, A, B, K] = [2, 40, 12, 9];
      const axis = axisOf(side, 3, stride, 1);
      const axes = threeAxes([axis, axis]);
      const shape: ConvolutionShape = { N, groups: 1, A, B, axes };
      const [D, P] = [product(axes, 'input'), product(axes, 'output')];
      const [folded, windowed, weight] = [random(N * A * D), random(N * B * P), random(B * A * K)];
      const [ofWindowed, ofFolded] = [random(B), random(A)];

      const correlated = result(N * B * P, (out) => {
        kernels.correlate(folded, weight, ofWindowed, out, shape);
      });
      for (const [from, to] of [
        [3, 4],
        [5, 12],
      ]) {
        const bias = slice(ofWindowed, [B], 0, from, to);
        const ofChannels = slice(weight, [B, A * K], 0, from, to);
        const some = result(N * (to - from) * P, (out) => {
          kernels.correlate(folded, ofChannels, bias, out, { ...shape, B: to - from });
        });
        expect(some, 'output channels').toEqual(slice(correlated, [N, B, P], 1, from, to));
      }
      // The windows of the first two rows and three columns, on only the part of the plane that they read.
      const [rows, columns] = [2, 3];
      const cut = (outputs: number): WindowAxis => ({
        ...axis,
        input: (outputs - 1) * stride + 2,
        after: 0,
        output: outputs,
      });
      const reached = slice(folded, [N * A, side, side], 1, 0, cut(rows).input);
      const corner = result(N * B * rows * columns, (out) => {
        const x = slice(reached, [N * A * cut(rows).input, side], 1, 0, cut(columns).input);
        kernels.correlate(x, weight, ofWindowed, out, { ...shape, axes: threeAxes([cut(rows), cut(columns)]) });
      });
      const topRows = slice(correlated, [N * B, axis.output, axis.output], 1, 0, rows);
      expect(corner, 'windows').toEqual(slice(topRows, [N * B * rows, axis.output], 1, 0, columns));

      const spread = result(N * A * D, (out) => {
        kernels.spread(windowed, weight, ofFolded, out, shape);
      });
      const ofFew = slice(weight, [B, A, K], 1, 7, 9);
      const few = result(N * 2 * D, (out) => {
        kernels.spread(windowed, ofFew, slice(ofFolded, [A], 0, 7, 9), out, { ...shape, A: 2 });
      });
      expect(few, 'spread').toEqual(slice(spread, [N, A, D], 1, 7, 9));

      const dweight = result(B * A * K, (out) => {
        kernels.correlateSides(folded, windowed, out, shape);
      });
      const ofInputs = result(B * 2 * K, (out) => {
        kernels.correlateSides(slice(folded, [N, A, D], 1, 7, 9), windowed, out, { ...shape, A: 2 });
      });
      expect(ofInputs, 'dweight').toEqual(slice(dweight, [B, A, K], 1, 7, 9));
    });

    it.each([
      { kernel: 2, stride: 2, pad: 0 },
      { kernel: 3, stride: 1, pad: 1 },
      { kernel: 3, stride: 2, pad: 1 },
      { kernel: 4, stride: 3, pad: 2 },
    ])('pooling by windows of $kernel, $stride apart', ({ kernel, stride, pad }) => {
      const axis = axisOf(23, kernel, stride, pad);
      const column = axisOf(7, kernel, stride, pad);
      const axes = threeAxes([column, axis]);
      const [D, P] = [product(axes, 'input'), product(axes, 'output')];
      const planes = 3;
      const countsOf = ({ output }: WindowAxis) => Int32Array.from({ length: output }, (_, o) => 2 + (o % 3));
      const ones = Int32Array.of(1);
      const counts: AxisCounts = [ones, countsOf(column), countsOf(axis)];
      const [x, dout] = [random(planes * D), random(planes * P)];
      const averages = result(planes * P, (out) => {
        kernels.averagePool(x, planes, axes, counts, out);
      });
      const indices = new Int32Array(planes * P);
      const maxima = result(planes * P, (out) => {
        kernels.maxPool(x, planes, axes, out, indices);
      });
      // Each window of a plane separately: from its first tap in x, with one element of padding before and after.
      const own = (given: WindowAxis, o: number): WindowAxis => {
        const start = o * stride - pad;
        const [first, end] = [Math.max(0, start), Math.min(given.input, start + kernel)];
        return { ...given, input: end - first, before: first - start, after: 0, output: 1 };
      };
      for (let oh = 0; oh < column.output; oh++)
        for (let ow = 0; ow < axis.output; ow++) {
          const [h, w] = [own(column, oh), own(axis, ow)];
          const [top, left] = [oh * stride - pad + h.before, ow * stride - pad + w.before];
          const rows = slice(x.subarray(0, D), [column.input, axis.input], 0, top, top + h.input);
          const taps = slice(rows, [h.input, axis.input], 1, left, left + w.input);
          const at = oh * axis.output + ow;
          const divisors: AxisCounts = [ones, counts[1].subarray(oh, oh + 1), counts[2].subarray(ow, ow + 1)];
          const average = result(1, (out) => {
            kernels.averagePool(taps, 1, threeAxes([h, w]), divisors, out);
          });
          const maximum = result(1, (out) => {
            kernels.maxPool(taps, 1, threeAxes([h, w]), out, new Int32Array(1));
          });
          expect([average[0], maximum[0]], `window ${oh}, ${ow}`).toEqual([averages[at], maxima[at]]);
        }

      // A row without its last windows, and without the elements that only they read.
      const shorter = { ...axis, output: axis.output - 4 };
      const reach = shorter.output * stride - pad;
      const dx = (outputs: WindowAxis) =>
        result(planes * D, (out) => {
          const given = slice(dout, [planes * column.output, axis.output], 1, 0, outputs.output);
          kernels.averagePoolBackward(given, planes, threeAxes([column, outputs]), counts, out);
        });
      const places = (given: FloatArray) => slice(given, [planes * column.input, axis.input], 1, 0, reach);
      expect(places(dx(shorter)), 'dx').toEqual(places(dx(axis)));
    });

    it.each(['tanh', 'relu', 'lstm'] as const)('a sequence among shorter ones, %s', (cell) => {
      const [T, N, I, H] = [6, 5, 3, 9];
      const R = cell === 'lstm' ? 4 * H : H;
      const counts = Int32Array.of(5, 4, 4, 2, 1, 1);
      const S = counts.reduce((sum, count) => sum + count, 0);
      const [xs, weightIh, weightHh, bias] = [random(S * I), random(R * I), random(R * H), random(R)];
      const douts = random(S * H);
      /** The first sequence is the first row of every step. */
      const firstRows = (data: FloatArray, width: number, before = 0) => {
        const starts = Array.from(counts, (_, s) => before + counts.slice(0, s).reduce((sum, count) => sum + count, 0));
        return floatArray(dtype, T * width).map((_, i) => data[starts[Math.floor(i / width)] * width + (i % width)]);
      };
      const pass = (xs: FloatArray, douts: FloatArray, N: number, counts?: Int32Array) => {
        const S = xs.length / I;
        const states = floatArray(dtype, cell === 'lstm' ? (N + S) * H : 0);
        const made = { gates: floatArray(dtype, S * R), h: floatArray(dtype, (N + S) * H), c: states };
        const inputs = { xs, weightIh, weightHh, biasIh: bias, counts };
        const shape = { T, N, I, H };
        kernels.recur(cell, inputs, made, shape);
        const [dh, dc, dxs, dbias] = [N * H, N * H, S * I, R].map((length) => floatArray(dtype, length));
        const [dweightIh, dweightHh] = [floatArray(dtype, R * I), floatArray(dtype, R * H)];
        kernels.recurBackward(cell, inputs, made, douts, { dh, dc, dxs, dweightIh, dweightHh, dbias }, shape);
        return { h: made.h, dxs, dh };
      };
      const whole = pass(xs, douts, N, counts);
      const own = pass(firstRows(xs, I), firstRows(douts, H), 1);
      expect(own.h.subarray(H), 'h').toEqual(firstRows(whole.h, H, N));
      expect(own.dxs, 'dxs').toEqual(firstRows(whole.dxs, I));
      expect(own.dh, 'dh').toEqual(whole.dh.subarray(0, H));
    });

    it('sums and normalisation of one channel among several', () => {
      const [N, C, S] = [4, 5, 37];
      const [x, dout] = [random(N * C * S), random(N * C * S)];
      const statistics = (x: FloatArray, dout: FloatArray, C: number) => {
        const shape = { N, C, S };
        const [mean, variance, sums, products] = Array.from({ length: 4 }, () => new Float64Array(C));
        kernels.moments(x, shape, mean, variance);
        const rstd = variance.map((value) => 1 / Math.sqrt(value));
        kernels.normalizeSums(x, dout, shape, { mean, rstd }, sums, products);
        const out = floatArray(dtype, x.length);
        kernels.normalize(x, shape, { mean, rstd }, out);
        const dx = floatArray(dtype, x.length);
        const by = { mean, rstd, scale: rstd, meanDout: sums, meanProduct: products };
        kernels.normalizeBackward(x, dout, shape, by, dx);
        const total = floatArray(dtype, C);
        kernels.sumPerChannel(x, total, shape);
        return { perChannel: [mean, variance, sums, products, total], perElement: [out, dx] };
      };
      const whole = statistics(x, dout, C);
      for (const [from, to] of [
        [0, 1],
        [2, 5],
      ]) {
        const some = statistics(slice(x, [N, C, S], 1, from, to), slice(dout, [N, C, S], 1, from, to), to - from);
        expect(some.perChannel).toEqual(whole.perChannel.map((values) => values.slice(from, to)));
        expect(some.perElement).toEqual(whole.perElement.map((values) => slice(values, [N, C, S], 1, from, to)));
      }
    });
  });
}
