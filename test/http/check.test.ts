import { describe, expect, it } from 'vitest';
import { neededOptions } from '../../src/check/definition.js';
import { allChecks } from '../../src/check/registry.js';
import { safetensors } from '../../src/codec/safetensors/safetensors.js';
import { readSafetensors } from '../../src/codec/safetensors/read.js';
import { layerNames, type Body } from '../support/requests.js';
import { call, serve, serveAll } from '../support/service.js';
import type { Fields } from '../../src/codec/fields.js';

const SAFETENSORS = 'application/vnd.safetensors';

interface Made {
  readonly forward: Body;
  readonly backward: Body;
  readonly answers: Readonly<Record<string, unknown>>;
}

interface Diagnosed {
  readonly pass: boolean;
  readonly tensors: Readonly<Record<string, { pass: boolean; detail?: string; diagnosis: { id: string }[] }>>;
  readonly indistinguishable: readonly { id: string; try: { route: string; body: Body } }[];
}

const service = serveAll();

async function caseOf(name: string, body: object = {}): Promise<Made> {
  return (await call(service(), `${name}/check/case`, { seed: 1, answers: true, ...body })) as unknown as Made;
}

async function checked(name: string, body: object): Promise<Diagnosed> {
  return (await call(service(), `${name}/check`, body)) as unknown as Diagnosed;
}

describe.each(layerNames)('POST /%s/check', (name) => {
  it('passes the answers of its own cases, in either dtype, and creates no session', async () => {
    for (const dtype of ['float64', 'float32']) {
      const { forward, backward, answers } = await caseOf(name, { dtype });
      const verdict = await checked(name, { forward, backward, claims: answers });
      expect(Object.entries(verdict.tensors).filter(([, { pass }]) => !pass)).toEqual([]);
      expect(verdict.pass).toBe(true);
      expect(Object.keys(verdict.tensors).sort()).toEqual(Object.keys(answers).sort());
      expect(verdict.indistinguishable).toEqual([]);
    }
    const metrics = await service().client.get('/metrics');
    expect(metrics.text).toMatch(/^layerd_sessions 0$/m);
  });

  it('passes the answers of its own routes', async () => {
    const { forward, backward, answers } = await caseOf(name);
    const { mask: _, ...request } = forward as { mask?: unknown };
    const seeded = 'mask' in forward ? { ...request, seed: 5 } : request;
    const { session, ...outputs } = await call(service(), `${name}/forward`, seeded);
    const gradients = await call(service(), `${name}/backward`, { session, ...backward, release: true });
    const claims = Object.fromEntries(Object.entries({ ...outputs, ...gradients }).filter(([key]) => key !== 'seed'));
    expect(Object.keys(claims).sort()).toEqual(Object.keys(answers).sort());
    expect(await checked(name, { forward: seeded, backward, claims })).toMatchObject({ pass: true });
  });

  it('has an example in the OpenAPI document that passes unchanged', async () => {
    const response = await service().client.get('/openapi.json').expect(200);
    const { paths } = response.body as {
      paths: Record<string, { post: { requestBody: { content: Record<string, unknown> } } }>;
    };
    const { example } = paths[`/${name}/check`].post.requestBody.content['application/json'] as { example: Body };
    expect(Object.keys(example)).toEqual(['forward', 'backward', 'claims']);
    expect(await checked(name, example)).toMatchObject({ pass: true });
  });

  it('accepts and returns safetensors, with dotted names', async () => {
    const fixture = await service()
      .client.get(`/${name}/check/case?seed=1&answers=true`)
      .set('accept', SAFETENSORS)
      .responseType('blob')
      .expect(200)
      .expect('content-type', SAFETENSORS);
    const { tensors, metadata } = readSafetensors(fixture.body as Buffer);
    const claims = Object.entries(tensors)
      .filter(([key]) => key.startsWith('answers.'))
      .map(([key, value]) => [key.replace('answers.', 'claims.'), value] as const);
    const others = Object.entries(tensors).filter(([key]) => !key.startsWith('answers.'));
    const fields = { ...metadata, ...Object.fromEntries([...others, ...claims]) } as Fields;
    const body = Buffer.concat([...safetensors.encode(fields)]);
    const response = await service()
      .client.post(`/${name}/check`)
      .set('content-type', SAFETENSORS)
      .set('accept', 'application/json')
      .send(body)
      .expect(200);
    expect(response.body).toMatchObject({ pass: true });
    expect(Object.keys((response.body as Diagnosed).tensors)).toHaveLength(claims.length);
  });

  it('returns the same cases for the same seed, by GET and POST', async () => {
    const query = await service().client.get(`/${name}/check/case?seed=7&dtype=float32`).expect(200);
    expect(query.headers['content-disposition']).toBe(`attachment; filename="${name}-case-7.json"`);
    const first = await call(service(), `${name}/check/case`, { seed: 7, dtype: 'float32' });
    expect(query.body).toEqual(first);
    expect(await call(service(), `${name}/check/case`, { seed: 8, dtype: 'float32' })).not.toEqual(first);
    expect(Object.keys(first)).toEqual(['forward', 'backward']);
    expect(first.forward).toMatchObject({ dtype: 'float32' });
  });
});

