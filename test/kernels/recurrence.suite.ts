import { afterEach, describe, expect, it } from 'vitest';
import type { Cell, Kernels, RecurrenceShape } from '../../src/kernels/kernels.js';
import type { FloatDtype } from '../../src/tensor/tensor.js';
import { randomNumbers } from '../support/random.js';
import { expectBounded, FLOAT_DTYPES, memory, ROUNDOFF, type Memory } from './memory.js';

const LENGTHS = [...Array.from({ length: 40 }, (_, i) => i + 1), 130];

/** The error allowed to an exponential and the few operations around it, in roundoffs. */
const OF_EXPONENTIAL = 16;

const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));

/** The identity matrix: as `xs` of one step, it makes column n of `weightIh` the pre-activations of sequence n. */
function identity(N: number): number[] {
  return Array.from({ length: N * N }, (_, at) => (at % (N + 1) ? 0 : 1));
}

/** Rows become columns. */
function transposed(values: ArrayLike<number>, rows: number): number[] {
  const columns = values.length / rows;
  return Array.from({ length: values.length }, (_, at) => values[(at % rows) * columns + Math.floor(at / rows)]);
}

/** A single step with the given pre-activations `z[N, R]`, or the given gradients of them. */
function oneStep(kernels: Kernels, { input, output, inPlace }: Memory, dtype: FloatDtype) {
  const gatesOf = (cell: Cell) => (cell === 'lstm' ? 4 : 1);
  const zeros = (length: number) => Array<number>(length).fill(0);

  return {
    forward(cell: Cell, z: ArrayLike<number>, N: number, H: number, cPrevious: readonly number[] = []) {
      const R = gatesOf(cell) * H;
      const states = cell === 'lstm' ? 2 * N * H : 0;
      const gates = output(dtype, N * R);
      const h = inPlace(dtype, [...zeros(N * H), ...zeros(N * H).fill(NaN)]);
      const c = inPlace(dtype, [...cPrevious, ...zeros(states / 2).fill(NaN)]);
      const weights = { weightIh: input(dtype, transposed(z, N)), weightHh: input(dtype, zeros(R * H)) };
      kernels.recur(cell, { xs: input(dtype, identity(N)), ...weights }, { gates, h, c }, { T: 1, N, I: N, H });
      return { gates, c: c.subarray(states / 2), h: h.subarray(N * H) };
    },

    backward(
      cell: Cell,
      pass: { gates: ArrayLike<number>; cPrevious?: readonly number[]; c?: readonly number[] },
      dhAfter: readonly number[],
      dcAfter: readonly number[],
      N: number,
      H: number,
    ) {
      const R = gatesOf(cell) * H;
      const weights = { weightIh: input(dtype, zeros(R * N)), weightHh: input(dtype, zeros(R * H)) };
      const states = {
        gates: input(dtype, pass.gates),
        h: input(dtype, zeros(2 * N * H)),
        c: input(dtype, [...(pass.cPrevious ?? []), ...(pass.c ?? [])]),
      };
      const gradients = {
        dh: inPlace(dtype, dhAfter),
        dc: inPlace(dtype, dcAfter),
        dxs: output(dtype, N * N),
        dweightIh: output(dtype, R * N),
        dweightHh: output(dtype, R * H),
        dbias: output(dtype, R),
      };
      const inputs = { xs: input(dtype, identity(N)), ...weights };
      kernels.recurBackward(cell, inputs, states, undefined, gradients, { T: 1, N, I: N, H });
      return { dgates: transposed(gradients.dweightIh, R), dc: gradients.dc };
    },
  };
}

/** The definition in float64: `h[N + S, H]` and the other states, from the initial ones. */
function definition(
  cell: Cell,
  { xs, weightIh, weightHh, bias }: Record<'xs' | 'weightIh' | 'weightHh' | 'bias', ArrayLike<number>>,
  counts: readonly number[],
  first: { h: ArrayLike<number>; c: ArrayLike<number> },
  { N, I, H }: RecurrenceShape,
) {
  const h = Array.from(first.h);
  const c = Array.from(first.c);
  let before = 0;
  let row = 0;
  for (const count of counts) {
    for (let n = 0; n < count; n++)
      for (let j = 0; j < H; j++) {
        const z = (gate: number) => {
          const r = gate * H + j;
          let sum = bias[r];
          for (let i = 0; i < I; i++) sum += xs[(row + n) * I + i] * weightIh[r * I + i];
          for (let k = 0; k < H; k++) sum += h[(before + n) * H + k] * weightHh[r * H + k];
          return sum;
        };
        const next = (N + row + n) * H + j;
        if (cell === 'lstm') {
          c[next] = sigmoid(z(1)) * c[(before + n) * H + j] + sigmoid(z(0)) * Math.tanh(z(2));
          h[next] = sigmoid(z(3)) * Math.tanh(c[next]);
        } else h[next] = cell === 'tanh' ? Math.tanh(z(0)) : Math.max(0, z(0));
      }
    before = N + row;
    row += count;
  }
  return { h, c };
}

