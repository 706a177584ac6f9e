import { describe, expect, it } from 'vitest';
import { lstm } from '../../src/layers/lstm.js';
import { zeros, type FloatTensor } from '../../src/tensor/tensor.js';
import { arraysOf, expectNear, float32, float64, nested, run } from '../support/layer.js';
import { itIsRecurrent, itRefusesRecurrent, type Recurrent } from '../support/recurrent.js';

/** Large enough to close or open a gate completely. */
const SHUT = -1000;
const OPEN = 1000;

/** One feature, whose gates depend only on the biases, since the weights are 0 unless given. */
function cell(bias: number[], c0: number, x = [0], weights: { ih?: number[]; hh?: number[] } = {}) {
  const column = (values = [0, 0, 0, 0]): FloatTensor => float64(values.map((value) => [value]));
  return run(lstm, {
    x: float64([x.map((value) => [value])]),
    weight_ih: column(weights.ih),
    weight_hh: column(weights.hh),
    bias_ih: float64(bias),
    h0: float64([[0.5]]),
    c0: float64([[c0]]),
  });
}

describe('lstm', () => {
  it('halves everything if all gates are half open, as can be checked by hand', () => {
    const { outputs, backward } = cell([0, 0, 0, 0], 2, [7]);
    // i = f = o = 1/2 and g = 0: c = 2/2, h = tanh(1) / 2
    expect(nested(outputs.c_n)).toEqual([[1]]);
    expectNear(outputs.h_n, [[Math.tanh(1) / 2]]);
    expect(nested(outputs.out)).toEqual([nested(outputs.h_n)]);

    const gradients = backward({ dc_n: float64([[1]]) });
    // dz_f = dc · c0 · f (1 − f), dz_g = dc · i · (1 − g²); dz_i has the factor g = 0, and o does not affect c.
    expect(nested(gradients.dbias_ih)).toEqual([0, 2 / 4, 1 / 2, 0]);
    expect(nested(gradients.dweight_ih)).toEqual([[0], [7 / 2], [7 / 2], [0]]);
    // h0 is 1/2.
    expect(nested(gradients.dweight_hh)).toEqual([[0], [1 / 4], [1 / 4], [0]]);
    expect(nested(gradients.dc0)).toEqual([[1 / 2]]);
    expect(nested(gradients.dx)).toEqual([[[0]]]);
    expect(nested(gradients.dh0)).toEqual([[0]]);
  });

  it('passes the gradient of h through the output gate and the cell', () => {
    const { backward } = cell([0, 0, 0, 0], 2);
    const sech = 1 - Math.tanh(1) ** 2;
    // dc = dh · o · (1 − tanh²(c)), and dz_o = dh · tanh(c) · o (1 − o).
    for (const upstream of [{ dh_n: float64([[8]]) }, { dout: float64([[[8]]]) }]) {
      const { dbias_ih, dc0 } = backward(upstream);
      expectNear(dbias_ih, [0, (4 * sech * 2) / 4, (4 * sech) / 2, 2 * Math.tanh(1)]);
      expectNear(dc0, [[(4 * sech) / 2]]);
    }
    // The two gradients add up.
    const { dc0 } = backward({ dh_n: float64([[3]]), dout: float64([[[5]]]), dc_n: float64([[1]]) });
    expectNear(dc0, [[(4 * sech + 1) / 2]]);
  });

  it('stacks its gates in the order input, forget, cell, output', () => {
    const [x, steps] = [0.75, [1, 1, 1]];
    const candidate = Math.tanh(x);
    // Forget gate open, input gate closed: the cell state is kept.
    const keep = cell([SHUT, OPEN, x, OPEN], 0.25, steps);
    expectNear(keep.outputs.out, [[0, 1, 2].map(() => [Math.tanh(0.25)])]);
    // Forget gate closed: the cell state is the latest value.
    expectNear(cell([OPEN, SHUT, x, OPEN], 0.25, steps).outputs.c_n, [[candidate]]);
    // Both gates open: the cell state accumulates.
    expectNear(cell([OPEN, OPEN, x, OPEN], 0.25, steps).outputs.c_n, [[0.25 + 3 * candidate]]);
    // Output gate closed.
    expect(nested(cell([OPEN, OPEN, x, SHUT], 0.25, steps).outputs.out)).toEqual([[[0], [0], [0]]]);
  });

  it('carries the gradient of a kept cell state back through all steps', () => {
    const { backward } = cell([SHUT, OPEN, 0.75, SHUT], 0.25, [1, 2, 3]);
    const { dc0, dx } = backward({ dc_n: float64([[5]]) });
    expect(nested(dc0)).toEqual([[5]]);
    expectNear(dx, [[[0], [0], [0]]]);
  });

  it('closes its gates without NaN, however large the input', () => {
    const { outputs, backward } = cell([0, 0, 0, 0], 1, [1e300], { ih: [-1, -1, 1, -1] });
    expect(nested(outputs.c_n)).toEqual([[0]]);
    expect(nested(outputs.h_n)).toEqual([[0]]);
    expect(Array.from(backward({ dc_n: float64([[1]]) }).dweight_ih.data).every(Number.isFinite)).toBe(true);
  });

  it('propagates NaN from its step on, and only within its sequence', () => {
    const { outputs } = run(lstm, {
      x: float64([
        [[1], [NaN], [1]],
        [[0], [0], [0]],
      ]),
      weight_ih: float64([[1], [1], [1], [1]]),
      weight_hh: zeros('float64', [4, 1]),
    });
    const out = Array.from(outputs.out.data, Number.isNaN);
    expect(out).toEqual([false, true, true, false, false, false]);
    expect(nested(outputs.c_n)).toEqual([[NaN], [0]]);
  });

  it('computes a float32 call in float32', () => {
    const state = float32([[1]]);
    const [bias, weight] = [float32([1, 1, 1, 1]), float32([[1], [1], [1], [1]])];
    const { outputs, backward } = run(lstm, {
      x: float32([[[1]]]),
      weight_ih: weight,
      weight_hh: weight,
      bias_ih: bias,
      bias_hh: bias,
      h0: state,
      c0: state,
    });
    expect(arraysOf(outputs)).toEqual({ out: 'Float32Array', h_n: 'Float32Array', c_n: 'Float32Array' });
    expect(arraysOf(backward({ dc_n: state }))).toEqual({
      dx: 'Float32Array',
      dh0: 'Float32Array',
      dc0: 'Float32Array',
      dweight_ih: 'Float32Array',
      dweight_hh: 'Float32Array',
      dbias_ih: 'Float32Array',
      dbias_hh: 'Float32Array',
    });
  });
});

const call: Recurrent = (inputs, options) => run(lstm, inputs, options);

describe('lstm in time', () => {
  itIsRecurrent(call, 4, ['h', 'c']);
});

describe('lstm refuses', () => {
  itRefusesRecurrent(call, 4, ['h', 'c']);
});
