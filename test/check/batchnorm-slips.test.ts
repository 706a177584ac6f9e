import { describe, expect, it } from 'vitest';
import { check } from '../../src/check/check.js';
import { batchnorm as checks } from '../../src/check/mistakes/batchnorm.js';
import { plain } from '../../src/kernels/plain/plain.js';
import type { Instance, Tensors } from '../../src/layers/instance.js';
import { tensor, type FloatDtype } from '../../src/tensor/tensor.js';
import { randomNumbers } from '../support/random.js';
import { range, sum } from './implementations/implementation.js';

/** Elementwise and over all elements of a channel: a batchnorm that forgets nothing, in this precision and order. */
interface Arithmetic {
  readonly round: (value: number) => number;
  readonly sum: (values: readonly number[]) => number;
}

const float64: Arithmetic = { round: (value) => value, sum };

/** One after the other, as in a loop. */
const inOrder: Arithmetic = {
  round: Math.fround,
  sum: (values) => values.reduce((total, value) => Math.fround(total + value), 0),
};

/** By halves, as in NumPy and PyTorch. */
const byHalves: Arithmetic = {
  round: Math.fround,
  sum(values) {
    if (values.length < 3) return inOrder.sum(values);
    const half = values.length >> 1;
    return Math.fround(byHalves.sum(values.slice(0, half)) + byHalves.sum(values.slice(half)));
  },
};

type Deviation = (channel: readonly number[], epsilon: number, arithmetic: Arithmetic) => readonly [number, number];

/** The variance and the deviation that x is divided by. */
const usual: Deviation = (channel, epsilon) => {
  const mean = sum(channel) / channel.length;
  const variance = sum(channel.map((value) => (value - mean) ** 2)) / channel.length;
  return [variance, Math.sqrt(variance + epsilon)];
};

/** A batchnorm in training, channel by channel, with its own deviation. */
function claimsOf({ inputs, options, upstream }: Instance, deviation: Deviation, arithmetic = float64): Tensors {
  const { round } = arithmetic;
  const { shape, data: x } = inputs.x;
  const [N, C, S = 1] = shape;
  const [out, dx] = [new Float64Array(x.length), new Float64Array(x.length)];
  const channels = range(C).map((c) => {
    const places = range(N).flatMap((n) => range(S).map((s) => (n * C + c) * S + s));
    const m = places.length;
    const channel = places.map((i) => x[i]);
    const mean = round(arithmetic.sum(channel) / m);
    const [variance, std] = deviation(channel, Number(options.epsilon), arithmetic);
    const hats = channel.map((value) => round(round(value - mean) / std));
    const [gamma, beta] = [inputs.gamma.data[c], inputs.beta.data[c]];
    const douts = places.map((i) => upstream.dout.data[i]);
    const dbeta = arithmetic.sum(douts);
    const dgamma = arithmetic.sum(douts.map((dout, k) => round(dout * hats[k])));
    places.forEach((i, k) => {
      out[i] = round(round(gamma * hats[k]) + beta);
      dx[i] = round(round(gamma / std) * round(douts[k] - round(round(dbeta + round(hats[k] * dgamma)) / m)));
    });
    return { mean, variance, dgamma, dbeta };
  });
  const of = (name: 'mean' | 'variance' | 'dgamma' | 'dbeta') =>
    tensor(
      [C],
      Float64Array.from(channels, (channel) => channel[name]),
    );
  const [mean, variance, dgamma, dbeta] = [of('mean'), of('variance'), of('dgamma'), of('dbeta')];
  return { out: tensor(shape, out), mean, var: variance, dx: tensor(shape, dx), dgamma, dbeta };
}

interface Drawn {
  readonly shape?: readonly number[];
  readonly mean?: number;
  readonly deviation?: number;
  readonly epsilon?: number;
  readonly seed?: number;
}