export function recurrenceSuite(kernels: Kernels): void {
  describe.each(FLOAT_DTYPES)('the recurrent kernels in %s', (dtype) => {
    const arrays = memory();
    const { input, output, inPlace, expectIntact } = arrays;
    const step = oneStep(kernels, arrays, dtype);
    const numbers = randomNumbers(6);
    const roundoff = ROUNDOFF[dtype];
    const rounded = (values: readonly number[]) => (dtype === 'float32' ? values.map(Math.fround) : values);
    afterEach(expectIntact);

    it('recur computes tanh, from the smallest arguments to those where it is 1', () => {
      for (const length of LENGTHS)
        for (const scale of [1e-6, 1, 30]) {
          const z = rounded(numbers.array(length, -scale, scale));
          const { gates, h } = step.forward('tanh', z, 1, length);
          const expected = z.map(Math.tanh).map((value) => ({
            value,
            bound: OF_EXPONENTIAL * roundoff * Math.abs(value),
          }));
          expectBounded(gates, expected);
          expect(h).toEqual(gates);
        }
    });

    it('recur computes tanh of infinities, NaN and arguments too large for an exponential', () => {
      const { h } = step.forward('tanh', [NaN, Infinity, -Infinity, 1e30, -1e30, 0, 800, -800], 1, 8);
      expect(Array.from(h)).toEqual([NaN, 1, -1, 1, -1, 0, 1, -1]);
    });

    it('recur computes relu, and propagates NaN', () => {
      for (const length of LENGTHS) {
        const z = rounded(numbers.array(length));
        expect(Array.from(step.forward('relu', z, 1, length).h)).toEqual(z.map((value) => Math.max(0, value)));
      }
      const { h } = step.forward('relu', [NaN, Infinity, -Infinity, 0, 5], 1, 5);
      expect(Array.from(h)).toEqual([NaN, Infinity, 0, 0, 5]);
    });

    it('recurBackward multiplies by 1 − h² for tanh', () => {
      for (const length of LENGTHS) {
        const h = rounded(numbers.array(length));
        const dh = rounded(numbers.array(length));
        const { dgates } = step.backward('tanh', { gates: h }, dh, [], 1, length);
        const expected = h.map((value, i) => ({
          value: dh[i] * (1 - value * value),
          // 1 − h² cancels if h is near 1, so the bound is that of its terms.
          bound: 4 * roundoff * Math.abs(dh[i]),
        }));
        expectBounded(dgates, expected);
      }
    });

    it('recurBackward passes the gradient of relu where h is positive or NaN', () => {
      for (const length of LENGTHS) {
        const h = rounded(numbers.array(length).map((value) => Math.max(0, value)));
        const dh = rounded(numbers.array(length));
        const { dgates } = step.backward('relu', { gates: h }, dh, [], 1, length);
        expect(dgates).toEqual(dh.map((value, i) => (h[i] > 0 ? value : 0)));
      }
      const { dgates } = step.backward('relu', { gates: [0, 2, NaN, Infinity] }, [NaN, NaN, 3, 4], [], 1, 4);
      expect(dgates).toEqual([0, NaN, 3, 4]);
    });

    it("recur replaces an lstm's gates by their activations and updates the states", () => {
      for (const H of LENGTHS) {
        const N = 1 + (H % 3);
        const z = rounded(numbers.array(N * 4 * H, -3, 3));
        const cPrevious = rounded(numbers.array(N * H));
        const { gates, c, h } = step.forward('lstm', z, N, H, cPrevious);

        const bound = OF_EXPONENTIAL * roundoff;
        const activations = z.map((argument, at) => {
          const value = Math.floor(at / H) % 4 === 2 ? Math.tanh(argument) : sigmoid(argument);
          return { value, bound: bound * Math.abs(value) };
        });
        expectBounded(gates, activations, 'gates:');
        const gate = (k: number, which: number) => activations[Math.floor(k / H) * 4 * H + which * H + (k % H)].value;
        const cells = cPrevious.map((past, k) => gate(k, 1) * past + gate(k, 0) * gate(k, 2));
        // Magnitudes of both terms are below 1.
        const near = (value: number) => ({ value, bound: 4 * bound });
        expectBounded(c, cells.map(near), 'c:');
        const hidden = cells.map((cell, k) => near(gate(k, 3) * Math.tanh(cell)));
        expectBounded(h, hidden, 'h:');
      }
    });

    it("recur saturates an lstm's gates at exactly 0 and 1", () => {
      for (const large of [1e4, Infinity]) {
        // Input gate closed, forget gate open, output gate open: the cell keeps its state.
        const { gates, c, h } = step.forward('lstm', [-large, large, 0.5, large], 1, 1, [0.75]);
        expect([gates[0], gates[1], gates[3], c[0]]).toEqual([0, 1, 1, 0.75]);
        expectBounded(h, [{ value: Math.tanh(0.75), bound: OF_EXPONENTIAL * roundoff }]);
      }
    });

    it('recur propagates NaN from any gate and from the previous state', () => {
      for (let which = 0; which < 5; which++) {
        const z = [0, 0, 0, 0].map((zero, gate) => (gate === which ? NaN : zero));
        const { c, h } = step.forward('lstm', z, 1, 1, [which === 4 ? NaN : 1]);
        // The output gate does not affect the cell state.
        expect(Number.isNaN(c[0])).toBe(which !== 3);
        expect(h[0]).toBeNaN();
      }
    });

    it('recurBackward is the chain rule over a step of an lstm', () => {
      for (const H of LENGTHS) {
        const N = 1 + (H % 3);
        const gates = rounded(
          numbers
            .array(N * 4 * H, 0.05, 0.95)
            .map((value, at) => (Math.floor(at / H) % 4 === 2 ? 2 * value - 1 : value)),
        );
        const [cPrevious, c, dh, dcAfter] = [0, 1, 2, 3].map(() => rounded(numbers.array(N * H)));
        const { dgates, dc } = step.backward('lstm', { gates, cPrevious, c }, dh, dcAfter, N, H);

        // No factor exceeds 1, and dc + dh · … stays below 2, so every rounding error is below 2 roundoffs.
        const near = (value: number) => ({ value, bound: 2 * OF_EXPONENTIAL * roundoff });
        const gate = (k: number, which: number) => gates[Math.floor(k / H) * 4 * H + which * H + (k % H)];
        const dcell = dcAfter.map((given, k) => given + dh[k] * gate(k, 3) * (1 - Math.tanh(c[k]) ** 2));
        const expectedDc = dcell.map((value, k) => near(value * gate(k, 1)));
        expectBounded(dc, expectedDc, 'dc:');
        const expected = gates.map((_, at) => {
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

    // 45 steps of the largest shape exceed what is projected at once.
    it.each([
      { cell: 'tanh', T: 45, N: 3, I: 5, H: 130 },
      { cell: 'relu', T: 7, N: 1, I: 1, H: 6 },
      { cell: 'lstm', T: 45, N: 3, I: 5, H: 130 },
      { cell: 'lstm', T: 7, N: 5, I: 3, H: 9 },
    ] as const)(
      'recur is its definition over $T steps of $N sequences that end apart, $cell, H $H',
      ({ cell, ...shape }) => {
        const { T, N, I, H } = shape;
        const R = cell === 'lstm' ? 4 * H : H;
        // In each of the last steps, one more sequence has ended.
        const counts = Array.from({ length: T }, (_, s) => Math.min(N, T - s));
        const S = counts.reduce((sum, count) => sum + count, 0);
        const [xs, bias] = [S * I, R].map((length) => input(dtype, numbers.array(length)));
        const [weightIh, weightHh] = [R * I, R * H].map((length) =>
          input(dtype, numbers.array(length, -1 / Math.sqrt(H), 1 / Math.sqrt(H))),
        );
        const first = rounded(numbers.array(N * H));
        const later = Array<number>(S * H).fill(NaN);
        const h = inPlace(dtype, [...first, ...later]);
        const c = inPlace(dtype, cell === 'lstm' ? [...first, ...later] : []);
        const pass = { gates: output(dtype, S * R), h, c };
        const inputs = { xs, weightIh, weightHh, biasIh: bias, counts: input('int32', counts) };
        kernels.recur(cell, inputs, pass, shape);
        const states = {
          h: inPlace(dtype, [...first, ...later]),
          c: inPlace(dtype, cell === 'lstm' ? [...first, ...later] : []),
        };
        kernels.recur(cell, inputs, states, shape);
        // The states are the same if the gates are not requested.
        expect(states).toEqual({ h, c });
        const begin = { h: first, c: cell === 'lstm' ? first : [] };
        const expected = definition(cell, { xs, weightIh, weightHh, bias }, counts, begin, shape);
        // Each step rounds a sum of I + H terms whose magnitudes sum to about √H, and damps the earlier errors.
        const near = (value: number) => ({ value, bound: 8 * (I + H) * roundoff });
        expectBounded(h, expected.h.map(near), 'h:');
        expectBounded(c, expected.c.map(near), 'c:');
      },
    );
  });
}
