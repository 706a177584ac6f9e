import { describe, expect, it } from 'vitest';
import { batchnorm } from '../../src/layers/batchnorm.js';
import { zeros, type Shape } from '../../src/tensor/tensor.js';
import { arraysOf, expectNear, float32, float64, nested, refusalOf, run } from '../support/layer.js';
import { randomNumbers } from '../support/random.js';

describe('batchnorm', () => {
  it('normalises, scales and shifts a batch that can be checked by hand', () => {
    // mean = 3, var = (4 + 4 + 4 + 4) / 4 = 4, x̂ = (x − 3) / 2
    const x = float64([[1], [1], [5], [5]]);
    const { outputs, backward } = run(
      batchnorm,
      { x, gamma: float64([2]), beta: float64([1]), running_mean: float64([7]), running_var: float64([2]) },
      { epsilon: 0, momentum: 0.25 },
    );
    expect(nested(outputs.out)).toEqual([[-1], [-1], [3], [3]]);
    expect(nested(outputs.mean)).toEqual([3]);
    expect(nested(outputs.var)).toEqual([4]);
    // 0.75 · 7 + 0.25 · 3, and 0.75 · 2 + 0.25 · 16/3 with the unbiased variance 4 · 4/3
    expectNear(outputs.running_mean, [6]);
    expectNear(outputs.running_var, [1.5 + 4 / 3]);

    const { dx, dgamma, dbeta } = backward({ dout: float64([[1], [2], [3], [4]]) });
    // dbeta = Σ dout, dgamma = −1 − 2 + 3 + 4, dx = 2/2 · (dout − 10/4 − x̂ · 4/4)
    expect(nested(dbeta)).toEqual([10]);
    expect(nested(dgamma)).toEqual([4]);
    expect(nested(dx)).toEqual([[-0.5], [0.5], [-0.5], [0.5]]);
  });

  it('normalises with the running statistics as constants in inference', () => {
    // rstd = 1 / √(3 + 1), x̂ = (x − 1) / 2
    const { outputs, backward } = run(
      batchnorm,
      {
        x: float64([[3], [-1]]),
        gamma: float64([4]),
        beta: float64([1]),
        running_mean: float64([1]),
        running_var: float64([3]),
      },
      { training: false, epsilon: 1, momentum: 1 },
    );
    expect(nested(outputs.out)).toEqual([[5], [-3]]);
    expect(nested(outputs.mean)).toEqual([1]);
    expect(nested(outputs.var)).toEqual([3]);
    expect(nested(outputs.running_mean)).toEqual([1]);
    expect(nested(outputs.running_var)).toEqual([3]);

    const { dx, dgamma, dbeta } = backward({ dout: float64([[2], [5]]) });
    // Nothing but gamma · rstd · dout, with gamma · rstd = 2.
    expect(nested(dx)).toEqual([[4], [10]]);
    expect(nested(dgamma)).toEqual([2 - 5]);
    expect(nested(dbeta)).toEqual([7]);
  });

  it('takes its statistics over every axis except the second', () => {
    const x = [
      [
        [1, 3],
        [10, 10],
      ],
      [
        [5, 7],
        [10, 30],
      ],
    ];
    const { outputs } = run(batchnorm, { x: float64(x) });
    // Channel 0 holds 1, 3, 5, 7: mean 4, variance (9 + 1 + 1 + 9) / 4. Channel 1: mean 15, (25 · 3 + 225) / 4.
    expect(nested(outputs.mean)).toEqual([4, 15]);
    expect(nested(outputs.var)).toEqual([5, 75]);
  });

  it('treats all spatial axes as one', () => {
    const numbers = randomNumbers(1);
    const [x, dout] = [numbers.tensor([2, 3, 8]), numbers.tensor([2, 3, 8])];
    const flat = run(batchnorm, { x });
    const shapes: Shape[] = [
      [2, 3, 2, 4],
      [2, 3, 2, 2, 2],
    ];
    for (const shape of shapes) {
      const { outputs, backward } = run(batchnorm, { x: { ...x, shape } });
      expect(outputs.out.shape).toEqual(shape);
      expect(outputs.out.data).toEqual(flat.outputs.out.data);
      expect(backward({ dout: { ...dout, shape } }).dx).toEqual({ ...flat.backward({ dout }).dx, shape });
    }
  });

  it('adds epsilon to the variance before the square root', () => {
    // var = 4, √(4 + 5) = 3
    const { outputs } = run(batchnorm, { x: float64([[-2], [2]]) }, { epsilon: 5 });
    expectNear(outputs.out, [[-2 / 3], [2 / 3]]);
  });

  it('uses only the batch at momentum 1, and ignores it at momentum 0', () => {
    const inputs = { x: float64([[1], [3]]), running_mean: float64([8]), running_var: float64([9]) };
    const all = run(batchnorm, inputs, { momentum: 1 }).outputs;
    // The unbiased variance of 1 and 3 is 2.
    expect([nested(all.running_mean), nested(all.running_var)]).toEqual([[2], [2]]);
    const none = run(batchnorm, inputs, { momentum: 0 }).outputs;
    expect([nested(none.running_mean), nested(none.running_var)]).toEqual([[8], [9]]);
  });

  it('returns a dx that changes neither the mean nor the scale of a channel', () => {
    const numbers = randomNumbers(2);
    const x = numbers.tensor([6, 1, 3]);
    const { dx } = run(batchnorm, { x }, { epsilon: 0 }).backward({ dout: numbers.tensor([6, 1, 3]) });
    const along = (direction: ArrayLike<number>) =>
      Array.from(dx.data, (d, i) => d * direction[i]).reduce((sum, term) => sum + term);
    expect(along(new Float64Array(18).fill(1))).toBeCloseTo(0, 12);
    expect(along(x.data)).toBeCloseTo(0, 12);
  });

  it('returns beta and a zero dx if a channel has one value', () => {
    const { outputs, backward } = run(batchnorm, {
      x: float64([[[3], [-8]]]),
      gamma: float64([2, 5]),
      beta: float64([0.5, 7]),
    });
    expect(nested(outputs.out)).toEqual([[[0.5], [7]]]);
    expect(nested(outputs.var)).toEqual([0, 0]);
    const { dx, dgamma, dbeta } = backward({ dout: float64([[[1], [2]]]) });
    expect([nested(dx), nested(dgamma), nested(dbeta)]).toEqual([[[[0], [0]]], [0, 0], [1, 2]]);
  });

  it('returns beta for a constant channel, even with epsilon 0', () => {
    const { outputs, backward } = run(
      batchnorm,
      {
        x: float64([
          [4, 1],
          [4, 3],
        ]),
        beta: float64([0.5, 0]),
      },
      { epsilon: 0 },
    );
    expect(nested(outputs.out)).toEqual([
      [0.5, -1],
      [0.5, 1],
    ]);
    const { dx, dbeta } = backward({
      dout: float64([
        [1, 1],
        [5, 1],
      ]),
    });
    expectNear(dx, [
      [0, 0],
      [0, 0],
    ]);
    expect(nested(dbeta)).toEqual([6, 2]);
  });

  it('keeps the digits of a float32 batch whose mean is a million times as large', () => {
    const { outputs } = run(batchnorm, { x: float32([[2 ** 20 + 0.25], [2 ** 20 - 0.25]]) }, { epsilon: 0 });
    expect(nested(outputs.out)).toEqual([[1], [-1]]);
    expect(nested(outputs.var)).toEqual([0.0625]);
  });

  it('confines NaN to its channel', () => {
    const x = float64([
      [NaN, 1],
      [2, 3],
    ]);
    const { outputs } = run(batchnorm, { x }, { epsilon: 0 });
    expect(nested(outputs.out)).toEqual([
      [NaN, -1],
      [NaN, 1],
    ]);
  });

  it('returns gradients and running statistics only for the tensors that were given', () => {
    const { outputs, backward } = run(batchnorm, { x: float64([[1], [2]]) });
    expect(Object.keys(outputs)).toEqual(['out', 'mean', 'var']);
    expect(Object.keys(backward({ dout: float64([[1], [2]]) }))).toEqual(['dx']);
  });

  it('computes a float32 call in float32', () => {
    const one = float32([1]);
    const inputs = { x: float32([[1], [2]]), gamma: one, beta: one, running_mean: one, running_var: one };
    for (const training of [true, false]) {
      const { outputs, backward } = run(batchnorm, inputs, { training });
      const float32s = { out: 'Float32Array', mean: 'Float32Array', var: 'Float32Array' };
      expect(arraysOf(outputs)).toEqual({ ...float32s, running_mean: 'Float32Array', running_var: 'Float32Array' });
      const gradients = { dx: 'Float32Array', dgamma: 'Float32Array', dbeta: 'Float32Array' };
      expect(arraysOf(backward({ dout: float32([[1], [2]]) }))).toEqual(gradients);
    }
  });

  it('returns finite gradients in inference for an infinite x, since dx does not depend on x', () => {
    const inputs = { x: float64([[Infinity], [1]]), running_mean: float64([0]), running_var: float64([4]) };
    const { backward } = run(batchnorm, inputs, { training: false, epsilon: 0 });
    expect(nested(backward({ dout: float64([[1], [3]]) }).dx)).toEqual([[0.5], [1.5]]);
  });
});

