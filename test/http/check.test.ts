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
  it('passes the answers of its own cases, in either dtype, and keeps no session', async () => {
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

  it('passes what its own routes answer', async () => {
    const { forward, backward, answers } = await caseOf(name);
    const { mask: _, ...request } = forward as { mask?: unknown };
    const seeded = 'mask' in forward ? { ...request, seed: 5 } : request;
    const { session, ...outputs } = await call(service(), `${name}/forward`, seeded);
    const gradients = await call(service(), `${name}/backward`, { session, ...backward, release: true });
    const claims = Object.fromEntries(Object.entries({ ...outputs, ...gradients }).filter(([key]) => key !== 'seed'));
    expect(Object.keys(claims).sort()).toEqual(Object.keys(answers).sort());
    expect(await checked(name, { forward: seeded, backward, claims })).toMatchObject({ pass: true });
  });

  it('has an example in the OpenAPI document that passes as it stands', async () => {
    const response = await service().client.get('/openapi.json').expect(200);
    const { paths } = response.body as {
      paths: Record<string, { post: { requestBody: { content: Record<string, unknown> } } }>;
    };
    const { example } = paths[`/${name}/check`].post.requestBody.content['application/json'] as { example: Body };
    expect(Object.keys(example)).toEqual(['forward', 'backward', 'claims']);
    expect(await checked(name, example)).toMatchObject({ pass: true });
  });

  it('takes and gives safetensors, with names behind dots', async () => {
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

  it('gives cases that are the same for the same seed, and for GET and POST', async () => {
    const query = await service().client.get(`/${name}/check/case?seed=7&dtype=float32`).expect(200);
    const first = await call(service(), `${name}/check/case`, { seed: 7, dtype: 'float32' });
    expect(query.body).toEqual(first);
    expect(await call(service(), `${name}/check/case`, { seed: 8, dtype: 'float32' })).not.toEqual(first);
    expect(Object.keys(first)).toEqual(['forward', 'backward']);
    expect(first.forward).toMatchObject({ dtype: 'float32' });
  });
});

describe('a case', () => {
  it('has the options and the axes that were asked for', async () => {
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

  it('that hides a mistake names one like it that does not', async () => {
    const { forward, backward, answers } = await caseOf('convolution', {
      axes: 1,
      options: { transposed: true, stride: 1, dilation: 1 },
    });
    const { indistinguishable } = await checked('convolution', { forward, backward, claims: answers });
    const hidden = indistinguishable.find(({ id }) => id === 'stride_forgotten_in_backward');
    expect(hidden?.try.body).toEqual({
      mistake: 'stride_forgotten_in_backward',
      options: { transposed: true },
      axes: 1,
    });
    expect(indistinguishable.map(({ id }) => id)).not.toContain('kernel_axes_exchanged');
    const shown = await caseOf('convolution', hidden?.try.body);
    const verdict = await checked('convolution', { ...shown, answers: undefined, claims: shown.answers });
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
      'transposed is false; expected true, because the mistake is not made otherwise',
    ],
    [
      'fewer axes than the mistake needs',
      'convolution',
      { mistake: 'kernel_axes_exchanged', axes: 1 },
      422,
      '/axes',
      'axes is 1; expected 2 at least',
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

  it('refuses options that would take more work than is served, or are no JSON', async () => {
    const body = { options: { padding: 2 ** 20 } };
    const response = await service().client.post('/convolution/check/case').send(body).expect(413);
    expect((response.body as { detail: string }).detail).toMatch(/^the case would take \d+ operations/);
    const query = await service().client.get('/convolution/check/case?options={stride:2}').expect(400);
    expect((query.body as { detail: string }).detail).toContain('expected a JSON object');
  });
});

describe.each(layerNames)('GET /layers/%s/mistakes', (name) => {
  it('lists what is known, with a case that shows each', async () => {
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

  it('names the mistake of each tensor, and says which ones the input cannot show', async () => {
    const claims = { dbeta: [0, 0.4 / 3], dgamma: [1, 2, 3] };
    const verdict = await checked('batchnorm', { forward, backward, claims });
    expect(verdict.pass).toBe(false);
    expect(verdict.tensors.dbeta.diagnosis[0].id).toBe('parameter_gradients_averaged');
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
    const hidden = other.indistinguishable.find(({ id }) => id === 'gamma_missing');
    expect(hidden?.try).toEqual({ route: 'POST /batchnorm/check/case', body: { mistake: 'gamma_missing' } });
  });

  it('writes what is not finite as strings', async () => {
    const claims = { dbeta: ['NaN', 0.4] };
    const verdict = await checked('batchnorm', { forward, backward, claims });
    expect(verdict.tensors.dbeta).toMatchObject({
      pass: false,
      max_absolute_error: 'Infinity',
      worst: { index: [0], claimed: 'NaN' },
    });
  });

  it('takes the mask of dropout that the implementation drew', async () => {
    const dropout = { x: [1, 2, 4, 8], rate: 0.75, mask: [0, 1, 0, 1] };
    const claims = { out: [0, 8, 0, 32], dx: [0, 4, 0, 4] };
    const right = await checked('dropout', { forward: dropout, backward: { dout: [1, 1, 1, 1] }, claims });
    expect(right.pass).toBe(true);
    const wrong = await checked('dropout', {
      forward: dropout,
      backward: { dout: [1, 2, 3, 4] },
      claims: { ...claims, dx: [4, 8, 12, 16] },
    });
    expect(wrong.tensors.dx.diagnosis[0].id).toBe('mask_missing_in_backward');
  });

  const refused = async (body: object, status: number, pointer: string, detail: RegExp, layer = 'batchnorm') => {
    const response = await service().client.post(`/${layer}/check`).send(body);
    expect(response.status).toBe(status);
    const problem = response.body as { detail: string; errors: { pointer: string }[] };
    expect(problem.detail).toMatch(detail);
    expect(problem.errors.map((place) => place.pointer)).toContain(pointer);
  };

  it('refuses what cannot be checked, and says where', async () => {
    const claims = { out: [[0]] };
    await refused({ forward, claims: {} }, 400, '/claims', /\/claims is empty; expected one at least of out, /);
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
      /mask holds 2; expected 0 and 1/,
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

  it('compares what is too large to look for mistakes in, and says so', async () => {
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

  it('refuses more work than is served', async () => {
    const small = await serve({ WORK_LIMIT_OPERATIONS: '1000' });
    const response = await small.client.post('/batchnorm/check').send({ forward, claims: { out: forward.x } });
    expect(response.status).toBe(413);
    expect((response.body as { detail: string }).detail).toMatch(/^the check would take \d+ operations; at most 1000/);
  });

  it('refuses a case of a mistake that is not known, and a query that is not', async () => {
    const unknown = await service().client.get('/rnn/check/case?mistake=typo').expect(400);
    expect((unknown.body as { detail: string }).detail).toContain('GET /layers/rnn/mistakes');
    await service().client.get('/rnn/check/case?seed=-1').expect(400);
    await service().client.get('/rnn/check/case?sed=1').expect(400);
    await service().client.get('/layers/none/mistakes').expect(404);
  });
});
