/** Slips in recurrent layers that people have asked about in public. */
import { describe, expect, it } from 'vitest';
import { rightAnswers } from '../../src/check/answers.js';
import { check } from '../../src/check/check.js';
import { allChecks } from '../../src/check/registry.js';
import { plain } from '../../src/kernels/plain/plain.js';
import type { Instance, Tensors } from '../../src/layers/instance.js';
import { tensor, type Shape, type Tensor } from '../../src/tensor/tensor.js';
import { randomNumbers } from '../support/random.js';
import { range, sum } from './implementations/implementation.js';

const [N, T, I, H] = [2, 4, 3, 2];

function instanceOf(layer: string, direction: string, seed = 3): Instance {
  const numbers = randomNumbers(seed);
  const given = (...shape: Shape) => numbers.tensor(shape);
  const D = direction === 'bidirectional' ? [2] : [];
  const R = layer === 'lstm' ? 4 * H : H;
  return {
    inputs: {
      ...{ x: given(N, T, I), weight_ih: given(...D, R, I), weight_hh: given(...D, R, H) },
      ...{ bias_ih: given(...D, R), bias_hh: given(...D, R), h0: given(...D, N, H) },
      ...(layer === 'lstm' ? { c0: given(...D, N, H) } : {}),
      sequence_lengths: tensor([N], Int32Array.of(T, T - 1)),
    },
    options: { direction, time_major: false, ...(layer === 'rnn' ? { nonlinearity: 'tanh' } : {}) },
    upstream: {
      ...{ dout: given(N, T, (D[0] ?? 1) * H), dh_n: given(...D, N, H) },
      ...(layer === 'lstm' ? { dc_n: given(...D, N, H) } : {}),
    },
    drawn: {},
  };
}

function checksOf(layer: string) {
  const [checks] = allChecks.filter(({ layer: { name } }) => name === layer);
  return checks;
}

const answersTo = (layer: string, instance: Instance) => rightAnswers(checksOf(layer), instance, plain);

/** The best diagnosis of each claim that is wrong. */
function firstOf(layer: string, instance: Instance, claims: Tensors) {
  const verdict = check(checksOf(layer), instance, claims, { dtype: 'float64', kernels: plain, pairs: () => 0 });
  const wrong = Object.entries(verdict.tensors).filter(([, { pass }]) => !pass);
  return wrong.map(([, { diagnosis }]) => diagnosis.at(0));
}

/** All wrong claims, of which there are some, have the same diagnosis. */
function expectNamed(layer: string, instance: Instance, claims: Tensors, id: string, says: RegExp): void {
  const found = firstOf(layer, instance, claims);
  expect(found.length).toBeGreaterThan(0);
  expect(new Set(found.map((diagnosis) => diagnosis?.id))).toEqual(new Set([id]));
  for (const diagnosis of found) expect(diagnosis?.explanation).toMatch(says);
}

const withInputs = (instance: Instance, inputs: Tensors): Instance => ({
  ...instance,
  inputs: { ...instance.inputs, ...inputs },
});

const mapped = ({ shape, data }: Tensor, of: (value: number, i: number) => number): Tensor =>
  tensor(shape, Float64Array.from(data, of));

/** Nonlinearities of an lstm, and the forget gate. */
interface Cell {
  readonly sigmoid?: (z: number) => number;
  readonly forget?: (z: number) => number;
  readonly tanh?: (z: number) => number;
}

const logistic = (z: number) => 1 / (1 + Math.exp(-z));

/** One direction, as loops. */
function lstm({ inputs }: Instance, { sigmoid = logistic, forget = sigmoid, tanh = Math.tanh }: Cell): Tensors {
  const { x, weight_ih, weight_hh, bias_ih, bias_hh, h0, c0, sequence_lengths } = inputs;
  const out = new Float64Array(N * T * H);
  const [h, c] = [h0, c0].map(({ data }) => Float64Array.from(data));
  for (const n of range(N))
    for (const t of range(sequence_lengths.data[n])) {
      const z = range(4 * H).map(
        (r) =>
          bias_ih.data[r] +
          bias_hh.data[r] +
          sum(range(I).map((i) => weight_ih.data[r * I + i] * x.data[(n * T + t) * I + i])) +
          sum(range(H).map((k) => weight_hh.data[r * H + k] * h[n * H + k])),
      );
      for (const j of range(H)) {
        const [i, f, g, o] = [sigmoid(z[j]), forget(z[H + j]), tanh(z[2 * H + j]), sigmoid(z[3 * H + j])];
        c[n * H + j] = f * c[n * H + j] + i * g;
        h[n * H + j] = out[(n * T + t) * H + j] = o * tanh(c[n * H + j]);
      }
    }
  return { out: tensor([N, T, H], out), h_n: tensor([N, H], h), c_n: tensor([N, H], c) };
}

