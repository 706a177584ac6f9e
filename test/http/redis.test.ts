/** The service with Redis as seen by its clients: Redis unavailable, restarted, or full. */
import { expect, it } from 'vitest';
import { bearer, keysFile } from '../support/keys.js';
import { compiled, startProcess } from '../support/process.js';
import { expectProblem, type Refusal } from '../support/problem.js';
import { backwardWith, forwardWith, good, layerNames } from '../support/requests.js';
import { describeWithRedis, sharedRedis, startRedis } from '../support/redis.js';
import { call, serve, type Service } from '../support/service.js';
import { until } from '../support/until.js';

const AWAY = {
  status: 503,
  type: 'session-store-unavailable',
  says: /^the session store does not answer \([\w ]+\); try again$/,
} as const;

/** The message for a call, which could do without a session. */
const CALL_AWAY = {
  ...AWAY,
  says: /^the session store does not answer \([\w ]+\); try again\. Send "session": false to forward, and the forward request instead of the token to backward$/,
} as const;

function expectAway(answer: Refusal, expected: Parameters<typeof expectProblem>[1] = AWAY): void {
  expectProblem(answer, expected);
  expect(answer.headers).toMatchObject({ 'retry-after': '1' });
}

const statusOf = async ({ client }: Service) => (await client.get('/health/ready')).status;

describeWithRedis('sessions over Redis', () => {
  const redis = sharedRedis();

  it.each(layerNames)('return the same gradients of %s as without a session, at any replica', async (name) => {
    const replicas = [await serve({ SESSION_STORE: redis().url }), await serve({ SESSION_STORE: redis().url })];
    for (const dtype of ['float64', 'float32']) {
      const forward = forwardWith(name, { dtype });
      const { session } = await call(replicas[0], name, forward);
      expect(session).toMatch(/^[\w-]{32}$/);
      const body = { session, ...good[name].backward };
      const stateless = await call(replicas[0], `${name}/backward`, { forward, ...good[name].backward });
      for (const replica of replicas) expect(await call(replica, `${name}/backward`, body)).toEqual(stateless);
      const seen = [];
      for (const { client } of replicas) {
        const answer = await client.get(`/sessions/${session}?values=true`).expect(200);
        const { expires: _, ...others } = answer.body as Record<string, unknown>;
        seen.push(others);
      }
      expect(seen[0]).toEqual(seen[1]);
      await call(replicas[1], `${name}/backward`, { ...body, release: true });
      for (const { client } of replicas) await client.post(`/${name}/backward`).send(body).expect(404);
    }
  });

  it('belong to the key that made them, at every replica', async () => {
    const { path, keys } = keysFile('a', 'b');
    const variables = { SESSION_STORE: redis().url, API_KEYS_FILE: path };
    const replicas = [await serve(variables), await serve(variables)];
    const made = await replicas[0].client.post('/linear').set(bearer(keys.a)).send(good.linear.forward).expect(200);
    const { session } = made.body as { session: string };
    const backward = (replica: Service, key: string, more = {}) =>
      replica.client
        .post('/linear/backward')
        .set(bearer(key))
        .send({ session, ...good.linear.backward, ...more });
    for (const replica of replicas) {
      await backward(replica, keys.b).expect(404);
      await backward(replica, keys.b, { release: true }).expect(404);
      await replica.client.get(`/sessions/${session}`).set(bearer(keys.b)).expect(404);
      await replica.client.delete(`/sessions/${session}`).set(bearer(keys.b)).expect(404);
      await backward(replica, keys.a).expect(200);
      await replica.client.get(`/sessions/${session}`).set(bearer(keys.a)).expect(200);
    }
    await backward(replicas[1], keys.a, { release: true }).expect(200);
    await backward(replicas[0], keys.a).expect(404);
  });

  it('are not the only shared state: replicas also count the requests of a client together', async () => {
    const { path, keys } = keysFile('a', 'b', 'first', 'second');
    const variables = { SESSION_STORE: redis().url, API_KEYS_FILE: path, RATE_LIMIT_PER_MINUTE: '4' };
    const replicas = [await serve(variables), await serve(variables)];
    // A replica counts requests as soon as it is connected; it does not wait for that to start.
    for (const [i, own] of [keys.first, keys.second].entries())
      await until(async () => {
        await replicas[i].client.get('/layers/linear').set(bearer(own));
        expect(await redis().admin.keys('layerd:rate:*')).toHaveLength(i + 1);
      });
    for (const key of [keys.a, keys.b]) {
      const ask = ({ client }: Service) => client.get('/layers/linear').set(bearer(key));
      for (let i = 0; i < 4; i++) await ask(replicas[i % 2]).expect(200);
      for (const replica of replicas) {
        const refused = await ask(replica);
        expectProblem(refused, {
          status: 429,
          type: 'too-many-requests',
          says: 'this key has sent more than 4 requests in a minute; expected at most 4',
        });
        expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0);
      }
    }
    const kept = await redis().admin.keys('layerd:rate:*');
    expect(kept).toHaveLength(4);
    for (const key of kept) expect(await redis().admin.pttl(key)).toBeGreaterThan(0);
  });

  it('are released once, by only one of many requests', async () => {
    const service = await serve({ SESSION_STORE: redis().url });
    const { session } = await call(service, 'linear', good.linear.forward);
    const { client } = service;
    const deleted = await Promise.all(Array.from({ length: 10 }, () => client.delete(`/sessions/${session}`)));
    expect(deleted.map(({ status }) => status).sort()).toEqual([204, ...Array<number>(9).fill(404)]);
  });

  it('belong to one layer, as in memory', async () => {
    const service = await serve({ SESSION_STORE: redis().url });
    const { session } = await call(service, 'linear', good.linear.forward);
    await service.client
      .post('/dropout/backward')
      .send({ session, ...good.dropout.backward })
      .expect(409);
  });

  it('leave out gauges that only Redis could report', async () => {
    const service = await serve({ SESSION_STORE: redis().url });
    await call(service, 'linear', good.linear.forward);
    const { text } = await service.client.get('/metrics').expect(200);
    expect(text).not.toMatch(/^layerd_sessions(_bytes)? /m);
    expect(text).toMatch(/^layerd_worker_threads_busy 0$/m);
  });

  it('may be as large as the budget', async () => {
    const service = await serve({ SESSION_STORE: redis().url, SESSION_BUDGET_BYTES: '2000' });
    const request = (columns: number) => ({ x: [Array(columns).fill(1)], weight: [Array(columns).fill(1)] });
    await call(service, 'linear', request(20));
    const refused = await service.client.post('/linear').send(request(100));
    expectProblem(refused, {
      status: 413,
      type: 'session-too-large',
      says: /needs \d+ bytes; at most 2000 can be kept/,
    });
  });
});

