import { describe, expect, it } from 'vitest';
import { caseOf } from '../../src/check/case.js';
import { check, type CheckOptions } from '../../src/check/check.js';
import type { Call, Checks, Tensors } from '../../src/check/definition.js';
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

function verdict(checks: Checks, call: Call, claims: Tensors, options: Partial<CheckOptions> = {}) {
  return check(checks, call, claims, { dtype: 'float64', kernels: plain, pairs: () => 10_000, ...options });
}

const changed = ({ shape, data }: Tensor, of: (value: number, i: number) => number, to: Shape = shape): Tensor =>
  tensor(to, Float64Array.from(data, of));

/** The diagnosis of one claim about a case. */
function diagnosisOf(name: string, claimed: string, of: (right: Tensor, call: Call) => Tensor) {
  const { checks, call, answers } = caseFor(name);
  const found = verdict(checks, call, { [claimed]: of(answers[claimed], call) }).tensors[claimed];
  expect(found.pass).toBe(false);
  return found;
}

const firstOf = (...given: Parameters<typeof diagnosisOf>) => diagnosisOf(...given).diagnosis[0];

describe('a claim', () => {
  it('passes where it is right, with no error to show', () => {
    const { checks, call, answers } = caseFor('linear');
    const { pass, tensors, indistinguishable } = verdict(checks, call, answers);
    expect(pass).toBe(true);
    expect(indistinguishable).toEqual([]);
    for (const { max_absolute_error: error, diagnosis, notes } of Object.values(tensors))
      expect({ error, diagnosis, notes }).toEqual({ error: 0, diagnosis: [], notes: [] });
  });

  it('is held to the tolerance that was asked for', () => {
    const { checks, call, answers } = caseFor('linear');
    const claims = { out: changed(answers.out, (value) => value * (1 + 1e-4)) };
    expect(verdict(checks, call, claims).pass).toBe(false);
    expect(verdict(checks, call, claims, { rtol: 1e-3 })).toMatchObject({ pass: true, rtol: 1e-3, atol: 1e-9 });
    expect(verdict(checks, call, claims, { dtype: 'float32' })).toMatchObject({ rtol: 1e-4, atol: 1e-6 });
  });

  it('that is wrong says where it is worst', () => {
    const { worst, max_absolute_error, statistics } = diagnosisOf('linear', 'dweight', (right) =>
      changed(right, (value, i) => (i === 4 ? value + 0.5 : value)),
    );
    expect(worst?.index).toEqual([1, 1]);
    expect(max_absolute_error).toBeCloseTo(0.5, 12);
    expect(statistics).toMatchObject({ wrong: 1, of: 9, axes: [{ wrong: [1] }, { wrong: [1] }] });
    expect(statistics?.findings).toContain('Wrong at output feature 1 alone; the others are right.');
  });

  it('of another shape fails, and both shapes are named', () => {
    const found = diagnosisOf('batchnorm', 'dgamma', (right) => tensor([1, 2], Float64Array.from(right.data)));
    expect(found.detail).toBe('dgamma has shape [1, 2]; expected [2]');
    expect(found.max_absolute_error).toBeNull();
    expect(found.diagnosis[0].explanation).toBe('The right values in the right order, in the shape [1, 2].');
  });

  it('of another shape is named after its mistake, where there is one', () => {
    const { checks, call } = caseFor('linear');
    const { dbias } = implementations.linear(call, 'dbias_over_first_axis_alone');
    const found = verdict(checks, call, { dbias }).tensors.dbias;
    expect(found.detail).toBe('dbias has shape [4, 3]; expected [3]');
    expect(found.diagnosis[0].id).toBe('dbias_over_first_axis_alone');
  });

  it('that holds NaN is wrong, and says so', () => {
    const { statistics, max_absolute_error } = diagnosisOf('batchnorm', 'dx', (right) => changed(right, () => NaN));
    expect(max_absolute_error).toBe(Infinity);
    expect(statistics?.findings).toContain('Some values are NaN.');
  });
});

