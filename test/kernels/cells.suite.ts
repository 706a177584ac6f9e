import { afterEach, describe, expect, it } from 'vitest';
import type { Kernels } from '../../src/kernels/kernels.js';
import { randomNumbers } from '../support/random.js';
import { expectBounded, FLOAT_DTYPES, memory, ROUNDOFF } from './memory.js';

const LENGTHS = [...Array.from({ length: 40 }, (_, i) => i + 1), 130];

/** Roundoffs that an exponential, and the few operations around it, may be off by. */
const OF_EXPONENTIAL = 16;

const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));

export function cellsSuite(kernels: Kernels): void {
  describe.each(FLOAT_DTYPES)('the cell kernels in %s', (dtype) => {
    const { input, output, inPlace, expectIntact } = memory();
    const numbers = randomNumbers(6);
    const roundoff = ROUNDOFF[dtype];
    afterEach(expectIntact);

    it('activate gives tanh, from the smallest arguments to those where it is 1', () => {
      for (const length of LENGTHS)
        for (const scale of [1e-6, 1, 30]) {
          const x = inPlace(dtype, numbers.array(length, -scale, scale));
          const expected = Array.from(x, Math.tanh).map((value) => ({
            value,
            bound: OF_EXPONENTIAL * roundoff * Math.abs(value),
          }));
          kernels.activate(x, 'tanh');
          expectBounded(x, expected);
        }
    });

    it('activate gives tanh of what is not finite, or too large for an exponential', () => {
      const x = inPlace(dtype, [NaN, Infinity, -Infinity, 1e30, -1e30, 0, 800, -800]);
      kernels.activate(x, 'tanh');
      expect(Array.from(x)).toEqual([NaN, 1, -1, 1, -1, 0, 1, -1]);
    });

    it('activate gives relu, and keeps NaN', () => {
      for (const length of LENGTHS) {
        const x = inPlace(dtype, numbers.array(length));
        const expected = Array.from(x, (value) => Math.max(0, value));
        kernels.activate(x, 'relu');
        expect(Array.from(x)).toEqual(expected);
      }
      const x = inPlace(dtype, [NaN, Infinity, -Infinity, 0, 5]);
      kernels.activate(x, 'relu');
      expect(Array.from(x)).toEqual([NaN, Infinity, 0, 0, 5]);
    });

    it('activateBackward multiplies by 1 − h² for tanh', () => {
      for (const length of LENGTHS) {
        const h = input(dtype, numbers.array(length));
        const dh = input(dtype, numbers.array(length));
        const dz = output(dtype, length);
        kernels.activateBackward(h, dh, 'tanh', dz);
        const expected = Array.from(h, (value, i) => ({
          value: dh[i] * (1 - value * value),
          // 1 − h² cancels where h is near 1: the bound is that of its terms.
          bound: 4 * roundoff * Math.abs(dh[i]),
        }));
        expectBounded(dz, expected);
      }
    });

    it('activateBackward lets the gradient of relu through where h is positive or NaN', () => {
      for (const length of LENGTHS) {
        const h = input(
          dtype,
          numbers.array(length).map((value) => Math.max(0, value)),
        );
        const dh = input(dtype, numbers.array(length));
        const dz = output(dtype, length);
        kernels.activateBackward(h, dh, 'relu', dz);
        expect(Array.from(dz)).toEqual(Array.from(dh, (value, i) => (h[i] > 0 ? value : 0)));
      }
      const dz = output(dtype, 4);
      kernels.activateBackward(input(dtype, [0, 2, NaN, Infinity]), input(dtype, [NaN, NaN, 3, 4]), 'relu', dz);
      expect(Array.from(dz)).toEqual([0, NaN, 3, 4]);
    });

    it('lstmCell replaces the gates by their activations and moves the states', () => {
      for (const H of LENGTHS) {
        const N = 1 + (H % 3);
        const before = numbers.array(N * 4 * H, -3, 3);
        const gates = inPlace(dtype, before);
        const pre = gates.slice();
        const cPrevious = input(dtype, numbers.array(N * H));
        const [c, h] = [output(dtype, N * H), output(dtype, N * H)];
        kernels.lstmCell(gates, cPrevious, c, h, { N, H });

        const bound = OF_EXPONENTIAL * roundoff;
        const activations = Array.from(pre, (z, at) => {
          const value = Math.floor(at / H) % 4 === 2 ? Math.tanh(z) : sigmoid(z);
          return { value, bound: bound * Math.abs(value) };
        });
        expectBounded(gates, activations, 'gates:');
        const gate = (k: number, which: number) => activations[Math.floor(k / H) * 4 * H + which * H + (k % H)].value;
        const cells = Array.from(cPrevious, (past, k) => gate(k, 1) * past + gate(k, 0) * gate(k, 2));
        // Magnitudes of both terms are below 1.
        const near = (value: number) => ({ value, bound: 4 * bound });
        expectBounded(c, cells.map(near), 'c:');
        const hidden = cells.map((cell, k) => near(gate(k, 3) * Math.tanh(cell)));
        expectBounded(h, hidden, 'h:');
      }
    });

    it('lstmCell saturates its gates at exactly 0 and 1', () => {
      for (const large of [1e4, Infinity]) {
        // Input gate closed, forget gate open, output gate open: the cell keeps its state.
        const gates = inPlace(dtype, [-large, large, 0.5, large]);
        const [c, h] = [output(dtype, 1), output(dtype, 1)];
        kernels.lstmCell(gates, input(dtype, [0.75]), c, h, { N: 1, H: 1 });
        expect([gates[0], gates[1], gates[3], c[0]]).toEqual([0, 1, 1, 0.75]);
        expectBounded(h, [{ value: Math.tanh(0.75), bound: OF_EXPONENTIAL * roundoff }]);
      }
    });

    it('lstmCell carries NaN from any gate and from the state before', () => {
      for (let which = 0; which < 5; which++) {
        const gates = inPlace(dtype, [0, 0, 0, 0]);
        if (which < 4) gates[which] = NaN;
        const [c, h] = [output(dtype, 1), output(dtype, 1)];
        kernels.lstmCell(gates, input(dtype, [which === 4 ? NaN : 1]), c, h, { N: 1, H: 1 });
        // The output gate does not touch the cell.
        expect(Number.isNaN(c[0])).toBe(which !== 3);
        expect(h[0]).toBeNaN();
      }
    });

    it('lstmCellBackward is the chain rule over the step', () => {
      for (const H of LENGTHS) {
        const N = 1 + (H % 3);
        const gates = input(
          dtype,
          numbers
            .array(N * 4 * H, 0.05, 0.95)
            .map((value, at) => (Math.floor(at / H) % 4 === 2 ? 2 * value - 1 : value)),
        );
        const [cPrevious, c, dh] = [0, 1, 2].map(() => input(dtype, numbers.array(N * H)));
        const dc = inPlace(dtype, numbers.array(N * H));
        const dcBefore = dc.slice();
        const dgates = output(dtype, N * 4 * H);
        kernels.lstmCellBackward({ gates, cPrevious, c }, dh, dc, dgates, { N, H });

        // No factor exceeds 1, and dc + dh · … not 2: every rounding is below 2 roundoffs.
        const near = (value: number) => ({ value, bound: 2 * OF_EXPONENTIAL * roundoff });
        const gate = (k: number, which: number) => gates[Math.floor(k / H) * 4 * H + which * H + (k % H)];
        const dcell = Array.from(dcBefore, (given, k) => given + dh[k] * gate(k, 3) * (1 - Math.tanh(c[k]) ** 2));
        const expectedDc = dcell.map((value, k) => near(value * gate(k, 1)));
        expectBounded(dc, expectedDc, 'dc:');
        const expected = Array.from(gates, (_, at) => {
          const k = Math.floor(at / (4 * H)) * H + (at % H);
          const [i, f, g, o] = [0, 1, 2, 3].map((which) => gate(k, which));
          const ofGate = [
            dcell[k] * g * i * (1 - i),
            dcell[k] * cPrevious[k] * f * (1 - f),
            dcell[k] * i * (1 - g * g),
            dh[k] * Math.tanh(c[k]) * o * (1 - o),
          ];
          return near(ofGate[Math.floor(at / H) % 4]);
        });
        expectBounded(dgates, expected, 'dgates:');
      }
    });
  });
}