describe('batchnorm refuses', () => {
  const x = zeros('float64', [4, 3, 2]);
  const three = zeros('float64', [3]);
  const two = zeros('float64', [2]);

  it.each([[[3]], [[2, 3, 1, 1, 1, 1]]])('x of shape %j', (shape) => {
    expect(refusalOf(() => run(batchnorm, { x: zeros('float64', shape) }))).toEqual({
      kind: 'shape-mismatch',
      path: ['x'],
      detail: `x has shape [${shape.join(', ')}]; expected [N, C] or [N, C, *] with one to three spatial axes`,
    });
  });

  it('a running_var whose sum with epsilon is negative, in inference', () => {
    const x = float64([[1, 2]]);
    const running_mean = float64([0, 0]);
    const call = (running_var: number[], training: boolean, epsilon: number) => () =>
      run(batchnorm, { x, running_mean, running_var: float64(running_var) }, { training, epsilon });
    expect(refusalOf(call([1, -0.25], false, 0.125))).toEqual({
      kind: 'value-mismatch',
      path: ['running_var', 1],
      detail:
        'running_var is -0.25 for channel 1; expected at least -0.125, because training is false and running_var + epsilon must not be negative',
    });
    // At 0, the result is that of the formula, as in PyTorch: 2 / √0.
    expect(nested(call([1, -0.125], false, 0.125)().outputs.out)).toEqual([[1 / Math.sqrt(1.125), Infinity]]);
  });

  it.each(['gamma', 'beta', 'running_mean', 'running_var'])('%s of another size than the channels', (name) => {
    const running = { running_mean: three, running_var: three };
    expect(refusalOf(() => run(batchnorm, { x, ...running, [name]: two }))).toEqual({
      kind: 'shape-mismatch',
      path: [name],
      detail: `${name} has shape [2]; expected [3], because x has 3 channels`,
    });
  });

  it('one of the running statistics without the other', () => {
    expect(refusalOf(() => run(batchnorm, { x, running_mean: three }))).toEqual({
      kind: 'value-mismatch',
      path: ['running_var'],
      detail: 'running_var is missing; expected both or neither, because running_mean was given',
    });
    expect(refusalOf(() => run(batchnorm, { x, running_var: three }))).toEqual({
      kind: 'value-mismatch',
      path: ['running_mean'],
      detail: 'running_mean is missing; expected both or neither, because running_var was given',
    });
  });

  it('inference without running statistics', () => {
    expect(refusalOf(() => run(batchnorm, { x }, { training: false }))).toEqual({
      kind: 'value-mismatch',
      path: ['running_mean'],
      detail: 'running_mean and running_var are missing; expected both, because training is false',
    });
  });

  it('to update running_var from one value per channel', () => {
    const single = zeros('float64', [1, 3, 1]);
    expect(refusalOf(() => run(batchnorm, { x: single, running_mean: three, running_var: three }))).toEqual({
      kind: 'value-mismatch',
      path: ['x'],
      detail:
        'x has shape [1, 3, 1], one value per channel; expected two or more, because running_var uses the unbiased variance',
    });
  });
});
