import { describe, expect, it } from 'vitest';
import { linear } from '../../src/layers/linear.js';
import { tensor, zeros, type Shape } from '../../src/tensor/tensor.js';
import { arraysOf, float32, float64, nested, refusalOf, run } from '../support/layer.js';
import { randomNumbers } from '../support/random.js';

describe('linear', () => {
  it('computes weighted sums that can be checked by hand', () => {
    const { outputs, backward } = run(linear, {
      x: float64([
        [1, 2, 3],
        [4, 5, 6],
      ]),
      weight: float64([
        [1, 0, -1],
        [2, 1, 0],
      ]),
      bias: float64([10, 20]),
    });
    expect(nested(outputs.out)).toEqual([
      [1 - 3 + 10, 2 + 2 + 20],
      [4 - 6 + 10, 8 + 5 + 20],
    ]);

    const { dx, dweight, dbias } = backward({
      dout: float64([
        [1, 2],
        [3, 4],
      ]),
    });
    expect(nested(dx)).toEqual([
      [1 + 2 * 2, 2, -1],
      [3 + 4 * 2, 4, -3],
    ]);
    // A sum over the batch, not a mean.
    expect(nested(dweight)).toEqual([
      [1 + 3 * 4, 2 + 3 * 5, 3 + 3 * 6],
      [2 + 4 * 4, 4 + 4 * 5, 6 + 4 * 6],
    ]);
    expect(nested(dbias)).toEqual([1 + 3, 2 + 4]);
  });

  it('treats all leading axes as the batch', () => {
    const numbers = randomNumbers(1);
    const given = { weight: numbers.tensor([5, 2]), bias: numbers.tensor([5]) };
    const [x, dout] = [numbers.tensor([12, 2]), numbers.tensor([12, 5])];
    const flat = run(linear, { x, ...given });
    for (const batch of [
      [3, 4],
      [2, 2, 3],
      [1, 2, 3, 2],
    ]) {
      const { outputs, backward } = run(linear, { x: { ...x, shape: [...batch, 2] }, ...given });
      expect(outputs.out).toEqual({ ...flat.outputs.out, shape: [...batch, 5] });
      const expected = flat.backward({ dout });
      expect(backward({ dout: { ...dout, shape: [...batch, 5] } })).toEqual({
        ...expected,
        dx: { ...expected.dx, shape: [...batch, 2] },
      });
    }
  });

  it('accepts sizes of 1', () => {
    const { outputs, backward } = run(linear, { x: float64([[3]]), weight: float64([[5]]) });
    expect(nested(outputs.out)).toEqual([[15]]);
    const { dx, dweight } = backward({ dout: float64([[2]]) });
    expect([nested(dx), nested(dweight)]).toEqual([[[10]], [[6]]]);
  });

  it('accepts x without a batch, and returns out and dx without one', () => {
    const weight = float64([
      [1, 2],
      [3, 4],
      [5, 6],
    ]);
    const { outputs, backward } = run(linear, { x: float64([1, -1]), weight, bias: float64([0.5, 0, 0]) });
    expect(nested(outputs.out)).toEqual([-0.5, -1, -1]);
    const { dx, dweight, dbias } = backward({ dout: float64([1, 0, 2]) });
    expect(nested(dx)).toEqual([11, 14]);
    expect(nested(dweight)).toEqual([
      [1, -1],
      [0, 0],
      [2, -2],
    ]);
    expect(nested(dbias)).toEqual([1, 0, 2]);
  });

  it('propagates NaN and ∞, even with a weight of 0', () => {
    const x = float64([
      [NaN, 1],
      [Infinity, 1],
      [2, 1],
    ]);
    expect(nested(run(linear, { x, weight: float64([[0, 1]]) }).outputs.out)).toEqual([[NaN], [NaN], [1]]);
    expect(nested(run(linear, { x, weight: float64([[1, 1]]) }).outputs.out)).toEqual([[NaN], [Infinity], [3]]);
  });

  it('keeps the digits of a float32 sum over 100,000 features', () => {
    const [n, value] = [100_000, 1 + 2 ** -10];
    const x = tensor([1, n], new Float32Array(n).fill(value));
    const weight = tensor([1, n], new Float32Array(n).fill(1));
    expect(nested(run(linear, { x, weight }).outputs.out)).toEqual([[Math.fround(n * value)]]);
  });

  it('returns dbias only if a bias was given', () => {
    const one = float64([[1]]);
    expect(Object.keys(run(linear, { x: one, weight: one }).backward({ dout: one }))).toEqual(['dx', 'dweight']);
  });

  it('computes a float32 call in float32', () => {
    const one = float32([[1]]);
    const { outputs, backward } = run(linear, { x: one, weight: one, bias: float32([1]) });
    expect(arraysOf(outputs)).toEqual({ out: 'Float32Array' });
    const gradients = { dx: 'Float32Array', dweight: 'Float32Array', dbias: 'Float32Array' };
    expect(arraysOf(backward({ dout: one }))).toEqual(gradients);
  });
});

describe('linear refuses', () => {
  function refused(x: Shape, weight: Shape, bias: Shape = [weight[0]]) {
    const [given, ...others] = [x, weight, bias].map((shape) => zeros('float64', shape));
    return refusalOf(() => run(linear, { x: given, weight: others[0], bias: others[1] }));
  }

  it('x of rank 0', () => {
    expect(refused([], [5, 3])).toEqual({
      kind: 'shape-mismatch',
      path: ['x'],
      detail: 'x has shape []; expected [I], [N, I] or [N, …, I]',
    });
  });

  it.each([[[5]], [[5, 3, 1]]])('a weight of shape %j', (shape) => {
    expect(refused([2, 3], shape)).toEqual({
      kind: 'shape-mismatch',
      path: ['weight'],
      detail: `weight has shape [${shape.join(', ')}]; expected [O, I]`,
    });
  });

  it('a weight for other features than those of x', () => {
    expect(refused([2, 4, 3], [3, 4])).toEqual({
      kind: 'shape-mismatch',
      path: ['weight'],
      detail: 'weight has shape [3, 4]; expected [3, 3], because x has 3 features',
    });
  });

  it('a bias of another size than the outputs', () => {
    expect(refused([2, 3], [5, 3], [3])).toEqual({
      kind: 'shape-mismatch',
      path: ['bias'],
      detail: 'bias has shape [3]; expected [5], because weight has 5 outputs',
    });
  });
});