function drawn({ shape = [4, 3, 2], mean = 0.5, deviation = 2, epsilon = 0.25, seed = 1 }: Drawn = {}): Instance {
  const numbers = randomNumbers(seed);
  const [, C] = shape;
  const x = numbers.tensor(shape);
  const rounded = (value: number) => Math.fround(mean + deviation * value);
  return {
    inputs: { x: tensor(shape, x.data.map(rounded)), gamma: numbers.tensor([C]), beta: numbers.tensor([C]) },
    options: { training: true, epsilon, momentum: 0.1 },
    upstream: { dout: numbers.tensor(shape) },
    drawn: {},
  };
}

function idsOf(instance: Instance, claims: Tensors, dtype: FloatDtype = 'float64') {
  const { tensors } = check(checks, instance, claims, { dtype, kernels: plain, pairs: () => 1000 });
  return Object.fromEntries(
    Object.entries(tensors).map(([name, { pass, diagnosis }]) => [
      name,
      pass ? 'passes' : diagnosis.map(({ id }) => id),
    ]),
  );
}

it('the batchnorm of these tests passes if it makes no mistake', () => {
  const instance = drawn();
  expect(Object.values(idsOf(instance, claimsOf(instance, usual)))).toEqual(Array(6).fill('passes'));
});

describe.each(['float64', 'float32'] as const)('in %s, x divided by', (dtype) => {
  const deviations: Readonly<Record<string, Deviation>> = {
    unbiased_variance: (channel, epsilon) => {
      const [variance] = usual(channel, epsilon, float64);
      return [variance, Math.sqrt((variance * channel.length) / (channel.length - 1) + epsilon)];
    },
    epsilon_outside_root: (channel, epsilon) => {
      const [variance] = usual(channel, epsilon, float64);
      return [variance, Math.sqrt(variance) + epsilon];
    },
    unbiased_deviation_and_epsilon_outside_root: (channel, epsilon) => {
      const [variance] = usual(channel, epsilon, float64);
      return [variance, Math.sqrt((variance * channel.length) / (channel.length - 1)) + epsilon];
    },
  };

  it.each(Object.entries(deviations))('another deviation is named: %s', (id, deviation) => {
    const instance = drawn();
    const claims = claimsOf(instance, deviation);
    const found = idsOf(instance, claims, dtype);
    expect(found).toEqual({ out: [id], mean: 'passes', var: 'passes', dx: [id], dgamma: [id], dbeta: 'passes' });
  });

  it.each(['unbiased_variance', 'unbiased_deviation_and_epsilon_outside_root'])(
    'an unbiased variance that is returned as well is named: %s',
    (id) => {
      const instance = drawn();
      const claims = claimsOf(instance, (channel, epsilon) => {
        const [variance, std] = deviations[id](channel, epsilon, float64);
        return [(variance * channel.length) / (channel.length - 1), std];
      });
      const found = idsOf(instance, claims, dtype);
      expect(found).toMatchObject({ out: [id], var: ['unbiased_variance'], dx: [id], dgamma: [id] });
    },
  );
});

it.each([
  ['unbiased_variance', (variance: number) => variance, 0],
  ['epsilon_outside_root', (variance: number) => variance, 0.25],
  ['unbiased_deviation_and_epsilon_outside_root', (variance: number) => variance, 0.25],
])('the derivative that differentiation gives for %s is named', (id, _, outside) => {
  const instance = drawn();
  const { x, gamma } = instance.inputs;
  const [N, C, S] = x.shape;
  const m = N * S;
  const correction = id.startsWith('unbiased') ? m / (m - 1) : 1;
  const dx = new Float64Array(x.data.length);
  const loss = (values: ArrayLike<number>, c: number) => {
    const places = range(N).flatMap((n) => range(S).map((s) => (n * C + c) * S + s));
    const channel = places.map((i) => values[i]);
    const mean = sum(channel) / m;
    const variance = (sum(channel.map((value) => (value - mean) ** 2)) / m) * correction;
    const std = outside === 0 ? Math.sqrt(variance + 0.25) : Math.sqrt(variance) + outside;
    return sum(places.map((i) => (instance.upstream.dout.data[i] * gamma.data[c] * (values[i] - mean)) / std));
  };
  const step = 1e-5;
  for (let i = 0; i < dx.length; i++) {
    const moved = (by: number) =>
      loss(
        x.data.map((value, k) => (k === i ? value + by : value)),
        Math.floor(i / S) % C,
      );
    dx[i] = (moved(step) - moved(-step)) / (2 * step);
  }
  const { tensors } = check(
    checks,
    instance,
    { dx: tensor(x.shape, dx) },
    {
      dtype: 'float64',
      kernels: plain,
      pairs: () => 0,
      rtol: 1e-6,
      atol: 1e-6,
    },
  );
  expect(tensors.dx.diagnosis[0].id).toBe(id);
});

