import { describe, expect, it } from 'vitest';
import { rightAnswers } from '../../src/check/answers.js';
import { check } from '../../src/check/check.js';
import type { Instance, Tensors } from '../../src/layers/instance.js';
import type { Checks } from '../../src/check/definition.js';
import { allChecks } from '../../src/check/registry.js';
import { plain } from '../../src/kernels/plain/plain.js';
import { tensor, type Tensor } from '../../src/tensor/tensor.js';
import { diagnosesByChance } from './chance.js';

const column = (...values: number[]) => tensor([values.length, 1], Float64Array.from(values));

const checksOf = (name: string): Checks => {
  const found = allChecks.find(({ layer }) => layer.name === name);
  if (!found) throw new Error(`no checks of ${name}`);
  return found;
};

describe('one wrong element', () => {
  it.each(allChecks.map((checks) => [checks.layer.name, checks] as const))('of %s gets no diagnosis', (_, checks) => {
    const { claims, named } = diagnosesByChance(checks, 3);
    expect(claims).toBeGreaterThan(3);
    expect(named).toEqual([]);
  });
});

describe('a diagnosis is given only if it explains at least two values more than it chooses:', () => {
  const linear = checksOf('linear');
  /** The weight is 1, so out = x. */
  const idsOf = (right: readonly number[], claimed: readonly number[]) => {
    const instance = { inputs: { x: column(...right), weight: column(1) }, options: {}, upstream: {}, drawn: {} };
    const options = { dtype: 'float64', kernels: plain, pairs: () => 0 } as const;
    return check(linear, instance, { out: column(...claimed) }, options).tensors.out.diagnosis.map(({ id }) => id);
  };

  it('a shift does not count the values at the end that it leaves open', () => {
    expect(idsOf([1, 1, 1], [1, 1, 5])).toEqual([]);
    expect(idsOf([1, 1, 2, 2], [5, 1, 1, 2])).toEqual([]);
    expect(idsOf([1, 2, 3], [9, 1, 2])).toEqual(['shifted']);
  });

  it('an unnamed factor is a choice, a named one is not', () => {
    expect(idsOf([1, 2], [0.37, 0.74])).toEqual([]);
    expect(idsOf([1, 2, 3], [0.37, 0.74, 1.11])).toEqual(['scaled']);
    expect(idsOf([1, 2], [-1, -2])).toEqual(['out:wrong_sign']);
    expect(idsOf([1, 1, 1, 1], [-1, -1, -1, -1])).toEqual([]);
  });

  it('an order, a limit and a share of the parameter are choices', () => {
    expect(idsOf([1, 2, 3, 4], [2, 4, 1, 3])).toEqual(['permuted']);
    expect(idsOf([1, 2, 3, 4], [1, 3, 2, 4])).toEqual([]);
    expect(idsOf([1, 5, 6, 7], [1, 4, 4, 4])).toEqual(['clipped']);
    expect(idsOf([1, 5, 6], [1, 4, 4])).toEqual([]);
  });

  it('a function of a single value is recognised only if the value has many digits', () => {
    expect(idsOf([-1, 2], [0, 2])).toEqual([]);
    expect(idsOf([-1, -2, 3], [0, 0, 3])).toEqual(['function_applied']);
    expect(idsOf([0.3, 0], [Math.tanh(0.3), 0])).toEqual(['function_applied']);
  });
});

