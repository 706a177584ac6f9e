import { describe, expect, it } from 'vitest';
import { caseOf } from '../../src/check/case.js';
import { check, type CheckOptions } from '../../src/check/check.js';
import type { Instance, Tensors } from '../../src/layers/instance.js';
import type { Checks } from '../../src/check/definition.js';
import { allChecks } from '../../src/check/registry.js';
import { plain } from '../../src/kernels/plain/plain.js';
import { sizeOf, tensor, type Shape, type Tensor } from '../../src/tensor/tensor.js';
import { implementations } from './implementations/all.js';

function checksOf(name: string): Checks {
  const found = allChecks.find(({ layer }) => layer.name === name);
  if (!found) throw new Error(`no checks of ${name}`);
  return found;
}

function caseFor(name: string, seed = 1) {
  const checks = checksOf(name);
  return { checks, ...caseOf(checks, { seed, mistake: undefined, kernels: plain }) };
}

function verdict(checks: Checks, instance: Instance, claims: Tensors, options: Partial<CheckOptions> = {}) {
  return check(checks, instance, claims, { dtype: 'float64', kernels: plain, pairs: () => 10_000, ...options });
}

const changed = ({ shape, data }: Tensor, of: (value: number, i: number) => number, to: Shape = shape): Tensor =>
  tensor(to, Float64Array.from(data, of));

/** The diagnosis of one claim about a case. */
function diagnosisOf(name: string, claimed: string, of: (right: Tensor, instance: Instance) => Tensor) {
  const { checks, instance, answers } = caseFor(name);
  const found = verdict(checks, instance, { [claimed]: of(answers[claimed], instance) }).tensors[claimed];
  expect(found.pass).toBe(false);
  return found;
}

const firstOf = (...given: Parameters<typeof diagnosisOf>) => diagnosisOf(...given).diagnosis[0];

describe('a claim', () => {
  it('passes if it is right, with zero error', () => {
    const { checks, instance, answers } = caseFor('linear');
    const { pass, tensors, indistinguishable } = verdict(checks, instance, answers);
    expect(pass).toBe(true);
    expect(indistinguishable).toEqual([]);
    for (const { max_absolute_error: error, diagnosis, notes } of Object.values(tensors))
      expect({ error, diagnosis, notes }).toEqual({ error: 0, diagnosis: [], notes: [] });
  });

  it('is compared with the requested tolerance', () => {
    const { checks, instance, answers } = caseFor('linear');
    const claims = { out: changed(answers.out, (value) => value * (1 + 1e-4)) };
    expect(verdict(checks, instance, claims).pass).toBe(false);
    expect(verdict(checks, instance, claims, { rtol: 1e-3 })).toMatchObject({ pass: true, rtol: 1e-3, atol: 1e-9 });
    expect(verdict(checks, instance, claims, { dtype: 'float32' })).toMatchObject({ rtol: 1e-4, atol: 1e-6 });
  });

  it('that is wrong names the position of the largest error', () => {
    const { worst, max_absolute_error, statistics } = diagnosisOf('linear', 'dweight', (right) =>
      changed(right, (value, i) => (i === 4 ? value + 0.5 : value)),
    );
    expect(worst?.index).toEqual([1, 1]);
    expect(max_absolute_error).toBeCloseTo(0.5, 12);
    expect(statistics).toMatchObject({ wrong: 1, of: 9, axes: [{ wrong: [1] }, { wrong: [1] }] });
    expect(statistics?.findings).toContain('Wrong only at output feature 1; the others are correct.');
  });

  it('of another shape fails, and the detail names both shapes', () => {
    const found = diagnosisOf('batchnorm', 'dgamma', (right) => tensor([1, 2], Float64Array.from(right.data)));
    expect(found.detail).toBe('dgamma has shape [1, 2]; expected [2]');
    expect(found.max_absolute_error).toBeNull();
    expect(found.diagnosis[0].explanation).toBe(
      'The values are correct and in the correct order, but in the shape [1, 2].',
    );
  });

  it('of another shape is diagnosed, if a known mistake explains it', () => {
    const { checks, instance } = caseFor('linear');
    const { dbias } = implementations.linear(instance, 'dbias_over_first_axis_alone');
    const found = verdict(checks, instance, { dbias }).tensors.dbias;
    expect(found.detail).toBe('dbias has shape [4, 3]; expected [3]');
    expect(found.diagnosis[0].id).toBe('dbias_over_first_axis_alone');
  });

  it('that contains NaN fails, and the findings mention NaN', () => {
    const { statistics, max_absolute_error } = diagnosisOf('batchnorm', 'dx', (right) => changed(right, () => NaN));
    expect(max_absolute_error).toBe(Infinity);
    expect(statistics?.findings).toContain('Some values are NaN.');
  });
});