describe('a variance that is E[x²] − E[x]² in float32', () => {
  const cancelling: Deviation = (channel, epsilon, { round, sum: total }) => {
    const mean = round(total(channel) / channel.length);
    const square = round(total(channel.map((value) => round(value * value))) / channel.length);
    const variance = round(square - round(mean * mean));
    return [variance, round(Math.sqrt(round(variance + epsilon)))];
  };
  const large = { mean: 300, deviation: 0.05, epsilon: 1e-5 };

  it.each([
    ['in order', inOrder],
    ['by halves', byHalves],
  ])('is named with what happened if the sums are added %s', (_, arithmetic) => {
    for (const seed of range(10))
      for (const dtype of ['float32', 'float64'] as const) {
        const instance = drawn({ ...large, shape: [8, 3, 4], seed });
        const claims = claimsOf(instance, cancelling, arithmetic);
        const id = ['variance_by_cancellation'];
        const found = idsOf(instance, claims, dtype);
        expect(found, `seed ${seed}`).toMatchObject({ out: id, mean: 'passes', var: id, dx: id, dgamma: id });
        // A root of a negative number is NaN, and tells nothing if all are.
        if (claims.out.data.some(Number.isFinite))
          expect(idsOf(instance, { out: claims.out }, dtype), `seed ${seed}`).toEqual({ out: id });
      }
  });

  it('is described with its numbers', () => {
    const instance = drawn({ ...large, shape: [8, 3, 4] });
    const { var: variance } = claimsOf(instance, cancelling, byHalves);
    const { tensors } = check(
      checks,
      instance,
      { var: variance },
      { dtype: 'float64', kernels: plain, pairs: () => 0 },
    );
    expect(tensors.var.diagnosis[0].explanation).toMatch(
      /^The variance was computed as E\[x²\] − E\[x\]² in float32, where nearly all digits cancel\. In channel \d, both are near (89|90)\d{3}(\.\d)?, where float32 numbers are 0\.0078125 apart: the difference is -?0\.\d+ instead of 0\.00\d+\.$/,
    );
  });

  it('is not named if other digits are wrong', () => {
    const instance = drawn({ ...large, shape: [8, 3, 4] });
    const claims = claimsOf(instance, (channel, epsilon) => {
      const [variance] = usual(channel, epsilon, float64);
      return [variance * 2.5, Math.sqrt(variance * 2.5 + epsilon)];
    });
    expect(JSON.stringify(idsOf(instance, claims))).not.toContain('cancellation');
    const constants = { var: tensor([3], Float64Array.of(0.0625, 0.0625, 0.0625)) };
    expect(JSON.stringify(idsOf(instance, constants))).not.toContain('cancellation');
  });

  it('is not named where nothing cancels', () => {
    const instance = drawn();
    const zeros = { var: tensor([3], new Float64Array(3)) };
    expect(JSON.stringify(idsOf(instance, zeros))).not.toContain('cancellation');
  });
});

