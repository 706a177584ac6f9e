import { describe, expect, it } from 'vitest';
import { check } from '../../src/check/check.js';
import { allChecks } from '../../src/check/registry.js';
import { plain } from '../../src/kernels/plain/plain.js';
import type { Instance, Tensors } from '../../src/layers/instance.js';
import { tensor, type Tensor } from '../../src/tensor/tensor.js';

const vector = (...values: number[]) => tensor([values.length], Float64Array.from(values));
const matrix = (...rows: number[][]) => tensor([rows.length, rows[0].length], Float64Array.from(rows.flat()));

const x = [
  [0.5, -1.25, 2],
  [1.5, 0.75, -0.5],
  [-2, 1, 0.25],
];
const weight = [
  [1, -0.5, 0.25],
  [0.75, 2, -1.5],
];
const dout = [
  [0.3, -0.7],
  [1.1, 0.4],
  [-0.6, 0.9],
];

const linear: Instance = {
  inputs: { x: matrix(...x), weight: matrix(...weight), bias: vector(0.1, -0.2) },
  options: {},
  upstream: { dout: matrix(...dout) },
  drawn: {},
};

/** One value for each row and column. */
const table = (rows: number, columns: number, of: (i: number, j: number) => number): Tensor =>
  matrix(...Array.from({ length: rows }, (_, i) => Array.from({ length: columns }, (__, j) => of(i, j))));

const sum = (count: number, of: (n: number) => number) =>
  Array.from({ length: count }, (_, n) => of(n)).reduce((total, value) => total + value, 0);

function diagnosesOf(name: string, instance: Instance, claims: Tensors) {
  const [checks] = allChecks.filter(({ layer }) => layer.name === name);
  const { tensors } = check(checks, instance, claims, { dtype: 'float64', kernels: plain, pairs: () => 0 });
  return Object.fromEntries(Object.entries(tensors).map(([claimed, { diagnosis }]) => [claimed, diagnosis]));
}

describe('a slip in a formula', () => {
  it('is named with the formula, and marked in it', () => {
    const dx = table(3, 3, (n, i) => sum(2, (o) => dout[n][o] / weight[o][i]));
    expect(diagnosesOf('linear', linear, { dx }).dx[0]).toEqual({
      id: 'dx:divided_instead_of_multiplied',
      explanation: 'In dx = Σ_o dout · weight, the product is divided by weight instead of multiplied by it.',
      fix: 'multiply by weight',
      formula: String.raw`\text{dx} = \sum_{o} \text{dout} \, \boxed{\text{weight}}`,
    });
  });

  it('may leave out a row, or read at the wrong index', () => {
    const first = (name: string, value: Tensor) => diagnosesOf('linear', linear, { [name]: value })[name][0].id;
    const shorter = table(2, 3, (o, i) => sum(2, (n) => dout[n + 1][o] * x[n + 1][i]));
    expect(first('dweight', shorter)).toBe('dweight:one_left_out');
    expect(
      first(
        'dx',
        table(3, 3, (_, i) => sum(2, (o) => dout[o][o] * weight[o][i])),
      ),
    ).toBe('dx:wrong_index');
  });

  it('in forward explains what backward makes of it', () => {
    const batchnorm: Instance = {
      inputs: { x: matrix(...x), gamma: vector(2, 0.5, -1), beta: vector(1, 2, 3) },
      options: { training: true, epsilon: 0.1, momentum: 0.1 },
      upstream: { dout: matrix([0.3, -0.7, 0.2], [1.1, 0.4, -0.9], [-0.6, 0.9, 0.5]) },
      drawn: {},
    };
    const mean = (c: number) => sum(3, (n) => x[n][c]) / 3;
    const variance = (c: number) => sum(3, (n) => (x[n][c] - mean(c)) ** 2) / 3;
    // The root is missing.
    const xhat = (n: number, c: number) => (x[n][c] - mean(c)) / (variance(c) + 0.1);
    const upstream = batchnorm.upstream.dout.data;
    const { out, dgamma } = diagnosesOf('batchnorm', batchnorm, {
      out: table(3, 3, (n, c) => batchnorm.inputs.gamma.data[c] * xhat(n, c) + batchnorm.inputs.beta.data[c]),
      dgamma: vector(...[0, 1, 2].map((c) => sum(3, (n) => upstream[n * 3 + c] * xhat(n, c)))),
    });
    expect(out[0]).toEqual(dgamma[0]);
    expect(out[0].explanation).toContain('square root');
  });

  it('is not named if it would make a right claim wrong', () => {
    const { dweight, dbias } = diagnosesOf('linear', linear, {
      dweight: table(2, 3, (o, i) => sum(3, (n) => dout[n][o] * x[n][i]) / 3),
      dbias: vector(...[0, 1].map((o) => sum(3, (n) => dout[n][o]))),
    });
    expect(dbias).toEqual([]);
    expect(dweight).not.toEqual([]);
    for (const { explanation } of dweight) expect(explanation).not.toContain('dbias');
  });

  it('is found with the mask that the layer draws, if the implementation sent none', () => {
    const dropout: Instance = {
      inputs: { x: matrix(...x) },
      options: { rate: 0.5, training: true, scaling: 'inverted', seed: 3 },
      upstream: { dout: matrix(...x) },
      drawn: {},
    };
    const { dx } = diagnosesOf('dropout', dropout, { dx: table(3, 3, (n, i) => x[n][i] / 0.25) });
    expect(dx.length).toBeLessThanOrEqual(3);
  });

  it('is not named on the evidence of one value', () => {
    const wrong = table(2, 3, (o, i) => sum(3, (n) => dout[n][o] * x[n][i]));
    wrong.data[4] = sum(2, (n) => dout[n][1] * x[n][1]);
    expect(diagnosesOf('linear', linear, { dweight: wrong }).dweight).toEqual([]);
  });
});