describe('an equivalent formula', () => {
  it('with the term of batchnorm that is identically zero passes', () => {
    const { checks, instance, answers } = caseFor('batchnorm');
    const [N, C, S] = instance.inputs.x.shape;
    const { epsilon } = instance.options as { epsilon: number };
    const m = N * S;
    const channel = (i: number) => Math.floor(i / S) % C;
    const sums = (of: (i: number) => number) => {
      const totals = Array<number>(C).fill(0);
      for (let i = 0; i < N * C * S; i++) totals[channel(i)] += of(i);
      return totals;
    };
    const x = instance.inputs.x.data;
    const dxHat = instance.upstream.dout.data.map((value, i) => value * instance.inputs.gamma.data[channel(i)]);
    const mean = sums((i) => x[i]).map((value) => value / m);
    const variance = sums((i) => (x[i] - mean[channel(i)]) ** 2).map((value) => value / m);
    const dvar = sums((i) => dxHat[i] * (x[i] - mean[channel(i)])).map(
      (value, c) => value * -0.5 * (variance[c] + epsilon) ** -1.5,
    );
    const zero = sums((i) => -2 * (x[i] - mean[channel(i)]));
    const dmean = sums((i) => -dxHat[i] / Math.sqrt(variance[channel(i)] + epsilon)).map(
      (value, c) => value + (dvar[c] * zero[c]) / m,
    );
    const dx = changed(answers.dx, (_, i) => {
      const c = channel(i);
      return dxHat[i] / Math.sqrt(variance[c] + epsilon) + (dvar[c] * 2 * (x[i] - mean[c])) / m + dmean[c] / m;
    });
    expect(verdict(checks, instance, { dx })).toMatchObject({ pass: true, tensors: { dx: { diagnosis: [] } } });
  });
});

describe('precision', () => {
  const inFloat32 = (right: Tensor) => changed(right, Math.fround);

  it('of float32 is named, and passes', () => {
    const { checks, instance, answers } = caseFor('convolution');
    const { dx } = verdict(checks, instance, { dx: inFloat32(answers.dx) }).tensors;
    expect(dx).toMatchObject({ pass: true, diagnosis: [], notes: [{ id: 'float32_arithmetic' }] });
  });

  it('of float32 does not pass an explicit tolerance', () => {
    const { checks, instance, answers } = caseFor('convolution');
    const { dx } = verdict(checks, instance, { dx: inFloat32(answers.dx) }, { rtol: 1e-12, atol: 0 }).tensors;
    expect(dx).toMatchObject({ pass: false, diagnosis: [], notes: [{ id: 'float32_arithmetic' }] });
  });

  it('of float32 does not hide a mistake of the same size', () => {
    const { checks, instance } = caseFor('batchnorm');
    const small = { ...instance, options: { ...instance.options, epsilon: 1e-5 } };
    const { out } = implementations.batchnorm(small, 'epsilon_forgotten');
    const found = verdict(checks, small, { out }).tensors.out;
    expect(found.pass).toBe(false);
    expect(found.diagnosis.map(({ id }) => id)).toContain('rstd:missing_term');
  });

  it('of float32 does not hide which mistake was made', () => {
    const made = { batchnorm: 'variance_path_missing', lstm: 'no_gradient_through_time', rnn: 'later_steps_dropped' };
    for (const [name, id] of Object.entries(made)) {
      const { checks, instance } = caseFor(name);
      const { dx } = implementations[name](instance, id);
      const found = verdict(checks, instance, { dx: inFloat32(dx) }).tensors.dx;
      expect(found.diagnosis[0]?.id, name).toBe(id);
    }
  });

  it('of float32 is not noted if every value is 0 up to rounding', () => {
    const { checks, instance, answers } = caseFor('batchnorm');
    const upstream = { dout: changed(instance.upstream.dout, () => 1) };
    const dgamma = changed(answers.dgamma, (_, i) => 2 ** -52 * (i + 1));
    const found = verdict(checks, { ...instance, upstream }, { dgamma }).tensors.dgamma;
    expect(found).toMatchObject({ pass: true, notes: [] });
  });

  it('of a few decimals passes with a note, and does not hide a mistake', () => {
    const round = (value: number) => Math.round(value * 1e4) / 1e4;
    const { checks: ofLstm, instance: rounded, answers } = caseFor('lstm');
    const claims = { out: changed(answers.out, round) };
    const note = { id: 'rounded', explanation: 'Correct to 4 decimals, all that the claim has.' };
    expect(verdict(ofLstm, rounded, claims).tensors.out).toMatchObject({ pass: true, diagnosis: [], notes: [note] });
    const strictly = verdict(ofLstm, rounded, claims, { rtol: 1e-7 }).tensors.out;
    expect(strictly).toMatchObject({ pass: false, diagnosis: [], notes: [{ id: 'rounded' }] });
    const { checks, instance } = caseFor('lstm');
    const wrong = changed(implementations.lstm(instance, 'tanh_missing_on_cell').out, round);
    expect(verdict(checks, instance, { out: wrong }).tensors.out.diagnosis[0].id).toBe('tanh_missing_on_cell');
  });
});

