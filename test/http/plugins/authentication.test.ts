import { describe, expect, it } from 'vitest';
import { makeKey } from '../../../src/keys/keys.js';
import { bearer, keysFile } from '../../support/keys.js';
import { expectProblem } from '../../support/problem.js';
import { good } from '../../support/requests.js';
import { atScale } from '../../support/scale.js';
import { serve, type Answer, type Service } from '../../support/service.js';
import { until } from '../../support/until.js';

const unknown = (token: string) =>
  ({
    status: 404,
    type: 'unknown-session',
    says: /^there is no such session; a session expires 900 s after its last use/,
    at: token === '' ? [] : ['/session'],
  }) as const;

async function forward({ client }: Service, key: string): Promise<string> {
  const response = await client.post('/linear').set(bearer(key)).send(good.linear.forward).expect(200);
  return (response.body as Answer).session;
}

describe('with keys', () => {
  it('every route except the probes requires one', async () => {
    const { path, keys } = keysFile('a');
    const { client } = await serve({ API_KEYS_FILE: path });
    for (const probe of ['/health/live', '/health/ready']) await client.get(probe).expect(200);
    const refused = {
      status: 401,
      type: 'key-required',
      says: 'Authorization is absent; expected Authorization: Bearer and a valid API key',
    } as const;
    for (const route of [
      '/layers',
      '/layers/linear',
      '/metrics',
      '/docs/',
      '/docs/json',
      '/openapi.json',
      '/sessions/x',
    ]) {
      const response = await client.get(route);
      expectProblem(response, refused);
      expect(response.headers['www-authenticate']).toBe('Bearer realm="layerd"');
      const { status } = await client.get(route).set(bearer(keys.a));
      expect(status, route).toBe(route === '/sessions/x' ? 404 : 200);
    }
    for (const route of ['/linear', '/linear/forward', '/linear/backward', '/nothing', '/layers'])
      expectProblem(await client.post(route).send(good.linear.forward), refused);
    expectProblem(await client.delete('/sessions/x'), refused);
    await client.post('/linear').set(bearer(keys.a)).send(good.linear.forward).expect(200);
  });

  it('no other key is accepted, in any form', async () => {
    const { path, keys } = keysFile('a');
    const { client } = await serve({ API_KEYS_FILE: path });
    const { key } = makeKey('a');
    for (const [authorization, says] of [
      [`Bearer ${key}`, 'the API key is not valid; expected a valid API key'],
      [`Bearer ${keys.a}x`, 'the API key is not valid; expected a valid API key'],
      [keys.a, 'the scheme of Authorization is not Bearer; expected Bearer and a valid API key'],
      ['Bearer', 'the scheme of Authorization is not Bearer; expected Bearer and a valid API key'],
      [`Bearer ${keys.a} ${keys.a}`, 'the scheme of Authorization is not Bearer; expected Bearer and a valid API key'],
      [`Basic ${keys.a}`, 'the scheme of Authorization is not Bearer; expected Bearer and a valid API key'],
    ] as const) {
      const response = await client.get('/layers').set({ authorization });
      expectProblem(response, { status: 401, type: 'key-required', says });
      expect(response.headers['www-authenticate']).toBe('Bearer realm="layerd", error="invalid_token"');
    }
    await client
      .get('/layers')
      .set({ authorization: `bearer  ${keys.a}` })
      .expect(200);
  });

  it('a session is available only to its maker; to others it does not exist', async () => {
    const { path, keys } = keysFile('a', 'b');
    const service = await serve({ API_KEYS_FILE: path });
    const { client } = service;
    const session = await forward(service, keys.a);
    const backward = (key: string, more = {}) =>
      client
        .post('/linear/backward')
        .set(bearer(key))
        .send({ session, ...good.linear.backward, ...more });
    expectProblem(await backward(keys.b), unknown('/session'));
    expectProblem(await backward(keys.b, { release: true }), unknown('/session'));
    // Nor may others learn the layer of the session.
    const other = await client
      .post('/dropout/backward')
      .set(bearer(keys.b))
      .send({ session, ...good.dropout.backward });
    expectProblem(other, unknown('/session'));
    expectProblem(await client.get(`/sessions/${session}`).set(bearer(keys.b)), unknown(''));
    expectProblem(await client.delete(`/sessions/${session}`).set(bearer(keys.b)), unknown(''));
    await backward(keys.a).expect(200);
    await client.get(`/sessions/${session}`).set(bearer(keys.a)).expect(200);
    await client.delete(`/sessions/${session}`).set(bearer(keys.a)).expect(204);
    expectProblem(await backward(keys.a), unknown('/session'));
  });

  const GUESSES = atScale({ all: 10_000, quick: 500 });
  it(`none of ${GUESSES} guessed or exchanged tokens is accepted`, async () => {
    const { path, keys } = keysFile('a', 'b');
    const service = await serve({ API_KEYS_FILE: path, LOG_LEVEL: 'silent' });
    const own: Record<string, string[]> = { a: [], b: [] };
    for (let i = 0; i < 10; i++) for (const name of ['a', 'b']) own[name].push(await forward(service, keys[name]));
    const statuses = new Map<number, number>();
    for (let i = 0; i < GUESSES; i++) {
      const [mine, theirs] = i % 2 ? ['a', 'b'] : ['b', 'a'];
      const token = own[theirs][i % 10];
      const at = i % token.length;
      const changed = token.slice(0, at) + (token[at] === 'A' ? 'B' : 'A') + token.slice(at + 1);
      const key = i % 3 === 2 ? keys[theirs] : keys[mine];
      const { statusCode } = await service.app.inject({
        method: 'POST',
        url: '/linear/backward',
        headers: bearer(key),
        payload: { session: i % 3 === 0 ? token : changed, ...good.linear.backward },
      });
      statuses.set(statusCode, (statuses.get(statusCode) ?? 0) + 1);
    }
    expect(statuses).toEqual(new Map([[404, GUESSES]]));
  });

  it('the file is reread when it changes, and an invalid one changes nothing', async () => {
    const { path, keys, write } = keysFile('a');
    const { client, log } = await serve({ API_KEYS_FILE: path });
    const fresh = makeKey('b');
    const status = async (key: string) => (await client.get('/layers').set(bearer(key))).status;
    write(['not a line']);
    await until(() => {
      expect(log).toContainEqual(
        expect.objectContaining({ level: 50, msg: 'cannot reload the API keys; the previous ones remain valid' }),
      );
    });
    expect(await status(keys.a)).toBe(200);
    write([fresh.line]);
    await until(async () => {
      expect(await status(fresh.key)).toBe(200);
    });
    expect(await status(keys.a)).toBe(401);
    expect(log).toContainEqual(expect.objectContaining({ msg: 'API keys reloaded', keys: ['b'] }));
  });

  it('the log contains the name of the key, but neither the key nor its hash', async () => {
    const { path, keys } = keysFile('trainer');
    const service = await serve({ API_KEYS_FILE: path, LOG_LEVEL: 'trace' }, (app) => {
      app.get('/failure', () => {
        throw new Error('the inside');
      });
    });
    const { client } = service;
    const session = await forward(service, keys.trainer);
    await client.get('/failure').set(bearer(keys.trainer)).expect(500);
    await client.get(`/sessions/${session}?key=${keys.trainer}`).set(bearer(keys.trainer));
    await client.get('/layers').set(bearer('layerd_wrong-key'));
    await client.get('/layers').set({ authorization: keys.trainer });
    await client.get('/%zz').set(bearer(keys.trainer));
    await until(() => {
      expect(service.log.filter(({ msg }) => msg === 'request')).toHaveLength(6);
    });
    const text = JSON.stringify(service.log);
    for (const secret of [keys.trainer, session, 'layerd_wrong-key', keys.trainer.slice(7)])
      expect(text).not.toContain(secret);
    expect(text).not.toMatch(/[0-9a-f]{64}/);
    const named = service.log.filter(({ key }) => key !== undefined);
    expect(named.map(({ key }) => key)).toEqual(['trainer', 'trainer', 'trainer']);
  });

  it('the OpenAPI document describes how to send them', async () => {
    const { path, keys } = keysFile('a');
    const { client } = await serve({ API_KEYS_FILE: path });
    const response = await client.get('/openapi.json').set(bearer(keys.a)).expect(200);
    expect(response.body).toMatchObject({
      components: { securitySchemes: { key: { type: 'http', scheme: 'bearer' } } },
      security: [{ key: [] }],
      paths: { '/health/live': { get: { security: [] } }, '/health/ready': { get: { security: [] } } },
    });
  });

  it('the service does not start if it cannot read them', async () => {
    await expect(serve({ API_KEYS_FILE: '/nowhere/keys' })).rejects.toThrow(
      /^API_KEYS_FILE \/nowhere\/keys cannot be used: ENOENT/,
    );
    const { path, write } = keysFile('a');
    write(['x']);
    await expect(serve({ API_KEYS_FILE: path })).rejects.toThrow(
      `API_KEYS_FILE ${path} cannot be used: line 1 is invalid; expected a name, a space, "sha256:" and 64 hexadecimal digits`,
    );
  });
});

it('without keys, the OpenAPI document requires none', async () => {
  const { client } = await serve();
  const { body } = (await client.get('/openapi.json').expect(200)) as { body: object };
  expect(body).toMatchObject({ security: [] });
});