/** Small enough for an error of its fourth power. */
const STEP = 1e-3;

/** The outputs of a cell, and their gradients by differences. */
function claimsOf(instance: Instance, cell: Cell): Tensors {
  const loss = (inputs: Tensors) => {
    const outputs = lstm(withInputs(instance, inputs), cell);
    const ofOutput = ([name, { data }]: [string, Tensor]) =>
      sum(Array.from(instance.upstream[`d${name}`].data, (d, i) => d * data[i]));
    return sum(Object.entries(outputs).map(ofOutput));
  };
  const gradients = Object.entries(instance.inputs)
    .filter(([name]) => name !== 'sequence_lengths')
    .map(([name, given]) => {
      const at = (i: number, by: number) =>
        loss({ [name]: mapped(given, (value, k) => (k === i ? value + by : value)) });
      const slope = (i: number) =>
        (8 * (at(i, STEP) - at(i, -STEP)) - (at(i, 2 * STEP) - at(i, -2 * STEP))) / (12 * STEP);
      return [`d${name}`, mapped(given, (_, i) => slope(i))];
    });
  return { ...lstm(instance, cell), ...(Object.fromEntries(gradients) as Tensors) };
}

const ORDERED = ['weight_ih', 'weight_hh', 'bias_ih', 'bias_hh'];

/** The rows of a tensor of all gates in another order of the blocks. */
function reordered({ shape, data }: Tensor, blocks: readonly number[]): Tensor {
  const block = data.length / 4;
  return tensor(
    shape,
    Float64Array.from(data, (_, i) => data[blocks[Math.floor(i / block)] * block + (i % block)]),
  );
}

/** What an lstm gives that reads its gates in another order, with a forget bias. */
function inOrder(instance: Instance, names: string): Tensors {
  const blocks = 'ifco'.split('').map((letter) => names.indexOf(letter));
  const back = 'ifco'.split('').map((_, block) => blocks.indexOf(block));
  const changed = ORDERED.map((name) => [name, reordered(instance.inputs[name], blocks)]);
  const claims = claimsOf(withInputs(instance, Object.fromEntries(changed) as Tensors), {
    forget: (z) => logistic(z + 1),
  });
  const gradients = ORDERED.map((name) => [`d${name}`, reordered(claims[`d${name}`], back)]);
  return { ...claims, ...(Object.fromEntries(gradients) as Tensors) };
}

describe('the biases', () => {
  for (const layer of ['rnn', 'lstm']) {
    const instance = instanceOf(layer, 'forward');
    const { bias_ih, bias_hh } = instance.inputs;

    it(`of ${layer} may both be the same one`, () => {
      const ways = [
        [{ bias_hh: bias_ih }, /bias_ih was used instead of bias_hh/],
        [{ bias_ih: bias_hh }, /bias_hh was used instead of bias_ih/],
      ] as const;
      for (const [inputs, says] of ways)
        expectNamed(layer, instance, answersTo(layer, withInputs(instance, inputs)), 'z:wrong_quantity', says);
    });

    it(`of ${layer} may be added twice`, () => {
      for (const name of ['bias_ih', 'bias_hh']) {
        const twice = { [name]: mapped(instance.inputs[name], (value) => 2 * value) };
        const says = new RegExp(`the term ${name} is added twice`);
        expectNamed(layer, instance, answersTo(layer, withInputs(instance, twice)), 'z:term_twice', says);
        const { [name]: _, ...others } = instance.inputs;
        const { [name]: one } = instance.inputs;
        const [other] = ['bias_ih', 'bias_hh'].filter((each) => each !== name);
        const only = { ...instance, inputs: { ...others, [other]: one } };
        const both = answersTo(layer, withInputs(only, { [other]: mapped(one, (value) => 2 * value) }));
        expectNamed(layer, only, both, 'z:term_twice', new RegExp(`the term ${other} is added twice`));
      }
    });
  }
});