describe('a change of a right result', () => {
  it('is named if it was multiplied', () => {
    expect(firstOf('pooling', 'dx', (right) => changed(right, (value) => -value)).id).toBe('dx:wrong_sign');
    expect(firstOf('pooling', 'out', (right) => changed(right, (value) => value / 2)).explanation).toBe(
      'Every value is half the correct value (1 / N is 0.5 here, too).',
    );
    expect(firstOf('linear', 'dx', (right) => changed(right, (value) => value / 24)).explanation).toBe(
      'Every value is the correct value times 1 / (elements of dout), which is 0.0416667.',
    );
    expect(firstOf('pooling', 'out', (right) => changed(right, (value) => value * 0.37)).explanation).toBe(
      'Every value is the correct value times 0.37.',
    );
    const { id, explanation } = firstOf('batchnorm', 'dbeta', (right, { inputs }) =>
      changed(right, (value, c) => value / inputs.gamma.data[c]),
    );
    expect({ id, explanation }).toEqual({
      id: 'scaled_along_an_axis',
      explanation: 'Every value is the correct value times 1 / gamma, along axis 0 (channel).',
    });
  });

  it('is named if it was multiplied by a known number and printed with few digits', () => {
    const printed = (factor: number) => (right: Tensor) =>
      changed(right, (value) => Number((factor * value).toFixed(3)));
    for (const name of ['linear', 'activation', 'batchnorm']) {
      expect(firstOf(name, 'out', printed(-1)).id).toMatch(/^\w+:wrong_sign$/);
      expect(firstOf(name, 'out', printed(2))).toMatchObject({
        id: 'scaled',
        explanation: expect.stringContaining('Every value is twice the correct value') as string,
      });
    }
  });

  it('is named if it was flipped, shifted or permuted', () => {
    const slices = (order: readonly number[]) => (right: Tensor) => {
      const size = sizeOf(right.shape.slice(1));
      return changed(right, (_, i) => right.data[order[Math.floor(i / size)] * size + (i % size)]);
    };
    expect(firstOf('rnn', 'dweight_ih', slices([2, 1, 0])).id).toBe('dweight_ih:reversed');
    expect(firstOf('convolution', 'dweight', slices([0, 0, 1, 2])).id).toBe('shifted');
    expect(firstOf('convolution', 'dweight', slices([2, 0, 3, 1])).explanation).toContain('in the order [2, 0, 3, 1]');
    const transposed = firstOf('rnn', 'dx', (right) => {
      const [N, T, I] = right.shape;
      const at = (t: number, n: number, i: number) => right.data[(n * T + t) * I + i];
      return changed(right, (_, k) => at(Math.floor(k / (N * I)), Math.floor(k / I) % N, k % I), [T, N, I]);
    });
    expect(transposed).toMatchObject({ id: 'transposed', fix: 'permute the axes back, to the shape [2, 4, 3]' });
  });

  it('is named if it is another tensor, was not summed, or was summed over too many axes', () => {
    const { checks, instance, answers } = caseFor('lstm');
    const exchanged = verdict(checks, instance, { h_n: answers.c_n, c_n: answers.h_n });
    expect(exchanged.tensors.h_n.diagnosis[0]).toMatchObject({
      id: 'h_n:wrong_quantity',
      explanation: 'In h_n = h[last, j], c[last, j] was used instead of h[last, j].',
    });
    expect(firstOf('linear', 'dx', (_, { inputs }) => inputs.x).explanation).toBe('This is x, unchanged.');
    const unsummed = firstOf('batchnorm', 'dbeta', (_, { upstream }) => upstream.dout);
    expect(unsummed).toMatchObject({ id: 'not_summed', fix: 'sum over axes 0 and 2' });
    const rows = (right: Tensor) =>
      tensor(
        [3],
        right.data.map((_, i) => right.data[i] + right.data[i + 3] + right.data[i + 6]).slice(0, 3) as Float64Array,
      );
    expect(firstOf('linear', 'dweight', rows)).toMatchObject({ id: 'summed_too_far', fix: 'do not sum over axis 0' });
    expect(firstOf('rnn', 'dh0', (right) => tensor([6], Float64Array.from(right.data))).id).toBe('reshaped');
  });

  it('is named if a function was applied, or values were clipped', () => {
    expect(firstOf('convolution', 'out', (right) => changed(right, (value) => Math.max(0, value)))).toEqual({
      id: 'function_applied',
      explanation: 'Every value is relu of the correct value.',
      fix: 'remove relu',
    });
    expect(firstOf('batchnorm', 'var', (right) => changed(right, Math.sqrt)).explanation).toContain('square root');
    const clip = (value: number) => Math.max(-0.5, Math.min(0.5, value));
    expect(firstOf('linear', 'dx', (right) => changed(right, clip)).explanation).toBe(
      'The correct values, clipped to ±0.5.',
    );
  });

  it('is named if the gradient contains the parameter', () => {
    const weight = (instance: Instance) => instance.inputs.weight.data;
    expect(
      firstOf('linear', 'dweight', (right, instance) => changed(right, (v, i) => v + 0.01 * weight(instance)[i])),
    ).toMatchObject({
      id: 'parameter_added',
      explanation: '0.01 times weight was added, as weight decay does.',
    });
    expect(
      firstOf('linear', 'dweight', (right, instance) => changed(right, (v, i) => weight(instance)[i] - 0.1 * v)),
    ).toMatchObject({
      id: 'parameter_updated',
      explanation: 'This is weight after a step of gradient descent: weight − 0.1 · dweight.',
    });
  });

  it('is named if dout was ignored, or an option had another value', () => {
    const { checks, instance } = caseFor('lstm');
    const ones = Object.entries(instance.upstream).map(([name, value]) => [name, changed(value, () => 1)] as const);
    const { dx } = implementations.lstm({ ...instance, upstream: Object.fromEntries(ones) });
    expect(verdict(checks, instance, { dx }).tensors.dx.diagnosis[0].id).toBe('upstream_ignored');

    const ofBatchnorm = caseFor('batchnorm');
    const other = { ...ofBatchnorm.instance, options: { ...ofBatchnorm.instance.options, epsilon: 1e-3 } };
    const { out } = implementations.batchnorm(other);
    expect(verdict(ofBatchnorm.checks, ofBatchnorm.instance, { out }).tensors.out.diagnosis[0]).toMatchObject({
      id: 'other_option',
      fix: 'use epsilon = 0.25',
    });
  });
});

