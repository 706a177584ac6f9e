/**
 * A proxy that validates requests and responses against the OpenAPI document passes those of the service, and no
 * others.
 */
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import express, { type ErrorRequestHandler } from 'express';
import { error, middleware } from 'express-openapi-validator';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { backwardWith, checkWith, forwardWith, good, layerNames, type Body } from '../support/requests.js';
import { serveAll } from '../support/service.js';

type ApiSpec = Parameters<typeof middleware>[0]['apiSpec'];

const service = serveAll();
let server: ReturnType<ReturnType<typeof express>['listen']> | undefined;
/** The number of requests that the proxy has sent to the service. */
let passed = 0;

beforeAll(async () => {
  const { client, url } = service();
  const apiSpec = (await client.get('/openapi.json').expect(200)).body as ApiSpec;
  const proxy = express();
  proxy.use(express.json());
  proxy.use(middleware({ apiSpec, validateRequests: true, validateResponses: true }));
  proxy.use(async ({ method, originalUrl, body }, response) => {
    passed++;
    const headers = { 'content-type': 'application/json' };
    const sent = method === 'POST' ? { headers, body: JSON.stringify(body) } : {};
    const answer = await fetch(`${url}${originalUrl}`, { method, ...sent });
    response.status(answer.status).type(answer.headers.get('content-type') ?? 'none');
    response.json(await answer.json());
  });
  const refuse: ErrorRequestHandler = (refused: unknown, _request, response, next) => {
    if (refused instanceof error.BadRequest) response.status(400).json({ proxy: refused.errors });
    else next(refused);
  };
  proxy.use(refuse);
  server = proxy.listen(0, '127.0.0.1');
  await once(server, 'listening');
});
afterAll(() => server?.close());

async function ask(path: string, body?: Body): Promise<{ status: number; body: Body }> {
  const { port } = server?.address() as AddressInfo;
  const headers = { 'content-type': 'application/json' };
  const answer = await fetch(
    `http://127.0.0.1:${port}${path}`,
    body === undefined ? {} : { method: 'POST', headers, body: JSON.stringify(body) },
  );
  return { status: answer.status, body: (await answer.json()) as Body };
}

describe.each(layerNames)('a validating proxy passes, for %s,', (layer) => {
  it('forward, backward, a check and a case', async () => {
    const forward = await ask(`/${layer}/forward`, forwardWith(layer, {}));
    expect(forward).toMatchObject({ status: 200, body: { session: expect.stringMatching(/./) as string } });
    const { session } = forward.body;
    const backward = await ask(`/${layer}/backward`, { session, ...good[layer].backward });
    expect(backward.status).toBe(200);
    expect(await ask(`/${layer}/backward`, backwardWith(layer, {}))).toEqual(backward);
    expect((await ask(`/${layer}/check`, checkWith(layer))).body).toMatchObject({ pass: false });
    expect((await ask(`/${layer}/check/case?seed=3&answers=true`)).status).toBe(200);
    expect((await ask(`/sessions/${session as string}?values=true`)).body).toMatchObject({ layer });
  });
});

it('a validating proxy passes a request that only the service can refuse, and its problem', async () => {
  const { status, body } = await ask('/linear', { x: [[1, 2]], weight: [[1]] });
  expect(status).toBe(422);
  expect(body).toMatchObject({ type: '/problems/shape-mismatch' });
  expect((await ask('/linear', { x: [['Infinity']], weight: [[0]] })).body).toMatchObject({ out: [['NaN']] });
});

it.each<[string, Body, string]>([
  ['/linear', { weight: [[1]] }, '/body/x'],
  ['/linear', { x: [[1]], weight: [[1]], wieght: [[1]] }, '/body/wieght'],
  ['/linear', { x: [[]], weight: [[1]] }, '/body/x/0'],
  ['/linear', { x: [['1']], weight: [[1]] }, '/body/x/0/0'],
  ['/linear', { x: [[null]], weight: [[1]] }, '/body/x/0/0'],
  ['/linear', { x: 1, weight: [[1]] }, '/body/x'],
  ['/dropout', { x: [1], rate: 1.5 }, '/body/rate'],
  ['/dropout', { x: [1], rate: '0.5' }, '/body/rate'],
  ['/dropout', { x: [1], dtype: 'float8' }, '/body/dtype'],
  ['/convolution', { x: [[[1]]], weight: [[[1]]], padding: [[1, 1, 1]] }, '/body/padding/0'],
  ['/convolution', { x: [[[1]]], weight: [[[1]]], padding: [[1]] }, '/body/padding/0'],
  ['/convolution', { x: [[[1]]], weight: [[[1]]], padding: 'same_upper' }, '/body/padding'],
  ['/pooling', { x: [[[1]]], kernel_size: 1 }, '/body/mode'],
])('a validating proxy stops requests that the service would refuse: %s %j', async (path, body, place) => {
  const before = passed;
  const stopped = await ask(path, body);
  expect(stopped.status).toBe(400);
  expect((stopped.body.proxy as { path: string }[]).map((fault) => fault.path)).toContain(place);
  expect(passed).toBe(before);
  expect((await service().client.post(path).send(body)).status).toBe(400);
});
