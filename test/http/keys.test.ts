import { describe, expect, it, vi } from 'vitest';
import { makeKey } from '../../src/keys/keys.js';
import { bearer, keysFile } from '../support/keys.js';
import { expectProblem } from '../support/problem.js';
import { good } from '../support/requests.js';
import { serve, type Answer, type Service } from '../support/service.js';

const unknown = (token: string) =>
  ({
    status: 404,
    type: 'unknown-session',
    says: /^there is no such session; sessions live 900 s after their last use, here/,
    at: token === '' ? [] : ['/session'],
  }) as const;

async function forward({ client }: Service, key: string): Promise<string> {
  const response = await client.post('/linear').set(bearer(key)).send(good.linear.forward).expect(200);
  return (response.body as Answer).session;
}

describe('with keys', () => {
  it('every route but the probes wants one', async () => {
    const { path, keys } = keysFile('a');
    const { client } = await serve({ API_KEYS_FILE: path });
    for (const probe of ['/health/live', '/health/ready']) await client.get(probe).expect(200);
    const refused = {
      status: 401,
      type: 'key-required',
      says: 'no key came; expected Authorization: Bearer, and a key of this service',
    } as const;
    for (const route of [
      '/layers',
      '/layers/linear',
      '/metrics',
      '/docs',
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

  it('no other will do, in whatever form it comes', async () => {
    const { path, keys } = keysFile('a');
    const { client } = await serve({ API_KEYS_FILE: path });
    const { key } = makeKey('a');
    for (const [authorization, says] of [
      [`Bearer ${key}`, 'the key is none of this service; expected one that is in force'],
      [`Bearer ${keys.a}x`, 'the key is none of this service; expected one that is in force'],
      [keys.a, 'Authorization is of another scheme; expected Bearer, and a key of this service'],
      ['Bearer', 'Authorization is of another scheme; expected Bearer, and a key of this service'],
      [`Bearer ${keys.a} ${keys.a}`, 'Authorization is of another scheme; expected Bearer, and a key of this service'],
      [`Basic ${keys.a}`, 'Authorization is of another scheme; expected Bearer, and a key of this service'],
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

  it('a session is its maker’s alone: to others it does not exist', async () => {
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
    // The layer of another's session is nobody's business either.
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

  it('none of 10 000 guesses and swaps of tokens crosses', async () => {
    const { path, keys } = keysFile('a', 'b');
    const service = await serve({ API_KEYS_FILE: path, LOG_LEVEL: 'silent' });
    const own: Record<string, string[]> = { a: [], b: [] };
    for (let i = 0; i < 10; i++) for (const name of ['a', 'b']) own[name].push(await forward(service, keys[name]));
    const statuses = new Map<number, number>();
    for (let i = 0; i < 10_000; i++) {
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
    expect(statuses).toEqual(new Map([[404, 10_000]]));
  });

  it('the file is read again when it changes, and a wrong one changes nothing', async () => {
    const { path, keys, write } = keysFile('a');
    const { client, log } = await serve({ API_KEYS_FILE: path });
    const fresh = makeKey('b');
    const status = async (key: string) => (await client.get('/layers').set(bearer(key))).status;
    write(['not a line']);
    await vi.waitFor(
      () => {
        expect(log).toContainEqual(expect.objectContaining({ level: 50, msg: 'the keys from before stay in force' }));
      },
      { timeout: 10_000, interval: 100 },
    );
    expect(await status(keys.a)).toBe(200);
    write([fresh.line]);
    await vi.waitFor(
      async () => {
        expect(await status(fresh.key)).toBe(200);
      },
      { timeout: 10_000, interval: 100 },
    );
    expect(await status(keys.a)).toBe(401);
    expect(log).toContainEqual(expect.objectContaining({ msg: 'keys read again', keys: ['b'] }));
  });

  it('the log names the key, and has neither it nor its hash', async () => {
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
    await vi.waitFor(() => {
      expect(service.log.filter(({ msg }) => msg === 'request')).toHaveLength(6);
    });
    const text = JSON.stringify(service.log);
    for (const secret of [keys.trainer, session, 'layerd_wrong-key', keys.trainer.slice(7)])
      expect(text).not.toContain(secret);
    expect(text).not.toMatch(/[0-9a-f]{64}/);
    const named = service.log.filter(({ key }) => key !== undefined);
    expect(named.map(({ key }) => key)).toEqual(['trainer', 'trainer', 'trainer']);
  });

  it('the document says how they are shown', async () => {
    const { path, keys } = keysFile('a');
    const { client } = await serve({ API_KEYS_FILE: path });
    const response = await client.get('/openapi.json').set(bearer(keys.a)).expect(200);
    expect(response.body).toMatchObject({
      components: { securitySchemes: { key: { type: 'http', scheme: 'bearer' } } },
      security: [{ key: [] }],
      paths: { '/health/live': { get: { security: [] } }, '/health/ready': { get: { security: [] } } },
    });
  });

  it('that cannot be read the service does not start', async () => {
    await expect(serve({ API_KEYS_FILE: '/nowhere/keys' })).rejects.toThrow(
      /^API_KEYS_FILE \/nowhere\/keys cannot be used: ENOENT/,
    );
    const { path, write } = keysFile('a');
    write(['x']);
    await expect(serve({ API_KEYS_FILE: path })).rejects.toThrow(
      `API_KEYS_FILE ${path} cannot be used: line 1 is not "name sha256:" and 64 hex digits`,
    );
  });
});

it('without keys the document asks for none', async () => {
  const { client } = await serve();
  const { body } = (await client.get('/openapi.json').expect(200)) as { body: object };
  expect(body).not.toHaveProperty('security');
});
