import { describe, expect, it } from 'vitest';
import { dropout } from '../../src/layers/dropout.js';
import { zeros, type Shape } from '../../src/tensor/tensor.js';
import { arraysOf, expectNear, float32, float64, nested, refusalOf, run } from '../support/layer.js';
import { randomNumbers } from '../support/random.js';
import { atScale } from '../support/scale.js';

function maskOf(seed: number, rate: number, shape: Shape): number[] {
  const { mask } = run(dropout, { x: zeros('float64', shape) }, { seed, rate }).outputs;
  expect(mask?.shape).toEqual(shape);
  return Array.from(mask?.data ?? []);
}

/** Pearson's correlation of two arrays of zeros and ones. */
function correlation(a: readonly number[], b: readonly number[]): number {
  const n = a.length;
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value) / n;
  const [meanA, meanB] = [mean(a), mean(b)];
  const covariance = a.reduce((sum, value, i) => sum + (value - meanA) * (b[i] - meanB), 0) / n;
  return covariance / Math.sqrt(meanA * (1 - meanA) * meanB * (1 - meanB));
}

describe('dropout', () => {
  it('drops the elements that published random numbers determine', () => {
    // Philox4x32-10 at counter 0 under key 0 is 6627e8d5 e169c58d bc57ac4c 9b00dbd8 (Random123's known answer). As
    // fractions of 2³², these are 0.399, 0.881, 0.736 and 0.605; those below the rate are dropped.
    const x = float64([1, 2, 3, 4]);
    const half = run(dropout, { x }, { rate: 0.5, seed: 0 });
    expect(nested(half.outputs.mask)).toEqual([0, 1, 1, 1]);
    expect(nested(half.outputs.out)).toEqual([0, 4, 6, 8]);
    expect(half.outputs.seed).toBe(0);
    expect(nested(half.backward({ dout: float64([10, 20, 30, 40]) }).dx)).toEqual([0, 40, 60, 80]);

    const most = run(dropout, { x }, { rate: 0.75, seed: 0 });
    expect(nested(most.outputs.out)).toEqual([0, 8, 0, 0]);
    expect(nested(most.backward({ dout: float64([10, 20, 30, 40]) }).dx)).toEqual([0, 80, 0, 0]);
  });

  it('does not scale in training if scaling is test_time', () => {
    const x = float64([1, 2, 3, 4]);
    const training = run(dropout, { x }, { rate: 0.75, seed: 0, scaling: 'test_time' });
    expect(nested(training.outputs.out)).toEqual([0, 2, 0, 0]);
    expect(nested(training.backward({ dout: x }).dx)).toEqual([0, 2, 0, 0]);
    const inference = run(dropout, { x }, { rate: 0.75, training: false, scaling: 'test_time' });
    expect(nested(inference.outputs.out)).toEqual([0.25, 0.5, 0.75, 1]);
    expect(nested(inference.backward({ dout: x }).dx)).toEqual([0.25, 0.5, 0.75, 1]);
  });

  it('returns x unchanged and no mask in inference by default', () => {
    const x = float64([1, -2, NaN]);
    const { outputs, backward } = run(dropout, { x }, { rate: 0.75, training: false, seed: 0 });
    expect(Object.keys(outputs)).toEqual(['out']);
    expect(nested(outputs.out)).toEqual([1, -2, NaN]);
    expect(nested(backward({ dout: x }).dx)).toEqual([1, -2, NaN]);
  });

  it.each([
    [0, 0.5, '011110100000101011110010'],
    [7, 0.5, '110001010011000001110011'],
    [7, 0.25, '110011010011110011111111'],
    [2 ** 32 + 7, 0.5, '010101101000111110011101'],
    [2 ** 53 - 1, 0.5, '011100111011011000101010'],
  ])('has the mask of the first release for seed %i and rate %d', (seed, rate, mask) => {
    expect(maskOf(seed, rate, [24]).join('')).toBe(mask);
  });

  it('has one mask per seed, rate and number of elements, regardless of x', () => {
    const numbers = randomNumbers(1);
    const mask = maskOf(5, 0.3, [60]);
    expect(maskOf(5, 0.3, [3, 4, 5])).toEqual(mask);
    expect(maskOf(5, 0.3, [24])).toEqual(mask.slice(0, 24));
    const x = numbers.tensor([60]);
    for (const scaling of ['inverted', 'test_time'] as const)
      for (const given of [x, float32(Array.from(x.data))])
        expect(nested(run(dropout, { x: given }, { seed: 5, rate: 0.3, scaling }).outputs.mask)).toEqual(mask);
    expect(maskOf(6, 0.3, [60])).not.toEqual(mask);
  });

  it('drops at a larger rate all elements that it drops at a smaller one', () => {
    const masks = [0, 0.1, 0.5, 0.9, 1].map((rate) => maskOf(11, rate, [1000]));
    for (let i = 1; i < masks.length; i++)
      expect(masks[i].every((kept, element) => kept <= masks[i - 1][element])).toBe(true);
  });

  it.each(atScale({ all: [0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99], quick: [0.1, 0.5] }))(
    'drops a fraction of %d of a million elements',
    (rate) => {
      const n = 1_000_000;
      const mask = maskOf(123, rate, [n]);
      const dropped = mask.reduce((count, kept) => count - kept, n);
      // Five standard deviations of a binomial: chance exceeds them for one seed in two million, and the seed is fixed.
      expect(Math.abs(dropped - n * rate)).toBeLessThan(5 * Math.sqrt(n * rate * (1 - rate)));
      // Neighbours up to the next block, and the same positions under the next seed, are uncorrelated.
      const most = 5 / Math.sqrt(n);
      for (const lag of [1, 2, 3, 4])
        expect(Math.abs(correlation(mask.slice(lag), mask.slice(0, -lag)))).toBeLessThan(most);
      expect(Math.abs(correlation(mask, maskOf(124, rate, [n])))).toBeLessThan(most);
    },
  );

  it.each(['inverted', 'test_time'] as const)('returns zeros at rate 1 in training, never NaN, %s', (scaling) => {
    const x = float64([1, -1, NaN, Infinity]);
    const { outputs, backward } = run(dropout, { x }, { rate: 1, seed: 3, scaling });
    expect(nested(outputs.out)).toEqual([0, 0, 0, 0]);
    expect(nested(outputs.mask)).toEqual([0, 0, 0, 0]);
    expect(nested(backward({ dout: x }).dx)).toEqual([0, 0, 0, 0]);
  });

  it('returns zeros at rate 1 in inference with test_time scaling', () => {
    const x = float64([1, -1, NaN, Infinity]);
    const { outputs, backward } = run(dropout, { x }, { rate: 1, training: false, scaling: 'test_time' });
    expect(nested(outputs.out)).toEqual([0, 0, 0, 0]);
    expect(nested(backward({ dout: x }).dx)).toEqual([0, 0, 0, 0]);
  });

  it('keeps everything at rate 0', () => {
    const x = float64([1, -2, NaN, Infinity]);
    const { outputs, backward } = run(dropout, { x }, { rate: 0, seed: 3 });
    expect(nested(outputs.mask)).toEqual([1, 1, 1, 1]);
    expect(nested(outputs.out)).toEqual([1, -2, NaN, Infinity]);
    expect(nested(backward({ dout: x }).dx)).toEqual([1, -2, NaN, Infinity]);
  });

  it('returns 0 for a dropped element, even if it is not finite', () => {
    // The mask of seed 0 is 0, 1, 1, 1.
    for (const special of [NaN, Infinity, -Infinity]) {
      const { outputs, backward } = run(dropout, { x: float64([special, 0, special, 1]) }, { seed: 0 });
      expect(nested(outputs.out)).toEqual([0, 0, special, 2]);
      expect(nested(backward({ dout: float64([special, 0, 1, 1]) }).dx)).toEqual([0, 0, 2, 2]);
    }
  });

  it('passes the gradient on even if x is 0', () => {
    const { outputs, backward } = run(dropout, { x: zeros('float64', [4]) }, { seed: 0 });
    expect(nested(outputs.out)).toEqual([0, 0, 0, 0]);
    expect(nested(backward({ dout: float64([1, 1, 1, 1]) }).dx)).toEqual([0, 2, 2, 2]);
  });

  it('accepts any rank, and a single element', () => {
    for (const shape of [[1], [1, 1], [2, 1, 3, 1, 2, 1]]) {
      const { outputs, backward } = run(dropout, { x: zeros('float64', shape) }, { seed: 1 });
      expect(outputs.out.shape).toEqual(shape);
      expect(backward({ dout: zeros('float64', shape) }).dx.shape).toEqual(shape);
    }
  });

  it('computes a float32 call in float32, with a mask of bytes', () => {
    const x = float32([1, 2, 3, 4]);
    const { outputs, backward } = run(dropout, { x }, { rate: 0.3, seed: 0 });
    expect(arraysOf(outputs)).toEqual({ out: 'Float32Array', mask: 'Uint8Array' });
    expectNear(
      outputs.out,
      [1, 2, 3, 4].map((value) => value / 0.7),
    );
    expect(arraysOf(backward({ dout: x }))).toEqual({ dx: 'Float32Array' });
    for (const scaling of ['inverted', 'test_time'] as const)
      expect(arraysOf(run(dropout, { x }, { training: false, scaling }).outputs)).toEqual({ out: 'Float32Array' });
  });
});

describe('dropout refuses', () => {
  it('training without a seed, because the seed is drawn before the layer is called', () => {
    expect(refusalOf(() => run(dropout, { x: float64([1]) }))).toEqual({
      kind: 'value-mismatch',
      path: ['seed'],
      detail: 'seed is missing; expected an integer, because training is true',
    });
  });
});