describe('an equivalent formula', () => {
  it('with the term of batchnorm that is identically zero passes', () => {
    const { checks, call, answers } = caseFor('batchnorm');
    const [N, C, S] = call.inputs.x.shape;
    const { epsilon } = call.options as { epsilon: number };
    const m = N * S;
    const channel = (i: number) => Math.floor(i / S) % C;
    const sums = (of: (i: number) => number) => {
      const totals = Array<number>(C).fill(0);
      for (let i = 0; i < N * C * S; i++) totals[channel(i)] += of(i);
      return totals;
    };
    const x = call.inputs.x.data;
    const dxHat = call.upstream.dout.data.map((value, i) => value * call.inputs.gamma.data[channel(i)]);
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
    expect(verdict(checks, call, { dx })).toMatchObject({ pass: true, tensors: { dx: { diagnosis: [] } } });
  });
});

describe('precision', () => {
  const inFloat32 = (right: Tensor) => changed(right, Math.fround);

  it('of float32 is named, and passes', () => {
    const { checks, call, answers } = caseFor('convolution');
    const { dx } = verdict(checks, call, { dx: inFloat32(answers.dx) }).tensors;
    expect(dx).toMatchObject({ pass: true, diagnosis: [], notes: [{ id: 'float32_arithmetic' }] });
  });

  it('of float32 does not pass a tolerance that was asked for', () => {
    const { checks, call, answers } = caseFor('convolution');
    const { dx } = verdict(checks, call, { dx: inFloat32(answers.dx) }, { rtol: 1e-12, atol: 0 }).tensors;
    expect(dx).toMatchObject({ pass: false, diagnosis: [], notes: [{ id: 'float32_arithmetic' }] });
  });

  it('does not hide a mistake that is as small as it', () => {
    const { checks, call } = caseFor('batchnorm');
    const small = { ...call, options: { ...call.options, epsilon: 1e-5 } };
    const { out } = implementations.batchnorm(small, 'epsilon_forgotten');
    const found = verdict(checks, small, { out }).tensors.out;
    expect(found.pass).toBe(false);
    expect(found.diagnosis.map(({ id }) => id)).toContain('epsilon_forgotten');
  });

  it('of float32 does not hide which mistake was made', () => {
    const made = { batchnorm: 'variance_path_missing', lstm: 'cell_gradient_assigned', rnn: 'later_steps_dropped' };
    for (const [name, id] of Object.entries(made)) {
      const { checks, call } = caseFor(name);
      const { dx } = implementations[name](call, id);
      const found = verdict(checks, call, { dx: inFloat32(dx) }).tensors.dx;
      expect(found.diagnosis[0]?.id, name).toBe(id);
    }
  });

  it('of float32 is not seen where every value is 0 but for rounding', () => {
    const { checks, call, answers } = caseFor('batchnorm');
    const upstream = { dout: changed(call.upstream.dout, () => 1) };
    const dgamma = changed(answers.dgamma, (_, i) => 2 ** -52 * (i + 1));
    const found = verdict(checks, { ...call, upstream }, { dgamma }).tensors.dgamma;
    expect(found).toMatchObject({ pass: true, notes: [] });
  });

  it('of a few decimals is named, and a mistake is found through it', () => {
    const round = (value: number) => Math.round(value * 1e4) / 1e4;
    const rounded = diagnosisOf('lstm', 'out', (right) => changed(right, round));
    expect(rounded).toMatchObject({ diagnosis: [], notes: [{ id: 'rounded' }] });
    expect(rounded.notes[0].explanation).toContain('rounded to 4 decimals');
    const { checks, call } = caseFor('lstm');
    const wrong = changed(implementations.lstm(call, 'tanh_missing_on_cell').out, round);
    expect(verdict(checks, call, { out: wrong }).tensors.out.diagnosis[0].id).toBe('tanh_missing_on_cell');
  });
});

