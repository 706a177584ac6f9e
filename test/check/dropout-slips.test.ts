import { describe, expect, it } from 'vitest';
import { check } from '../../src/check/check.js';
import { dropout as checks } from '../../src/check/mistakes/dropout.js';
import { plain } from '../../src/kernels/plain/plain.js';
import type { Instance, Tensors } from '../../src/layers/instance.js';
import { tensor, type FloatDtype } from '../../src/tensor/tensor.js';

const row = (...values: readonly number[]) => tensor([values.length], Float64Array.from(values));

const x = [1.5, -2.25, 0.75, 3.5, -0.5, 0, 1.25, -1.75];
const dout = [0.3, 1.1, -0.7, 0.9, 0, -1.3, 0.6, 0.2];
const mask = [1, 0, 1, 1, 0, 1, 0, 1];
const inverted = mask.map((kept) => 1 - kept);
const rate = 0.4;

function instanceOf(training: boolean): Instance {
  return {
    inputs: { x: row(...x) },
    options: { rate, training, scaling: 'inverted', seed: 0 },
    upstream: { dout: row(...dout) },
    drawn: { mask: tensor([8], Uint8Array.from(mask)) },
  };
}

const masked = (values: readonly number[], by: readonly number[], scale = 1 / (1 - rate)) =>
  row(...values.map((value, i) => value * by[i] * scale));

const ones = x.map(() => 1);
const zeros = row(...x.map(() => 0));

function said(claims: Tensors, training = true, dtype: FloatDtype = 'float64') {
  const { tensors } = check(checks, instanceOf(training), claims, { dtype, kernels: plain, pairs: () => 1000 });
  return Object.fromEntries(
    Object.entries(tensors).map(([name, { pass, diagnosis }]) => [
      name,
      pass ? 'passes' : diagnosis.map(({ id }) => id),
    ]),
  );
}

describe.each(['float64', 'float32'] as const)('in %s, a mask that is inverted', (dtype) => {
  const right = { out: masked(x, mask), dx: masked(dout, mask) };

  it.each([
    ['everywhere', inverted, inverted],
    ['in forward', inverted, mask],
    ['in backward', mask, inverted],
  ])('%s is named', (_, forward, backward) => {
    const claims = { out: masked(x, forward), dx: masked(dout, backward) };
    const found = said(claims, true, dtype);
    expect(found.out).toEqual(forward === mask ? 'passes' : ['mask_inverted']);
    expect(found.dx).toEqual(backward === mask ? 'passes' : ['mask_inverted']);
  });

  it('is not named for the right mask', () => {
    expect(said(right, true, dtype)).toEqual({ out: 'passes', dx: 'passes' });
  });
});

describe('another mask', () => {
  const other = [0, 1, 1, 1, 1, 0, 0, 1];

  it('is named in either pass', () => {
    expect(said({ out: masked(x, other) }).out).toEqual(['another_mask_in_forward']);
    expect(said({ out: masked(x, mask), dx: masked(dout, other) }).dx).toEqual(['new_mask_in_backward']);
    expect(said({ out: masked(x, mask), dx: masked(dout, other, 1) }).dx).toEqual(['new_mask_in_backward']);
  });

  it.each([true, false])('is not what writes nothing has, in training: %s', (training) => {
    const found = said({ out: zeros, dx: zeros }, training);
    expect(found.out).toContain('out:never_computed');
    expect(JSON.stringify(found)).not.toMatch(/mask|dropped/);
    expect(JSON.stringify(said({ out: zeros }, training))).not.toMatch(/mask|dropped/);
    expect(JSON.stringify(said({ dx: zeros }, training))).not.toMatch(/mask|dropped/);
  });

  it('is not what drops nothing has, whatever the scale', () => {
    for (const scale of [1, 1 / (1 - rate), 1 - rate]) {
      const { out, dx } = said({ out: masked(x, ones, scale), dx: masked(dout, ones, scale) });
      for (const ids of [out, dx])
        expect(ids).not.toEqual(expect.arrayContaining([expect.stringMatching(/new_|another_mask/)]));
    }
  });

  it('is not what only lacks the scale has', () => {
    expect(said({ out: masked(x, mask), dx: masked(dout, mask, 1) }).dx).toContain('dx:missing_division');
  });
});