describe('statistics over other axes', () => {
  const instance = drawn({ shape: [4, 3, 2] });
  const { x, gamma, beta } = instance.inputs;
  const [N, C, S] = x.shape;
  const groups: Readonly<
    Record<string, readonly [shape: readonly number[], groupOf: (n: number, c: number, s: number) => number]>
  > = {
    statistics_of_each_sample: [[N], (n) => n],
    statistics_of_each_plane: [[N, C], (n, c) => n * C + c],
    statistics_over_batch_axis_alone: [[C, S], (_, c, s) => c * S + s],
    statistics_over_everything: [[1], () => 0],
  };

  it.each(Object.entries(groups))('are named, with their gradients: %s', (id, [shape, groupOf]) => {
    const places = range(N).flatMap((n) => range(C).flatMap((c) => range(S).map((s) => ({ c, g: groupOf(n, c, s) }))));
    const count = sum([...shape]) && shape.reduce((product, size) => product * size, 1);
    const m = places.length / count;
    const over = (of: (i: number) => number) =>
      range(count).map(
        (g) =>
          sum(
            range(places.length)
              .filter((i) => places[i].g === g)
              .map(of),
          ) / m,
      );
    const means = over((i) => x.data[i]);
    const variances = over((i) => (x.data[i] - means[places[i].g]) ** 2);
    const std = variances.map((variance) => Math.sqrt(variance + 0.25));
    const hats = places.map(({ g }, i) => (x.data[i] - means[g]) / std[g]);
    const dhats = places.map(({ c }, i) => instance.upstream.dout.data[i] * gamma.data[c]);
    const [first, second] = [over((i) => dhats[i]), over((i) => dhats[i] * hats[i])];
    const dgamma = range(C).map((c) =>
      sum(
        range(places.length)
          .filter((i) => places[i].c === c)
          .map((i) => instance.upstream.dout.data[i] * hats[i]),
      ),
    );
    const claims = {
      out: tensor(
        x.shape,
        Float64Array.from(places, ({ c }, i) => gamma.data[c] * hats[i] + beta.data[c]),
      ),
      mean: tensor(shape, Float64Array.from(means)),
      var: tensor(shape, Float64Array.from(variances)),
      dx: tensor(
        x.shape,
        Float64Array.from(places, ({ g }, i) => (dhats[i] - first[g] - hats[i] * second[g]) / std[g]),
      ),
      dgamma: tensor([C], Float64Array.from(dgamma)),
    };
    const found = idsOf(instance, claims);
    for (const name of Object.keys(claims)) expect(found[name][0], name).toBe(id);
  });
});

describe('a gradient of gamma', () => {
  const shapes = [
    [4, 3],
    [4, 3, 1],
    [4, 3, 2],
    [1, 3, 2],
    [4, 1, 1],
  ];

  it.each(shapes.map((shape) => [shape]))('that was never written is not called another normalisation: %j', (shape) => {
    const instance = drawn({ shape });
    const claims = claimsOf(instance, usual);
    const dgamma = tensor(claims.dgamma.shape, new Float64Array(claims.dgamma.data.length));
    for (const others of [{}, claims]) {
      const said = JSON.stringify(idsOf(instance, { ...others, dgamma }).dgamma);
      expect(said).not.toMatch(/statistics_|exchanged/);
    }
    if (shape[1] > 1) expect(idsOf(instance, { ...claims, dgamma }).dgamma[0]).toBe('dgamma:never_computed');
  });

  it('that is the sum of dout is not called exchanged if dbeta passes, or was not claimed', () => {
    const instance = drawn();
    const claims = claimsOf(instance, usual);
    const { dbeta } = claims;
    for (const others of [{}, { dbeta }, claims])
      expect(idsOf(instance, { ...others, dgamma: dbeta }).dgamma[0]).toBe('dgamma:missing_factor');
  });

  it('is called exchanged with that of beta if both are wrong', () => {
    const instance = drawn();
    const { dgamma, dbeta } = claimsOf(instance, usual);
    const id = ['dgamma_and_dbeta_exchanged'];
    expect(idsOf(instance, { dgamma: dbeta, dbeta: dgamma })).toEqual({ dgamma: id, dbeta: id });
  });
});