describeWithRedis('a Redis that goes away', () => {
  it('affects only requests that need it, and serves its sessions again afterwards', async () => {
    const redis = await startRedis('appendonly yes', 'appendfsync always');
    const service = await serve({ SESSION_STORE: redis.url });
    const { client } = service;
    const { session } = await call(service, 'linear', good.linear.forward);
    const body = { session, ...good.linear.backward };
    const gradients = await call(service, 'linear/backward', body);
    expect(await statusOf(service)).toBe(200);

    await redis.kill();
    await until(async () => {
      expect(await statusOf(service)).toBe(503);
    });
    expectAway(await client.get('/health/ready'));
    const index = (await client.post('/v2/repository/index').expect(200)).body as object[];
    expect(index).toHaveLength(2 * layerNames.length);
    for (const entry of index)
      expect(entry).toMatchObject({ state: 'UNAVAILABLE', reason: expect.stringMatching(AWAY.says) as string });
    expect((await client.post('/v2/repository/index').send({ ready: true }).expect(200)).body).toEqual([]);
    expectAway(await client.post('/linear').send(good.linear.forward), CALL_AWAY);
    expectAway(await client.post('/linear/backward').send(body), CALL_AWAY);
    expectAway(await client.get(`/sessions/${session}`));
    expectAway(await client.delete(`/sessions/${session}`));
    for (const name of layerNames) {
      await call(service, name, forwardWith(name, { session: false }));
      await call(service, `${name}/backward`, backwardWith(name, {}));
    }
    await client.get('/health/live').expect(200);
    await client.get('/metrics').expect(200);

    await redis.restart();
    await until(async () => {
      expect(await statusOf(service)).toBe(200);
    });
    expect(await call(service, 'linear/backward', { ...body, release: true })).toEqual(gradients);
    await client.post('/linear/backward').send(body).expect(404);
    expect(JSON.stringify(service.log)).not.toContain(session);
  });

  it('does not withhold an answer because the session cannot be deleted', async () => {
    const redis = await startRedis();
    const service = await serve({ SESSION_STORE: redis.url });
    const { session } = await call(service, 'linear', good.linear.forward);
    // The server may use sessions, but not delete them.
    await redis.admin.acl('SETUSER', 'default', '-unlink');
    const body = { session, ...good.linear.backward };
    const kept = await call(service, 'linear/backward', body);
    expect(await call(service, 'linear/backward', { ...body, release: true })).toEqual(kept);
    expectAway(await service.client.delete(`/sessions/${session}`));
  });

  it('suspends rate limits while it is unavailable, and enforces them afterwards', async () => {
    const redis = await startRedis();
    const { client } = await serve({ SESSION_STORE: redis.url, RATE_LIMIT_PER_MINUTE: '2' });
    await redis.kill();
    for (let i = 0; i < 5; i++) await client.get('/layers/linear').expect(200);
    await redis.restart();
    await until(() => client.get('/layers/linear').expect(429));
  });

  it('may be unavailable when the service starts', async () => {
    const redis = await startRedis();
    await redis.kill();
    const service = await serve({ SESSION_STORE: redis.url });
    expectAway(await service.client.get('/health/ready'));
    await redis.restart();
    await until(async () => {
      expect(await statusOf(service)).toBe(200);
    });
    await call(service, 'linear', good.linear.forward);
  });
});