describe('a known mistake of a layer', () => {
  const along = (...values: number[]) => tensor([1, 1, values.length], Float64Array.from(values));
  const windows = { kernel_size: 2, stride: 2, padding: 0, dilation: 1, global: false, ceil_mode: false };
  const pooling = { ...windows, return_indices: false, count_include_pad: true };
  const idsOf = (name: string, instance: Instance, claims: Tensors) => {
    const options = { dtype: 'float64', kernels: plain, pairs: () => 1000 } as const;
    const { tensors } = check(checksOf(name), instance, claims, options);
    return Object.values(tensors).flatMap(({ pass, diagnosis }) => [pass, ...diagnosis.map(({ id }) => id)]);
  };
  const maximum = (x: Tensor, dout: Tensor, dx: Tensor) =>
    idsOf('pooling', { inputs: { x }, options: { ...pooling, mode: 'max' }, upstream: { dout }, drawn: {} }, { dx });

  it('is recognised by which elements it makes wrong', () => {
    const plane = (...values: number[]) => tensor([1, 1, 2, values.length / 2], Float64Array.from(values));
    const x = plane(1, 1, 1, 1);
    const dout = tensor([1, 1, 1, 1], Float64Array.of(1));
    expect(maximum(x, dout, x)).toContain('ties_all_take_the_gradient');
    expect(maximum(x, dout, plane(1, 0, 1, 1))).toEqual([false]);
    expect(maximum(along(1, 1, 2, 2, 4, 3), along(5, 5, 5), along(5, 5, 5, 5, 5, 0))).toContain(
      'ties_all_take_the_gradient',
    );
  });

  it('is not recognised in a claim of only zeros', () => {
    const dx = along(0, 0, 0, 0, 0, 0);
    // dout times the maximum.
    expect(maximum(dx, along(1, 1, 1), dx)).toEqual([false]);
  });

  it('is not recognised if every wrong element has the same right value and the same wrong value', () => {
    const average = (x: Tensor, out: Tensor) =>
      idsOf('pooling', { inputs: { x }, options: { ...pooling, mode: 'average' }, upstream: {}, drawn: {} }, { out });
    expect(average(along(3, 3, 3, 3, 3, 3), along(6, 6, 6))).not.toContain('out:missing_division');
    expect(average(along(3, 3, 0, 0, 3, 3), along(6, 0, 6))).toContain('out:missing_division');
  });

  it('that depends on the claim is recognised only by its values', () => {
    const row = (...values: number[]) => tensor([values.length], Float64Array.from(values));
    const mask = { dtype: 'uint8', shape: [4], data: Uint8Array.of(1, 1, 1, 0) } as const;
    const instance: Instance = {
      inputs: { x: row(1, 2, 3, 4) },
      options: { rate: 0.5, training: true, scaling: 'inverted', return_mask: false, seed: 0 },
      upstream: { dout: row(1, 1, 1, 1) },
      drawn: { mask },
    };
    expect(idsOf('dropout', instance, { dx: row(0, 0, 2, 0) })).toEqual([false]);
    expect(idsOf('dropout', instance, { dx: row(0, 0, 2, 2) })).toEqual([false, 'new_mask_in_backward']);
  });

  it('that takes one mean for all channels is not confused with the mean of the first channel', () => {
    const x = tensor([2, 2], Float64Array.of(1, 1, 1, 1));
    const options = { training: true, epsilon: 1e-5, momentum: 0.1 };
    const mean = tensor([2], Float64Array.of(1, 1.501747));
    expect(idsOf('batchnorm', { inputs: { x }, options, upstream: {}, drawn: {} }, { mean })).toEqual([false]);
    const one = tensor([1], Float64Array.of(1));
    expect(idsOf('batchnorm', { inputs: { x }, options, upstream: {}, drawn: {} }, { mean: one })).toContain(
      'statistics_over_everything',
    );
  });
});

describe('a value that is not finite', () => {
  it('is no evidence, since many formulas lead to it', () => {
    const convolution = checksOf('convolution');
    const x = tensor([1, 1, 4, 4], new Float64Array(16).fill(1));
    const weight = tensor([1, 1, 2, 2], Float64Array.of(Infinity, 1, 1, 1));
    const options = { stride: 1, padding: 0, dilation: 1, groups: 1, transposed: true, output_padding: 0 };
    const instance = { inputs: { x, weight }, options, upstream: {}, drawn: {} };
    const { out } = rightAnswers(convolution, instance, plain);
    expect(Array.from(out.data)).toContain(Infinity);
    const data = Float64Array.from(out.data, (value) => (value === Infinity ? NaN : value));
    const claims = { out: tensor(out.shape, data) };
    const verdict = check(convolution, instance, claims, { dtype: 'float64', kernels: plain, pairs: () => 1000 });
    expect(verdict.tensors.out).toMatchObject({ pass: false, diagnosis: [] });
  });
});