describe('the gates', () => {
  const instance = instanceOf('lstm', 'forward');

  it('without a slip give the right answers', () => {
    expect(firstOf('lstm', instance, claimsOf(instance, {}))).toEqual([]);
  });

  it.each(['icfo', 'iofc', 'fico', 'ifoc', 'oicf', 'cifo'])('may be in the order %s, with a forget bias', (names) => {
    const order = names.split('').join(', ');
    const says = new RegExp(`A bias of 1 was added to the forget gate, and the gates were read in the order ${order}`);
    expectNamed('lstm', instance, inOrder(instance, names), 'forget_bias_and_gate_order', says);
  });

  it('may have a forget bias, before the sigmoid or after it', () => {
    const before = claimsOf(instance, { forget: (z) => logistic(z + 1) });
    expectNamed('lstm', instance, before, 'forget_bias_added', /A bias of 1/);
    const after = claimsOf(instance, { forget: (z) => logistic(z) + 1 });
    expectNamed('lstm', instance, after, 'forget_bias_after_sigmoid', /f = σ\(z_f\) \+ 1/);
  });

  it('may be hard sigmoids, as in Keras or in PyTorch', () => {
    const clipped = (slope: number) => (z: number) => Math.min(1, Math.max(0, slope * z + 0.5));
    const [ofKeras, ofTorch] = [0.2, 1 / 6].map((slope) => claimsOf(instance, { sigmoid: clipped(slope) }));
    expectNamed('lstm', instance, ofKeras, 'hard_sigmoid_for_sigmoid', /Keras/);
    expectNamed('lstm', instance, ofTorch, 'hard_sigmoid_for_sigmoid', /Hardsigmoid/);
  });

  it('may have relu for tanh', () => {
    const claims = claimsOf(instance, { tanh: (z) => Math.max(0, z) });
    expectNamed('lstm', instance, claims, 'relu_for_tanh', /are relu/);
    const ofRnn = instanceOf('rnn', 'forward');
    const relu = answersTo('rnn', { ...ofRnn, options: { ...ofRnn.options, nonlinearity: 'relu' } });
    expectNamed('rnn', ofRnn, relu, 'other_nonlinearity', /relu for tanh/);
  });
});

describe('past the end of a sequence', () => {
  it.each(['rnn', 'lstm'])('out of %s may repeat its last value', (layer) => {
    const instance = instanceOf(layer, 'forward');
    const right = answersTo(layer, instance);
    const last = (T - 1) * H;
    const out = mapped(right.out, (value, i) => (i >= T * H + last ? right.out.data[i - H] : value));
    expect(out.data).not.toEqual(right.out.data);
    expectNamed(layer, instance, { ...right, out }, 'last_output_repeated', /repeats the last state/);
  });
});

describe.each(['rnn', 'lstm'])('the directions of %s', (layer) => {
  const instance = instanceOf(layer, 'bidirectional');
  const right = answersTo(layer, instance);

  it('may be exchanged in out', () => {
    const out = mapped(right.out, (_, i) => right.out.data[i + (i % (2 * H) < H ? H : -H)]);
    expectNamed(layer, instance, { ...right, out }, 'directions_exchanged', /before those of the forward direction/);
  });

  it('may be exchanged in out and dout', () => {
    const exchanged = (given: Tensor) => mapped(given, (_, i) => given.data[i + (i % (2 * H) < H ? H : -H)]);
    const { dout } = instance.upstream;
    const claims = answersTo(layer, { ...instance, upstream: { ...instance.upstream, dout: exchanged(dout) } });
    const all = { ...claims, out: exchanged(claims.out) };
    expectNamed(layer, instance, all, 'directions_exchanged', /before those of the forward direction/);
  });

  it('may be exchanged in the last state', () => {
    const half = N * H;
    const h_n = mapped(right.h_n, (_, i) => right.h_n.data[(i + half) % (2 * half)]);
    expectNamed(layer, instance, { ...right, h_n }, 'h_n:reversed', /in reverse order along the directions/);
  });

  it('may each have a part in dx, of which only one is there', () => {
    for (const kept of [0, 1]) {
      const { dout, ...ofStates } = instance.upstream;
      const isKept = (i: number) => Number(Math.floor(i / H) % 2 === kept);
      const states = Object.entries(ofStates).map(([name, given]) => [
        name,
        mapped(given, (value, i) => value * Number(Math.floor(i / N / H) === kept)),
      ]);
      const upstream = {
        ...(Object.fromEntries(states) as Tensors),
        dout: mapped(dout, (value, i) => value * isKept(i)),
      };
      const { dx } = answersTo(layer, { ...instance, upstream });
      expectNamed(layer, instance, { ...right, dx }, 'dx_of_one_direction', /only one direction/);
    }
  });
});