describeWithRedis('a full Redis', () => {
  it('refuses new sessions, and keeps all existing ones', async () => {
    const redis = await startRedis('maxmemory 6mb');
    const service = await serve({ SESSION_STORE: redis.url });
    const row = Array.from({ length: 20_000 }, (_, i) => i / 7);
    const request = { x: [row], weight: [row] };
    const sessions: string[] = [];
    for (;;) {
      const answer = await service.client.post('/linear').send(request);
      if (answer.status !== 200) {
        expectProblem(answer, {
          status: 503,
          type: 'session-store-full',
          says: /all memory of the session store is in use by live/,
        });
        expect(answer.headers).toMatchObject({ 'retry-after': '10' });
        break;
      }
      sessions.push((answer.body as { session: string }).session);
      expect(sessions.length).toBeLessThan(40);
    }
    expect(sessions.length).toBeGreaterThan(2);
    expect(await statusOf(service)).toBe(200);
    await call(service, 'linear', { ...request, session: false });
    for (const session of sessions)
      expect(await call(service, 'linear/backward', { session, dout: [[1]] })).toMatchObject({ dx: [row] });
    for (const session of sessions.slice(0, 2)) await service.client.delete(`/sessions/${session}`).expect(204);
    await call(service, 'linear', request);
  });
});

describeWithRedis('several processes and replicas', () => {
  const entry = compiled();
  const redis = sharedRedis();

  it('share the sessions of one Redis, on event loops and on threads', async () => {
    const environment = { SESSION_STORE: redis().url, PROCESSES: '2', WORKERS: '1' };
    const replicas = [await startProcess(entry(), environment), await startProcess(entry(), environment)];
    // Its JSON is over 256 KiB, so it goes to a thread.
    const N = 128;
    const x = Array.from({ length: N }, (_, n) => Array.from({ length: N }, (_, c) => Math.sin(n * N + c)));
    const dout = x.map((row) => row.map((value) => Math.cos(value)));
    const post = async (replica: number, path: string, body: object) => {
      const response = await fetch(`http://127.0.0.1:${replicas[replica].port}/${path}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', connection: 'close' },
        body: JSON.stringify(body),
      });
      return { status: response.status, body: (await response.json()) as Record<string, unknown> };
    };
    for (const [request, upstream] of [
      [{ x }, dout],
      [{ x: [[1], [2], [4]] }, [[1], [0], [0]]],
    ]) {
      const stateless = await post(0, 'batchnorm/backward', { forward: request, dout: upstream });
      const { body } = await post(0, 'batchnorm', request);
      const { session } = body;
      for (const replica of [0, 1, 1, 0, 1])
        expect(await post(replica, 'batchnorm/backward', { session, dout: upstream })).toEqual(stateless);
      const last = { session, dout: upstream, release: true };
      expect(await post(1, 'batchnorm/backward', last)).toEqual(stateless);
      for (const replica of [0, 1]) expect((await post(replica, 'batchnorm/backward', last)).status).toBe(404);
    }
    // Small bodies with heavy arithmetic: the event loop finds the session, and passes it to a thread.
    const ones = (rows: number, columns: number) => Array.from({ length: rows }, () => Array<number>(columns).fill(1));
    const heavy = (await post(0, 'linear', { x: ones(64, 256), weight: ones(256, 256) })).body.session;
    const reads = async () => Number(/cmdstat_getex:calls=(\d+)/.exec(await redis().admin.info('commandstats'))?.[1]);
    const before = await reads();
    const gradients = await post(1, 'linear/backward', { session: heavy, dout: ones(64, 256), release: true });
    expect(gradients.body).toMatchObject({ dx: Array(64).fill(Array(256).fill(256)) });
    expect((await reads()) - before).toBe(1);
    expect((await post(0, 'linear/backward', { session: heavy, dout: ones(64, 256) })).status).toBe(404);
    // A replica that exits takes no session with it.
    const { body } = await post(0, 'batchnorm', { x });
    replicas[0].kill('SIGKILL');
    expect((await post(1, 'batchnorm/backward', { session: body.session, dout })).status).toBe(200);
    replicas[1].kill('SIGTERM');
    expect(await replicas[1].exited).toMatchObject({ code: 0 });
  });
});
