import type { Static } from '@sinclair/typebox';
import { describe, expect, it } from 'vitest';
import type { RnnOptions } from '../../schemas/rnn.js';
import { rnn } from '../../src/layers/rnn.js';
import { arraysOf, expectNear, float32, float64, nested, run } from '../support/layer.js';
import { itIsRecurrent, itRefusesRecurrent, type Recurrent } from '../support/recurrent.js';

type Options = Partial<Static<typeof RnnOptions>>;

describe('rnn', () => {
  it('computes steps that can be checked by hand', () => {
    const { outputs, backward } = run(
      rnn,
      {
        x: float64([[[1], [2], [-10]]]),
        weight_ih: float64([[1]]),
        weight_hh: float64([[2]]),
        bias_ih: float64([0.5]),
        bias_hh: float64([-0.5]),
        h0: float64([[3]]),
      },
      { nonlinearity: 'relu' },
    );
    // h1 = 1 + 2 · 3, h2 = 2 + 2 · 7, h3 = max(0, −10 + 2 · 16) …
    expect(nested(outputs.out)).toEqual([[[7], [16], [22]]]);
    expect(nested(outputs.h_n)).toEqual([[22]]);

    // dz3 = 1 + 1000, dz2 = 10 + 2 · 1001, dz1 = 100 + 2 · 2012: dout and dh_n are added at the last step.
    const gradients = backward({ dout: float64([[[100], [10], [1]]]), dh_n: float64([[1000]]) });
    expect(nested(gradients.dx)).toEqual([[[4124], [2012], [1001]]]);
    expect(nested(gradients.dh0)).toEqual([[2 * 4124]]);
    expect(nested(gradients.dweight_ih)).toEqual([[4124 * 1 + 2012 * 2 + 1001 * -10]]);
    expect(nested(gradients.dweight_hh)).toEqual([[4124 * 3 + 2012 * 7 + 1001 * 16]]);
    expect(nested(gradients.dbias_ih)).toEqual([4124 + 2012 + 1001]);
    expect(nested(gradients.dbias_hh)).toEqual([4124 + 2012 + 1001]);
  });

  it('stops the gradient where relu is 0', () => {
    const { outputs, backward } = run(
      rnn,
      { x: float64([[[1], [-5], [2]]]), weight_ih: float64([[1]]), weight_hh: float64([[2]]) },
      { nonlinearity: 'relu' },
    );
    // −5 + 2 · 1 is below 0, so no gradient reaches the earlier steps.
    expect(nested(outputs.out)).toEqual([[[1], [0], [2]]]);
    expect(nested(backward({ dh_n: float64([[1]]) }).dx)).toEqual([[[0], [0], [1]]]);
  });

  it('uses tanh by default', () => {
    const { outputs, backward } = run(rnn, {
      x: float64([[[1], [2]]]),
      weight_ih: float64([[0.5]]),
      weight_hh: float64([[0.25]]),
    });
    const h1 = Math.tanh(0.5);
    const h2 = Math.tanh(1 + 0.25 * h1);
    expectNear(outputs.out, [[[h1], [h2]]]);
    const dz2 = 1 - h2 ** 2;
    const dz1 = dz2 * 0.25 * (1 - h1 ** 2);
    const { dx, dweight_hh } = backward({ dh_n: float64([[1]]) });
    expectNear(dx, [[[0.5 * dz1], [0.5 * dz2]]]);
    expectNear(dweight_hh, [[dz2 * h1]]);
  });

  it('lets features affect each other through weight_hh, row by row', () => {
    const { outputs } = run(
      rnn,
      {
        x: float64([[[0]]]),
        weight_ih: float64([[1], [1]]),
        weight_hh: float64([
          [0, 1],
          [10, 0],
        ]),
        h0: float64([[2, 3]]),
      },
      { nonlinearity: 'relu' },
    );
    expect(nested(outputs.h_n)).toEqual([[3, 20]]);
  });

  it.each(['tanh', 'relu'] as const)(
    'propagates NaN from its step on, and only within its sequence, %s',
    (nonlinearity) => {
      const { outputs, backward } = run(
        rnn,
        {
          x: float64([
            [[1], [NaN], [1]],
            [[0], [0], [0]],
          ]),
          weight_ih: float64([[1]]),
          weight_hh: float64([[1]]),
        },
        { nonlinearity },
      );
      const first = nonlinearity === 'relu' ? 1 : Math.tanh(1);
      expect(nested(outputs.out)).toEqual([
        [[first], [NaN], [NaN]],
        [[0], [0], [0]],
      ]);
      // relu passes the gradient on if its value is NaN, as in PyTorch; tanh makes it NaN.
      const passed = nonlinearity === 'relu' ? 1 : NaN;
      const ofZeros = nonlinearity === 'relu' ? 0 : 1;
      expect(nested(backward({ dh_n: float64([[1], [1]]) }).dx)).toEqual([
        [[passed], [passed], [passed]],
        [[ofZeros], [ofZeros], [ofZeros]],
      ]);
    },
  );

  it('computes a float32 call in float32', () => {
    const state = float32([[1]]);
    const bias = float32([1]);
    const { outputs, backward } = run(rnn, {
      x: float32([[[1]]]),
      weight_ih: state,
      weight_hh: state,
      bias_ih: bias,
      bias_hh: bias,
      h0: state,
    });
    expect(arraysOf(outputs)).toEqual({ out: 'Float32Array', h_n: 'Float32Array' });
    expect(arraysOf(backward({ dh_n: state }))).toEqual({
      dx: 'Float32Array',
      dh0: 'Float32Array',
      dweight_ih: 'Float32Array',
      dweight_hh: 'Float32Array',
      dbias_ih: 'Float32Array',
      dbias_hh: 'Float32Array',
    });
  });
});

describe.each<Options>([{ nonlinearity: 'tanh' }, { nonlinearity: 'relu' }])('rnn with $nonlinearity', (given) => {
  const call: Recurrent = (inputs, options) => run(rnn, inputs, { ...given, ...options });
  itIsRecurrent(call, 1, ['h']);
});

describe('rnn refuses', () => {
  itRefusesRecurrent((inputs, options) => run(rnn, inputs, options), 1, ['h']);
});