describe('an infinite gradient', () => {
  it('that relu blocks hides no mistake of the other elements', () => {
    const checks = checksOf('activation');
    const vector = (...values: number[]) => tensor([values.length], Float64Array.from(values));
    const instance = {
      inputs: { x: vector(-1, 0, 2, 0) },
      options: { function: 'relu' },
      upstream: { dout: vector(Infinity, 2, 3, 1) },
      drawn: {},
    };
    const { dx } = verdict(checks, instance, { dx: vector(0, 2, 3, 1) }).tensors;
    expect(dx.diagnosis[0].id).toBe('one_at_zero');
  });
});

describe('two mistakes at once', () => {
  it('are both named if no single one fits', () => {
    const { checks, instance, answers } = caseFor('batchnorm');
    // gamma is missing, and so is the path through the mean.
    const withoutGamma = {
      ...instance,
      inputs: { ...instance.inputs, gamma: changed(instance.inputs.gamma, () => 1) },
    };
    const { dx } = implementations.batchnorm(withoutGamma, 'mean_path_missing');
    const [first] = verdict(checks, instance, { dx, out: answers.out }).tensors.dx.diagnosis;
    expect(first.id).toBe('gamma_missing_in_dx+mean_path_missing');
    expect(first.explanation).toMatch(/^Two mistakes at once\. .*gamma is missing\. .*mean was left out of dx\.$/);
  });

  it('are named if one of them is a factor', () => {
    const { checks, instance, answers } = caseFor('batchnorm');
    const { dx } = implementations.batchnorm(instance, 'variance_path_missing');
    const averaged = changed(dx, (value) => value / 9);
    const [first] = verdict(checks, instance, { ...answers, dx: averaged }).tensors.dx.diagnosis;
    expect(first).toMatchObject({
      id: 'variance_path_missing+scaled',
      explanation:
        'Two mistakes at once. The path through the variance was left out of dx. In addition, every value is multiplied by 1 / m, which is 0.111111.',
    });
  });

  it('are named if they change the same part of the backward pass', () => {
    const { checks, instance, answers } = caseFor('lstm');
    const id = 'no_gradient_through_time+input_and_cell_factors_exchanged';
    const wrong = implementations.lstm(instance, id);
    // A tenth of the pairs is enough, because common kinds of mistakes are tried first.
    const { tensors } = verdict(checks, instance, { ...answers, ...wrong }, { pairs: () => 1000 });
    for (const name of ['dx', 'dh0', 'dweight_ih', 'dweight_hh', 'dbias_ih', 'dbias_hh'])
      expect(tensors[name].diagnosis[0]?.id, name).toBe(id);
  });

  it('are named if one of them replaces dout by ones', () => {
    const { checks, instance, answers } = caseFor('pooling');
    const upstream = { dout: changed(instance.upstream.dout, () => 1) };
    const { dx } = implementations.pooling({ ...instance, upstream }, 'ties_share_the_gradient');
    const [first] = verdict(checks, instance, { ...answers, dx }).tensors.dx.diagnosis;
    expect(first.id).toBe('upstream_ignored+ties_share_the_gradient');
  });

  it('are found early if one of them explains another claim', () => {
    const { checks, instance } = caseFor('lstm');
    const both = implementations.lstm(instance, 'gates_i_o_f_c+input_and_cell_factors_exchanged');
    const { tensors } = verdict(checks, instance, both, { pairs: () => 1000 });
    expect(tensors.out.diagnosis[0].id).toBe('gates_i_o_f_c');
    for (const name of ['dx', 'dweight_ih', 'dc0'])
      expect(tensors[name].diagnosis[0]?.id, name).toBe('gates_i_o_f_c+input_and_cell_factors_exchanged');
  });

  it('are not searched for beyond the work limit', () => {
    const { checks, instance, answers } = caseFor('batchnorm');
    const dx = changed(answers.dx, (value, i) => value + i);
    const found = verdict(checks, instance, { dx }, { pairs: () => 0 }).tensors.dx;
    expect(found.diagnosis).toEqual([]);
    expect(found.statistics?.wrong).toBe(17);
  });
});