describe('what may have become of a right result', () => {
  it('is said where it was multiplied', () => {
    expect(firstOf('pooling', 'dx', (right) => changed(right, (value) => -value)).id).toBe('negated');
    expect(firstOf('pooling', 'out', (right) => changed(right, (value) => value / 2)).explanation).toBe(
      'Every value is the right one times 1 / N, which is 0.5.',
    );
    expect(firstOf('linear', 'dx', (right) => changed(right, (value) => value / 24)).explanation).toBe(
      'Every value is the right one times 1 / (elements of dout), which is 0.0416667.',
    );
    expect(firstOf('pooling', 'out', (right) => changed(right, (value) => value * 0.37)).explanation).toBe(
      'Every value is the right one times 0.37.',
    );
    const { id, explanation } = firstOf('batchnorm', 'dbeta', (right, { inputs }) =>
      changed(right, (value, c) => value / inputs.gamma.data[c]),
    );
    expect({ id, explanation }).toEqual({
      id: 'scaled_along_an_axis',
      explanation: 'Every value is the right one times 1 / gamma, along axis 0 (channel).',
    });
  });

  it('is said where it was turned, moved or put in another order', () => {
    const slices = (order: readonly number[]) => (right: Tensor) => {
      const size = sizeOf(right.shape.slice(1));
      return changed(right, (_, i) => right.data[order[Math.floor(i / size)] * size + (i % size)]);
    };
    expect(firstOf('rnn', 'dweight_ih', slices([2, 1, 0])).id).toBe('flipped');
    expect(firstOf('convolution', 'dweight', slices([0, 0, 1, 2])).id).toBe('shifted');
    expect(firstOf('convolution', 'dweight', slices([2, 0, 3, 1])).explanation).toContain('in the order [2, 0, 3, 1]');
    const transposed = firstOf('rnn', 'dx', (right) => {
      const [N, T, I] = right.shape;
      const at = (t: number, n: number, i: number) => right.data[(n * T + t) * I + i];
      return changed(right, (_, k) => at(Math.floor(k / (N * I)), Math.floor(k / I) % N, k % I), [T, N, I]);
    });
    expect(transposed).toMatchObject({ id: 'transposed', fix: 'permute the axes back to [2, 4, 3]' });
  });

  it('is said where it is another tensor, was not summed, or was summed too far', () => {
    const { checks, call, answers } = caseFor('lstm');
    const exchanged = verdict(checks, call, { h_n: answers.c_n, c_n: answers.h_n });
    expect(exchanged.tensors.h_n.diagnosis[0]).toMatchObject({
      id: 'another_tensor',
      explanation: 'These are the right values of c_n, which is another answer.',
    });
    expect(firstOf('linear', 'dx', (_, { inputs }) => inputs.x).explanation).toBe('This is x, as it was given.');
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

  it('is said where a function was applied, or values were clipped', () => {
    expect(firstOf('convolution', 'out', (right) => changed(right, (value) => Math.max(0, value)))).toEqual({
      id: 'function_applied',
      explanation: 'Every value is relu of the right one.',
      fix: 'leave relu out: it is no part of this',
    });
    expect(firstOf('batchnorm', 'var', (right) => changed(right, Math.sqrt)).explanation).toContain('square root');
    const clip = (value: number) => Math.max(-0.5, Math.min(0.5, value));
    expect(firstOf('linear', 'dx', (right) => changed(right, clip)).explanation).toBe(
      'The right values, clipped to ±0.5.',
    );
  });

  it('is said where the parameter stands in its gradient', () => {
    const weight = (call: Call) => call.inputs.weight.data;
    expect(
      firstOf('linear', 'dweight', (right, call) => changed(right, (v, i) => v + 0.01 * weight(call)[i])),
    ).toMatchObject({
      id: 'parameter_added',
      explanation: '0.01 times weight was added, as weight decay and penalties do.',
    });
    expect(
      firstOf('linear', 'dweight', (right, call) => changed(right, (v, i) => weight(call)[i] - 0.1 * v)),
    ).toMatchObject({
      id: 'parameter_updated',
      explanation: 'This is weight after a step of gradient descent, weight − 0.1 · dweight.',
    });
  });

  it('is said where dout was left out, or an option read otherwise', () => {
    const { checks, call } = caseFor('lstm');
    const ones = Object.entries(call.upstream).map(([name, value]) => [name, changed(value, () => 1)] as const);
    const { dx } = implementations.lstm({ ...call, upstream: Object.fromEntries(ones) });
    expect(verdict(checks, call, { dx }).tensors.dx.diagnosis[0].id).toBe('upstream_ignored');

    const ofBatchnorm = caseFor('batchnorm');
    const other = { ...ofBatchnorm.call, options: { ...ofBatchnorm.call.options, epsilon: 1e-3 } };
    const { out } = implementations.batchnorm(other);
    expect(verdict(ofBatchnorm.checks, ofBatchnorm.call, { out }).tensors.out.diagnosis[0]).toMatchObject({
      id: 'other_option',
      fix: 'use epsilon 0.25, as it was given',
    });
  });
});

describe('two mistakes at once', () => {
  it('are both named, where nothing single fits', () => {
    const { checks, call, answers } = caseFor('batchnorm');
    // gamma is missing, and so is the path through the mean.
    const withoutGamma = { ...call, inputs: { ...call.inputs, gamma: changed(call.inputs.gamma, () => 1) } };
    const { dx } = implementations.batchnorm(withoutGamma, 'mean_path_missing');
    const [first] = verdict(checks, call, { dx, out: answers.out }).tensors.dx.diagnosis;
    expect(first.id).toBe('gamma_missing_in_dx+mean_path_missing');
    expect(first.explanation).toMatch(/^Two mistakes at once\. .*gamma is missing\. .*mean was left out of dx\.$/);
  });

  it('are named where one of them is a factor', () => {
    const { checks, call, answers } = caseFor('batchnorm');
    const { dx } = implementations.batchnorm(call, 'variance_path_missing');
    const averaged = changed(dx, (value) => value / 9);
    const [first] = verdict(checks, call, { ...answers, dx: averaged }).tensors.dx.diagnosis;
    expect(first).toMatchObject({
      id: 'variance_path_missing+scaled',
      explanation:
        'Two mistakes at once. The path through the variance was left out of dx. And every value of that is multiplied by 1 / m, which is 0.111111.',
    });
  });

  it('are named where they change the same part of the way back', () => {
    const { checks, call, answers } = caseFor('lstm');
    const assigned = implementations.lstm(call, 'cell_gradient_assigned+forget_gradient_uses_c_t');
    // A tenth of the pairs: the usual ways to make a mistake are tried first.
    const { tensors } = verdict(checks, call, { ...answers, ...assigned }, { pairs: () => 1000 });
    for (const name of ['dx', 'dh0', 'dweight_ih', 'dweight_hh', 'dbias_ih', 'dbias_hh'])
      expect(tensors[name].diagnosis[0]?.id, name).toBe('cell_gradient_assigned+forget_gradient_uses_c_t');
  });

  it('are named where one of them is to take dout for ones', () => {
    const { checks, call, answers } = caseFor('pooling');
    const upstream = { dout: changed(call.upstream.dout, () => 1) };
    const { dx } = implementations.pooling({ ...call, upstream }, 'ties_share_the_gradient');
    const [first] = verdict(checks, call, { ...answers, dx }).tensors.dx.diagnosis;
    expect(first.id).toBe('upstream_ignored+ties_share_the_gradient');
  });

  it('are named where one of them explains another claim, before all others are tried', () => {
    const { checks, call } = caseFor('lstm');
    const both = implementations.lstm(call, 'gates_i_o_f_c+forget_gate_missing_in_carry');
    const { tensors } = verdict(checks, call, both, { pairs: () => 1000 });
    expect(tensors.out.diagnosis[0].id).toBe('gates_i_o_f_c');
    for (const name of ['dx', 'dweight_ih', 'dc0'])
      expect(tensors[name].diagnosis[0]?.id, name).toBe('gates_i_o_f_c+forget_gate_missing_in_carry');
  });

  it('are looked for no longer than there is work for', () => {
    const { checks, call, answers } = caseFor('batchnorm');
    const dx = changed(answers.dx, (value, i) => value + i);
    const found = verdict(checks, call, { dx }, { pairs: () => 0 }).tensors.dx;
    expect(found.diagnosis).toEqual([]);
    expect(found.statistics?.wrong).toBe(17);
  });
});

describe('what an input cannot tell apart', () => {
  const idsOf = (name: string, change: (call: Call) => Call) => {
    const { checks, call } = caseFor(name);
    const own = change(call);
    const claims = implementations[name](own);
    return verdict(checks, own, claims);
  };

  it('is said: gamma of ones, and an upstream gradient of ones', () => {
    const found = idsOf('batchnorm', (call) => ({
      ...call,
      inputs: { ...call.inputs, gamma: changed(call.inputs.gamma, () => 1) },
      upstream: { dout: changed(call.upstream.dout, () => 1) },
    }));
    expect(found.pass).toBe(true);
    const ids = found.indistinguishable.map(({ id }) => id);
    expect(ids).toEqual(expect.arrayContaining(['gamma_missing_in_dx', 'variance_path_missing', 'gamma_missing']));
    expect(ids).not.toContain('mean_path_missing');
    expect(found.indistinguishable.find(({ id }) => id === 'gamma_missing_in_dx')?.hidden).toBe('gamma is all ones');
    expect(found.notes.map(({ id }) => id)).toEqual(['uniform_upstream']);
  });

  it('is said: rate 0.5', () => {
    const found = idsOf('dropout', (call) => ({ ...call, options: { ...call.options, rate: 0.5 } }));
    expect(found.indistinguishable.map(({ id }) => id)).toContain('scaled_by_inverse_rate');
  });

  it('is said: stride 1 and no padding', () => {
    const found = idsOf('convolution', (call) => ({
      ...call,
      options: {
        ...call.options,
        stride: [1, 1],
        padding: [
          [0, 0],
          [0, 0],
        ],
      },
      upstream: {},
    }));
    const ids = found.indistinguishable.map(({ id }) => id);
    expect(ids).toEqual(expect.arrayContaining(['padding_side', 'padding_replicated']));
    // Of the gradients nothing was claimed.
    expect(ids).not.toContain('stride_forgotten_in_backward');
  });

  it('is said: one time step', () => {
    const found = idsOf('rnn', (call) => {
      const [N, , I] = call.inputs.x.shape;
      const { sequence_lengths: _, ...inputs } = call.inputs;
      const one = (given: Tensor) =>
        tensor([N, 1, given.shape[2]], Float64Array.from(given.data.slice(0, N * given.shape[2])));
      expect(I).toBe(3);
      return {
        ...call,
        inputs: { ...inputs, x: one(call.inputs.x) },
        upstream: { ...call.upstream, dout: one(call.upstream.dout) },
      };
    });
    const ids = found.indistinguishable.map(({ id }) => id);
    expect(ids).toEqual(
      expect.arrayContaining(['later_steps_dropped', 'weight_gradients_of_one_step', 'lengths_ignored']),
    );
    expect(ids).not.toContain('derivative_missing');
  });
});

describe('mistakes that give the same', () => {
  it('are all named, and that they do is noted', () => {
    const { diagnosis, notes } = diagnosisOf('linear', 'dbias', (right) => changed(right, (value) => value / 8));
    expect(diagnosis.map(({ id }) => id)).toEqual(['dbias_averaged', 'divided_by_batch_size']);
    expect(notes.map(({ id }) => id)).toEqual(['several_fit']);
  });
});

describe('statistics of what is wrong everywhere', () => {
  const findings = (name: string, tensor: string, of: (value: number, i: number, call: Call) => number) =>
    diagnosisOf(name, tensor, (right, call) => changed(right, (v, i) => of(v, i, call))).statistics?.findings.join(' ');

  it('tell a factor and an offset of every channel', () => {
    const channel = (i: number) => Math.floor(i / 3) % 2;
    expect(findings('batchnorm', 'dx', (v, i) => v * [0.7, 1.3][channel(i)])).toContain(
      'At every channel (axis 1) the values are the right ones times a number of its own: 0.7 and 1.3.',
    );
    expect(findings('batchnorm', 'dx', (v, i) => v + [0.7, 1.3][channel(i)])).toContain('plus a number of its own');
  });

  it('tell an error that grows in time, backward and forward', () => {
    const step = (i: number) => Math.floor(i / 3) % 4;
    expect(findings('lstm', 'dx', (v, i) => v + (1 + 0.1 * Math.sin(i)) * 3 ** -step(i))).toContain(
      'The error grows backward in time',
    );
    expect(findings('rnn', 'out', (v, i) => v + (1 + 0.1 * Math.sin(i)) * 3 ** step(i))).toContain(
      'The error grows with time',
    );
  });

  it('tell one number everywhere, and errors that are small', () => {
    expect(findings('batchnorm', 'dbeta', () => 0.25)).toContain('Every value is 0.25, where the right ones differ');
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

  it('with more or fewer zeros than chance gives at this rate is noted', () => {
    const found = notesOn(0.3, mask(200, 100));
    expect(found.pass).toBe(true);
    expect(found.notes).toEqual([
      {
        id: 'mask_contradicts_rate',
        explanation:
          'mask drops 100 of 200 values, a share of 0.5, where rate is 0.3: chance alone does not go so far.',
      },
    ]);
    expect(notesOn(0.3, mask(200, 140)).notes[0].explanation).toContain('It is about 1 − rate');
    expect(notesOn(0, mask(4, 1)).notes[0].id).toBe('mask_contradicts_rate');
  });

  it('as chance gives it is not', () => {
    for (const dropped of [40, 60, 85]) expect(notesOn(0.3, mask(200, dropped)).notes).toEqual([]);
    expect(notesOn(0.01, mask(16, 2)).notes).toEqual([]);
    expect(notesOn(0, mask(4, 0)).notes).toEqual([]);
    expect(notesOn(1, mask(4, 4)).notes).toEqual([]);
  });
});

describe('statistics, where nothing fits,', () => {
  it('tell the gate, the channel and the time step', () => {
    const gate = diagnosisOf('lstm', 'dbias_ih', (right) =>
      changed(right, (v, i) => (i >= 3 && i < 6 ? v + i * i : v)),
    );
    expect(gate.statistics?.findings).toContain('Wrong in the rows of the forget gate alone.');
    const early = diagnosisOf('rnn', 'dx', (right) =>
      changed(right, (v, i) => (Math.floor(i / 3) % 4 < 2 ? v * (1 + i) + 0.1 : v)),
    );
    expect(early.statistics?.findings.join(' ')).toContain('from step 1 back');
    const border = diagnosisOf('pooling', 'dx', (right) =>
      changed(right, (v, i) => (i % 6 === 0 ? v + Math.sin(i) + 2 : v)),
    );
    expect(border.statistics?.findings).toContain('Wrong at the border of the plane alone: look at the padding.');
    const twice = diagnosisOf('pooling', 'dx', (right) =>
      changed(right, (v, i) => (i % 6 === 2 ? v + Math.sin(i) : v)),
    );
    expect(twice.statistics?.findings).toContain('Wrong at place 2 of axis 3 alone; the others are right.');
    const offset = diagnosisOf('linear', 'out', (right) => changed(right, (v) => v + 0.25));
    expect(offset.statistics?.offset).toBeCloseTo(0.25, 9);
  });
});