describe('a case', () => {
  it('has the requested options and axes', async () => {
    const asked = { options: { transposed: true, stride: [1, 2, 2] }, axes: 3 };
    const { forward, backward, answers } = await caseOf('convolution', asked);
    expect(forward).toMatchObject(asked.options);
    expect(JSON.stringify(forward.x)).toMatch(/^\[{5}/);
    expect(await checked('convolution', { forward, backward, claims: answers })).toMatchObject({ pass: true });
    const options = encodeURIComponent(JSON.stringify(asked.options));
    const query = `seed=1&answers=true&axes=3&options=${options}`;
    const same = await service().client.get(`/convolution/check/case?${query}`).expect(200);
    expect(same.body).toEqual({ forward, backward, answers });
    const whole = await caseOf('pooling', { options: { mode: 'average', global: true }, axes: 1 });
    expect(whole.forward).toMatchObject({ mode: 'average', global: true });
    expect(whole.forward).not.toHaveProperty('kernel_size');
    const both = await caseOf('lstm', { options: { direction: 'bidirectional' } });
    expect(both.forward).toMatchObject({ direction: 'bidirectional' });
  });

  it('is available for every mistake of every layer', async () => {
    for (const { layer, mistakes } of allChecks)
      for (const { id } of mistakes) expect(await caseOf(layer.name, { mistake: id }), id).toHaveProperty('forward');
  });

  it('that hides a mistake leads to a similar case that shows it', async () => {
    const { forward, backward, answers } = await caseOf('pooling', {
      axes: 1,
      options: { mode: 'average', stride: 8 },
    });
    const { indistinguishable } = await checked('pooling', { forward, backward, claims: answers });
    const hidden = indistinguishable.find(({ id }) => id === 'dx_assigned');
    expect(hidden?.try.body).toEqual({ mistake: 'dx_assigned', options: { mode: 'average' }, axes: 1 });
    expect(indistinguishable.map(({ id }) => id)).not.toContain('global_over_other_axes');
    const shown = await caseOf('pooling', hidden?.try.body);
    const verdict = await checked('pooling', { ...shown, answers: undefined, claims: shown.answers });
    expect(verdict.indistinguishable).toEqual([]);
  });

  it.each<[string, string, object, number, string, string]>([
    ['options that do not fit', 'convolution', { options: { groups: 3 } }, 422, '/options', 'groups is 3'],
    [
      'options that do not allow the mistake',
      'convolution',
      { mistake: 'out_assigned', options: { transposed: false } },
      422,
      '/options/transposed',
      'transposed is false; expected true, because the mistake cannot be made otherwise',
    ],
    [
      'fewer axes than the mistake needs',
      'pooling',
      { mistake: 'indices_in_columns', axes: 1 },
      422,
      '/axes',
      'axes is 1; expected at least 2',
    ],
    [
      'an option that rules the mistake out',
      'convolution',
      { mistake: 'dx_not_cropped', options: { stride: 2, padding: 0 } },
      422,
      '/options/padding',
      'padding is 0; expected another value, because dx_not_cropped does not show with this one',
    ],
    [
      'an option that hides the mistake',
      'pooling',
      { mistake: 'dx_assigned', options: { stride: 8 }, axes: 1 },
      422,
      '/options/stride',
      'stride is 8; expected another value, because dx_assigned does not show with this one',
    ],
    [
      'a kind of call that hides the mistake',
      'pooling',
      { mistake: 'dx_assigned', options: { global: true } },
      422,
      '/options/global',
      'global is true; expected another value, because dx_assigned does not show with this one',
    ],
    [
      'options that hide the mistake together',
      'convolution',
      { mistake: 'padding_side', options: { padding: [[1, 1]], dilation: 1 }, axes: 1 },
      422,
      '/options/padding',
      'padding is [[1,1]]; expected another value',
    ],
    ['an option that is not one', 'pooling', { options: { groups: 1 } }, 400, '/options/groups', 'is unknown'],
    ['axes of what has none', 'linear', { axes: 2 }, 400, '/axes', '/axes is unknown'],
  ])('refuses %s', async (_, name, body, status, pointer, detail) => {
    const response = await service().client.post(`/${name}/check/case`).send(body).expect(status);
    const { errors } = response.body as { errors: { pointer: string; detail: string }[] };
    expect(errors).toHaveLength(1);
    expect(errors[0].pointer).toBe(pointer);
    expect(errors[0].detail).toContain(detail);
  });

  it('refuses options that need too much work or are not JSON', async () => {
    const body = { options: { padding: 2 ** 20 } };
    const response = await service().client.post('/convolution/check/case').send(body).expect(413);
    expect((response.body as { detail: string }).detail).toMatch(/^the case needs \d+ operations/);
    const query = await service().client.get('/convolution/check/case?options={stride:2}').expect(400);
    expect(query.headers).not.toHaveProperty('content-disposition');
    expect((query.body as { detail: string }).detail).toContain('expected a JSON object');
  });
});

describe.each(layerNames)('GET /layers/%s/mistakes', (name) => {
  it('lists the known mistakes, each with a case that shows it', async () => {
    const response = await service().client.get(`/layers/${name}/mistakes`).expect(200);
    const { layer, mistakes } = response.body as {
      layer: string;
      mistakes: { id: string; fix: string; ways?: unknown }[];
    };
    expect(layer).toBe(name);
    const known = allChecks.find((checks) => checks.layer.name === name)?.mistakes ?? [];
    expect(mistakes.map(({ id }) => id)).toEqual(expect.arrayContaining(known.map(({ id }) => id)));
    for (const mistake of mistakes) expect(Object.keys(mistake)).not.toContain('ways');
    const last = known[known.length - 1];
    const { forward } = await caseOf(name, { mistake: last.id });
    expect(forward).toMatchObject(neededOptions(last));
  });
});

describe('a check', () => {
  const forward = {
    x: [
      [1, 2],
      [3, 6],
      [5, 1],
    ],
    gamma: [1, 1],
    beta: [0, 1],
  };
  const backward = {
    dout: [
      [0.1, -0.2],
      [0.3, 0.5],
      [-0.4, 0.1],
    ],
  };

  it('names the mistake in each tensor, and the mistakes that the input hides', async () => {
    const claims = { dbeta: [0, 0.4 / 3], dgamma: [1, 2, 3] };
    const verdict = await checked('batchnorm', { forward, backward, claims });
    expect(verdict.pass).toBe(false);
    expect(verdict.tensors.dbeta.diagnosis[0].id).toBe('dbeta:mean_instead_of_sum');
    expect(verdict.tensors.dgamma.detail).toBe('dgamma has shape [3]; expected [2]');
    const other = await checked('batchnorm', {
      forward,
      claims: {
        out: [
          [0, 0],
          [0, 0],
          [0, 0],
        ],
      },
    });
    const hidden = other.indistinguishable.find(({ id }) => id === 'beta_scaled');
    expect(hidden?.try).toEqual({ route: 'POST /batchnorm/check/case', body: { mistake: 'beta_scaled' } });
  });

  it('writes values that are not finite as strings', async () => {
    const claims = { dbeta: ['NaN', 0.4] };
    const verdict = await checked('batchnorm', { forward, backward, claims });
    expect(verdict.tensors.dbeta).toMatchObject({
      pass: false,
      max_absolute_error: 'Infinity',
      worst: { index: [0], claimed: 'NaN' },
    });
  });

  it('compares every element with a separate bound, regardless of larger elements', async () => {
    const x = [[1], [100000000]];
    const rows = await checked('linear', {
      forward: { x, weight: [[1]] },
      claims: { out: [[100], [100000000]] },
    });
    expect(rows.tensors.out).toMatchObject({ pass: false, worst: { index: [0, 0] }, statistics: { wrong: 1 } });
    const channels = {
      x: [
        [25, 50000],
        [35, 90000],
        [45, 130000],
      ],
      dtype: 'float32',
    };
    const claim = async (first: number) =>
      (await checked('batchnorm', { forward: channels, claims: { var: [first, 1.066666624e9] } })).tensors.var;
    expect(await claim(-900)).toMatchObject({ pass: false, worst: { index: [0] } });
    // (10² + 0² + 10²) / 3
    expect(await claim(66.666664)).toMatchObject({ pass: true });
  });

  it('compares in the dtype of the request, in which the right value may be infinite', async () => {
    const claim = async (dtype: string, value: unknown) =>
      (await checked('linear', { forward: { x: [[3e38]], weight: [[2]], dtype }, claims: { out: [[value]] } })).pass;
    expect(await claim('float32', 'Infinity')).toBe(true);
    expect(await claim('float32', '-Infinity')).toBe(false);
    expect(await claim('float32', 3.4e38)).toBe(false);
    expect(await claim('float64', 6e38)).toBe(true);
    expect(await claim('float64', 'Infinity')).toBe(false);
  });

  it('passes an infinity from overflowing terms of a finite sum in float32, and nothing else', async () => {
    const forward = { x: [[3e38, 3e38, -3e38]], weight: [[1, 1, 1]], dtype: 'float32' };
    const { out } = await call(service(), 'linear', { ...forward, session: false });
    const claim = async (value: unknown) => (await checked('linear', { forward, claims: { out: [[value]] } })).pass;
    expect(out).toEqual([['Infinity']]);
    expect(await claim('Infinity')).toBe(true);
    expect(await claim(3e38)).toBe(true);
    for (const value of ['-Infinity', 'NaN', 1, 3.4e38]) expect(await claim(value), String(value)).toBe(false);
  });

  it('does not accept a negative number as a rounded variance', async () => {
    const x = [[100_000_001], [100_000_002], [100_000_003]];
    for (const dtype of ['float64', 'float32']) {
      const claim = async (name: string, value: number) => {
        const forward = { x, running_mean: [0], running_var: [1], dtype };
        return (await checked('batchnorm', { forward, claims: { [name]: [value] } })).pass;
      };
      for (const name of ['var', 'running_var']) expect(await claim(name, -50), name).toBe(false);
    }
  });

  it('names no mistake if the claim may be a print of zeros', async () => {
    const forward = { x: [[[0.5], [1]]], weight_ih: [[1]], weight_hh: [[0.5]] };
    const backward = { dout: [[[1e-6], [2e-6]]] };
    const { tensors } = await checked('rnn', { forward, backward, claims: { dx: [[[0], [0]]] } });
    expect(tensors.dx).toMatchObject({ pass: false, diagnosis: [] });
  });

  it('makes no statement about the whole tensor if only one element is wrong', async () => {
    const identity = { weight: [[1]] };
    const far = await checked('linear', { forward: { x: [[1], [1e8]], ...identity }, claims: { out: [[100], [1e8]] } });
    expect(far.tensors.out).toMatchObject({ pass: false, statistics: { offset: null } });
    const off = await checked('linear', {
      forward: { x: [[1], [2], [300]], ...identity },
      claims: { out: [[1], [2], [301]] },
    });
    expect(JSON.stringify(off)).not.toContain('float16');
    const flipped = await checked('linear', {
      forward: {
        x: [[1, 2]],
        weight: [
          [1, 0],
          [0, 1],
          [1, 1],
        ],
        bias: [0, 0, 0],
      },
      backward: { dout: [[-1.4500791, 1.9252727, 1.2520548]] },
      claims: { dbias: [1.4500791, 1.9252727, 1.2520548] },
    });
    expect(flipped.tensors.dbias).toMatchObject({ pass: false, diagnosis: [] });
  });

  it('writes float32 values as their shortest decimals', async () => {
    const forward = { x: [[1.1]], weight: [[3]], dtype: 'float32' };
    const { tensors } = await checked('linear', { forward, claims: { out: [[3.4]] } });
    expect(tensors.out).toMatchObject({ worst: { expected: 3.3000002, claimed: 3.4 } });
  });

  it('compares a print to half a unit of its last digit, and says how many digits are right', async () => {
    const claim = async (out: number[][], more = {}) =>
      (await checked('linear', { forward: { x: [[1], [2]], weight: [[1.23456789]] }, claims: { out }, ...more }))
        .tensors.out;
    expect(await claim([[1.2346], [2.4691]])).toMatchObject({
      pass: true,
      diagnosis: [],
      notes: [{ id: 'rounded', explanation: 'Correct to 4 decimals, all that the claim has.' }],
    });
    expect(await claim([[1.2346], [2.4692]])).toMatchObject({ pass: false, diagnosis: [] });
    expect(await claim([[1.2], [2.5]])).toMatchObject({ pass: false });
    expect(await claim([[1.2346], [2.4691]], { rtol: 1e-6 })).toMatchObject({ pass: false, diagnosis: [] });
  });

  it('uses the dropout mask of the implementation', async () => {
    const dropout = { x: [1, 2, 4, 8], rate: 0.75, mask: [0, 1, 0, 1] };
    const claims = { out: [0, 8, 0, 32], dx: [0, 4, 0, 4] };
    const right = await checked('dropout', { forward: dropout, backward: { dout: [1, 1, 1, 1] }, claims });
    expect(right.pass).toBe(true);
    const wrong = await checked('dropout', {
      forward: dropout,
      backward: { dout: [1, 2, 3, 4] },
      claims: { ...claims, dx: [4, 8, 12, 16] },
    });
    expect(wrong.tensors.dx.diagnosis[0].id).toBe('dx:missing_factor');
  });

  const refused = async (body: object, status: number, pointer: string, detail: RegExp, layer = 'batchnorm') => {
    const response = await service().client.post(`/${layer}/check`).send(body);
    expect(response.status).toBe(status);
    const problem = response.body as { detail: string; errors: { pointer: string }[] };
    expect(problem.detail).toMatch(detail);
    expect(problem.errors.map((place) => place.pointer)).toContain(pointer);
  };

  it('refuses whatever cannot be checked, and says where', async () => {
    const claims = { out: [[0]] };
    await refused({ forward, claims: {} }, 400, '/claims', /\/claims is empty; expected at least one of out, /);
    await refused({ forward, claims: { dx: [[0]] } }, 400, '/backward', /because dx is claimed/);
    await refused({ forward, claims: { y: [1] } }, 400, '/claims/y', /\/claims\/y is unknown; expected one of out/);
    await refused({ forward, claims: { out: [[1, 'a']] } }, 400, '/claims/out/0/1', /"a"/);
    await refused({ forward: { ...forward, gamma: [1] }, claims }, 422, '/forward/gamma', /gamma has shape \[1\]/);
    await refused(
      { forward: { x: forward.x }, backward, claims: { dgamma: [1, 1] } },
      422,
      '/claims/dgamma',
      /gamma was not given/,
    );
    await refused({ forward, claims: { running_mean: [1, 1] } }, 422, '/claims/running_mean', /was not given/);
    await refused({ forward, backward: { dout: [[1]] }, claims }, 422, '/backward/dout', /dout has shape \[1, 1\]/);
    await refused({ forward, claims, rtol: -1 }, 400, '/rtol', /at least 0/);
    const dropout = { x: [1, 2], mask: [0, 2] };
    await refused(
      { forward: dropout, claims: { out: [0, 0] } },
      422,
      '/forward/mask',
      /mask holds 2; expected only 0 and 1/,
      'dropout',
    );
    await refused(
      { forward: { x: [1, 2] }, claims: { out: [0, 0] } },
      422,
      '/forward/seed',
      /seed is missing/,
      'dropout',
    );
    const short = { x: [1, 2], mask: [0] };
    await refused(
      { forward: short, claims: { out: [0, 0] } },
      422,
      '/forward/mask',
      /mask has shape \[1\]; expected \[2\]/,
      'dropout',
    );
  });

  it('compares an input that is too large to look for mistakes, and says so', async () => {
    const small = await serve({ WORK_LIMIT_OPERATIONS: '10000' });
    const response = await small.client
      .post('/batchnorm/check')
      .send({ forward, backward, claims: { dbeta: [0, 0.4] } });
    expect(response.status).toBe(200);
    expect(response.body).toMatchObject({
      pass: true,
      indistinguishable: [],
      notes: [{ id: 'mistakes_not_tried' }],
    });
    const wrong = await small.client.post('/batchnorm/check').send({ forward, backward, claims: { dbeta: [1, 0.8] } });
    const { dbeta } = (wrong.body as Diagnosed).tensors;
    expect(dbeta).toMatchObject({ pass: false, diagnosis: [], statistics: { wrong: 2, of: 2 } });
  });

  it('refuses more work than the limit', async () => {
    const small = await serve({ WORK_LIMIT_OPERATIONS: '1000' });
    const response = await small.client.post('/batchnorm/check').send({ forward, claims: { out: forward.x } });
    expect(response.status).toBe(413);
    expect((response.body as { detail: string }).detail).toMatch(
      /^the check needs \d+ operations; expected at most 1000/,
    );
  });

  it('refuses a case for an unknown mistake, and an unknown query', async () => {
    const unknown = await service().client.get('/rnn/check/case?mistake=typo').expect(400);
    expect((unknown.body as { detail: string }).detail).toContain('GET /layers/rnn/mistakes');
    await service().client.get('/rnn/check/case?seed=-1').expect(400);
    await service().client.get('/rnn/check/case?sed=1').expect(400);
    await service().client.get('/layers/none/mistakes').expect(404);
  });
});