describe('a mistake that the input hides', () => {
  const idsOf = (name: string, change: (instance: Instance) => Instance) => {
    const { checks, instance } = caseFor(name);
    const own = change(instance);
    const claims = implementations[name](own);
    return verdict(checks, own, claims);
  };

  it('is listed: gamma of ones, and an upstream gradient of ones', () => {
    const found = idsOf('batchnorm', (instance) => ({
      ...instance,
      inputs: { ...instance.inputs, gamma: changed(instance.inputs.gamma, () => 1) },
      upstream: { dout: changed(instance.upstream.dout, () => 1) },
    }));
    expect(found.pass).toBe(true);
    const ids = found.indistinguishable.map(({ id }) => id);
    expect(ids).toEqual(expect.arrayContaining(['gamma_missing_in_dx', 'variance_path_missing', 'beta_scaled']));
    expect(ids).not.toContain('mean_path_missing');
    expect(found.indistinguishable.find(({ id }) => id === 'gamma_missing_in_dx')?.hidden).toBe('gamma is all ones');
    expect(found.notes.map(({ id }) => id)).toEqual(['uniform_upstream']);
  });

  it('is listed: rate 0.5', () => {
    const found = idsOf('dropout', (instance) => ({ ...instance, options: { ...instance.options, rate: 0.5 } }));
    expect(found.indistinguishable.map(({ id }) => id)).toContain('scaled_by_inverse_rate');
  });

  it('is listed: the same padding at both ends', () => {
    const found = idsOf('convolution', (instance) => ({
      ...instance,
      options: { ...instance.options, padding: 1 },
      upstream: {},
    }));
    const ids = found.indistinguishable.map(({ id }) => id);
    expect(ids).toContain('padding_side');
    // No gradient was claimed.
    expect(new Set(found.indistinguishable.flatMap(({ tensors }) => tensors))).toEqual(new Set(['out']));
  });

  it('is not listed for an option without effect', () => {
    const found = idsOf('convolution', (instance) => ({ ...instance, options: { ...instance.options, padding: 0 } }));
    expect(found.indistinguishable.filter(({ id }) => id.includes('padding'))).toEqual([]);
  });

  it('is listed: one time step', () => {
    const found = idsOf('rnn', (instance) => {
      const [N, , I] = instance.inputs.x.shape;
      const { sequence_lengths: _, ...inputs } = instance.inputs;
      const one = (given: Tensor) =>
        tensor([N, 1, given.shape[2]], Float64Array.from(given.data.slice(0, N * given.shape[2])));
      expect(I).toBe(3);
      return {
        ...instance,
        inputs: { ...inputs, x: one(instance.inputs.x) },
        upstream: { ...instance.upstream, dout: one(instance.upstream.dout) },
      };
    });
    const ids = found.indistinguishable.map(({ id }) => id);
    expect(ids).toContain('later_steps_dropped');
    expect(ids).not.toContain('derivative_missing');
  });
});

