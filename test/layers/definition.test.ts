import { describe, expect, it } from 'vitest';
import { expectShape, expectUpstream, present, type Plan } from '../../src/layers/definition.js';
import { zeros } from '../../src/tensor/tensor.js';
import { refusalOf } from '../support/layer.js';

const free = { operations: 0, bytes: 0 };
const plan: Plan = { outputs: { out: [2, 3], h_n: [1, 3] }, cost: { forward: free, backward: free } };

describe('expectUpstream', () => {
  it('accepts gradients with the shapes of their outputs, and absent ones', () => {
    expectUpstream(plan, { dout: zeros('float64', [2, 3]), dh_n: zeros('float64', [1, 3]) });
    expectUpstream(plan, { dout: undefined });
    expectUpstream(plan, {});
  });

  it('refuses a gradient of another shape than its output', () => {
    expect(
      refusalOf(() => {
        expectUpstream(plan, { dout: zeros('float64', [3, 2]) });
      }),
    ).toEqual({
      kind: 'shape-mismatch',
      path: ['dout'],
      detail: 'dout has shape [3, 2]; expected [2, 3], because it is the gradient of out, of shape [2, 3]',
    });
    expect(
      refusalOf(() => {
        expectUpstream(plan, { dh_n: zeros('float64', [3]) });
      }),
    ).toEqual({
      kind: 'shape-mismatch',
      path: ['dh_n'],
      detail: 'dh_n has shape [3]; expected [1, 3], because it is the gradient of h_n, of shape [1, 3]',
    });
  });
});

describe('expectShape', () => {
  it('accepts the expected shape, and an absent tensor', () => {
    expectShape('bias', zeros('float64', [3]), [3], 'weight has 3 outputs');
    expectShape('bias', undefined, [3], 'weight has 3 outputs');
  });

  it('refuses a shape of the same size but another rank', () => {
    expect(
      refusalOf(() => {
        expectShape('bias', zeros('float64', [1, 3]), [3], 'weight has 3 outputs');
      }),
    ).toEqual({
      kind: 'shape-mismatch',
      path: ['bias'],
      detail: 'bias has shape [1, 3]; expected [3], because weight has 3 outputs',
    });
  });
});

describe('present', () => {
  it('omits undefined values, and keeps other falsy ones', () => {
    expect(Object.entries(present({ a: 0, b: undefined, c: '', d: false, e: null }))).toEqual([
      ['a', 0],
      ['c', ''],
      ['d', false],
      ['e', null],
    ]);
  });
});