describe('mistakes with the same result', () => {
  it('are all named, with a note that they fit equally', () => {
    const { diagnosis, notes } = diagnosisOf('lstm', 'dbias_ih', (right) => changed(right, (value) => value / 2));
    expect(diagnosis.map(({ id }) => id)).toEqual(['bias_gradients_added', 'weight_gradients_averaged']);
    expect(notes.map(({ id }) => id)).toEqual(['several_fit']);
  });
});

describe('statistics of errors in every element', () => {
  const findings = (name: string, tensor: string, of: (value: number, i: number, instance: Instance) => number) =>
    diagnosisOf(name, tensor, (right, instance) =>
      changed(right, (v, i) => of(v, i, instance)),
    ).statistics?.findings.join(' ');

  it('report a factor and an offset per channel', () => {
    const channel = (i: number) => Math.floor(i / 3) % 2;
    expect(findings('batchnorm', 'dx', (v, i) => v * [0.7, 1.3][channel(i)])).toContain(
      'Along axis 1 (channel), the values are the correct values times one factor per index: 0.7 and 1.3.',
    );
    expect(findings('batchnorm', 'dx', (v, i) => v + [0.7, 1.3][channel(i)])).toContain('plus one offset per index');
  });

  it('report an error that grows over time, backward and forward', () => {
    const step = (i: number) => Math.floor(i / 3) % 4;
    expect(findings('lstm', 'dx', (v, i) => v + (1 + 0.1 * Math.sin(i)) * 3 ** -step(i))).toContain(
      'The error grows backward in time',
    );
    expect(findings('rnn', 'out', (v, i) => v + (1 + 0.1 * Math.sin(i)) * 3 ** step(i))).toContain(
      'The error grows with time',
    );
  });

  it('report a constant, and errors that are small', () => {
    expect(findings('batchnorm', 'dbeta', () => 0.25)).toContain('Every value is 0.25, but the correct values differ');
    expect(findings('linear', 'out', (v, i) => v * (1 + 1e-4 * Math.sin(i)))).toContain(
      'The error is small everywhere',
    );
    const half = (v: number) => {
      const unit = 2 ** (Math.floor(Math.log2(Math.abs(v))) - 10);
      return Math.round(v / unit) * unit;
    };
    expect(findings('linear', 'out', half)).toContain('no value has more digits than float16');
  });
});

describe('a mask that was drawn', () => {
  const notesOn = (rate: number, mask: readonly number[]) => {
    const x = tensor(
      [mask.length],
      Float64Array.from(mask, (_, i) => i + 1),
    );
    const options = { rate, training: true, scaling: 'inverted', seed: 0 };
    const drawn = { mask: { dtype: 'uint8' as const, shape: x.shape, data: Uint8Array.from(mask) } };
    const out = changed(x, (value, i) => (mask[i] ? value / (1 - rate) : 0));
    return verdict(checksOf('dropout'), { inputs: { x }, options, upstream: {}, drawn }, { out });
  };
  const mask = (size: number, dropped: number) => Array.from({ length: size }, (_, i) => Number(i >= dropped));

  it('is noted if its number of zeros is unlikely at this rate', () => {
    const found = notesOn(0.3, mask(200, 100));
    expect(found.pass).toBe(true);
    expect(found.notes).toEqual([
      {
        id: 'mask_contradicts_rate',
        explanation:
          'mask drops 100 of 200 values, a fraction of 0.5, but rate is 0.3: that is very unlikely by chance.',
      },
    ]);
    expect(notesOn(0.3, mask(200, 140)).notes[0].explanation).toContain('It is about 1 − rate');
    expect(notesOn(0, mask(4, 1)).notes[0].id).toBe('mask_contradicts_rate');
  });

  it('is not noted if its number of zeros is likely at this rate', () => {
    for (const dropped of [40, 60, 85]) expect(notesOn(0.3, mask(200, dropped)).notes).toEqual([]);
    expect(notesOn(0.01, mask(16, 2)).notes).toEqual([]);
    expect(notesOn(0, mask(4, 0)).notes).toEqual([]);
    expect(notesOn(1, mask(4, 4)).notes).toEqual([]);
  });
});

describe('statistics without a diagnosis', () => {
  it('report the gate, the channel and the time step', () => {
    const gate = diagnosisOf('lstm', 'dbias_ih', (right) =>
      changed(right, (v, i) => (i >= 3 && i < 6 ? v + i * i : v)),
    );
    expect(gate.statistics?.findings).toContain('Wrong only in the forget gate.');
    const early = diagnosisOf('rnn', 'dx', (right) =>
      changed(right, (v, i) => (Math.floor(i / 3) % 4 < 2 ? v * (1 + i) + 0.1 : v)),
    );
    expect(early.statistics?.findings.join(' ')).toContain('from step 1 back');
    const border = diagnosisOf('pooling', 'dx', (right) =>
      changed(right, (v, i) => (i % 6 === 0 ? v + Math.sin(i) + 2 : v)),
    );
    expect(border.statistics?.findings).toContain('Wrong only at the border of the plane: check the padding.');
    const twice = diagnosisOf('pooling', 'dx', (right) =>
      changed(right, (v, i) => (i % 6 === 2 ? v + Math.sin(i) : v)),
    );
    expect(twice.statistics?.findings).toContain('Wrong only at place 2 of axis 3; the others are correct.');
    const offset = diagnosisOf('linear', 'out', (right) => changed(right, (v) => v + 0.25));
    expect(offset.statistics?.offset).toBeCloseTo(0.25, 9);
  });
});
