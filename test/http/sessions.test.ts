import { describe, expect, it } from 'vitest';
import { expectProblem } from '../support/problem.js';
import { backwardWith, forwardWith, good, layerNames, schemasOf } from '../support/requests.js';
import { call, serve, serveAll, type Service } from '../support/service.js';

/** The bytes of an answer, for exact comparisons. */
async function text({ client }: Service, path: string, body: object): Promise<string> {
  return (await client.post(`/${path}`).send(body).expect(200)).text;
}

const unknown = {
  status: 404,
  type: 'unknown-session',
  at: ['/session'],
  says: 'there is no such session; a session expires 900 s after its last use. Call forward for a new one',
} as const;

describe.each(layerNames)('%s, forward then backward', (name) => {
  const service = serveAll();
  const { inputs, upstream, gradients } = schemasOf(name);

  it('returns a token, and a gradient for every tensor given to forward', async () => {
    const { session, out } = await call(service(), `${name}/forward`, good[name].forward);
    expect(session).toMatch(/^[\w-]{22,128}$/);
    expect(out).toBeInstanceOf(Array);
    const answer = await call(service(), `${name}/backward`, { session, ...good[name].backward });
    const given = Object.keys(inputs.properties).filter((tensor) => tensor in good[name].forward);
    const wanted = given.map((tensor) => `d${tensor}`).filter((gradient) => gradient in gradients.properties);
    expect(Object.keys(answer).sort()).toEqual(wanted.sort());
    for (const tensor of wanted.map((gradient) => gradient.slice(1) as 'x')) {
      const shape = (value: unknown): number[] =>
        Array.isArray(value) ? [value.length, ...shape((value as unknown[])[0])] : [];
      expect(shape(answer[`d${tensor}`])).toEqual(shape(good[name].forward[tensor]));
    }
  });

  it('leaves out the gradients of tensors that were not given to forward', async () => {
    const required = inputs.required ?? [];
    const optional = Object.keys(inputs.properties).filter((tensor) => !required.includes(tensor));
    const forward = forwardWith(name, Object.fromEntries(optional.map((tensor) => [tensor, undefined])));
    const answer = await call(service(), `${name}/backward`, { forward, ...good[name].backward });
    expect(Object.keys(answer).sort()).toEqual(required.map((tensor) => `d${tensor}`).sort());
  });

  it.each(['float64', 'float32'])('returns identical bits with and without a session, in %s', async (dtype) => {
    const forward = forwardWith(name, { dtype });
    const { session } = await call(service(), name, forward);
    const bySession = await text(service(), `${name}/backward`, { session, ...good[name].backward });
    const stateless = await text(service(), `${name}/backward`, { forward, ...good[name].backward });
    const stated = await text(service(), `${name}/backward`, {
      forward: { ...forward, session: false },
      ...good[name].backward,
      release: false,
    });
    expect(stateless).toBe(bySession);
    expect(stated).toBe(bySession);
  });

  it('accepts any combination of at least one upstream gradient', async () => {
    const { session } = await call(service(), name, good[name].forward);
    const given = good[name].backward as Record<string, unknown>;
    for (const one of Object.keys(given).filter((key) => Object.keys(upstream.properties).length > 1 || key === 'dout'))
      await call(service(), `${name}/backward`, { session, [one]: given[one] });
  });

  it('is the same at the short path', async () => {
    const forward = forwardWith(name, { session: false });
    expect(await text(service(), name, forward)).toBe(await text(service(), `${name}/forward`, forward));
  });

  it('answers backward any number of times', async () => {
    const { session } = await call(service(), name, good[name].forward);
    const body = { session, ...good[name].backward };
    const first = await text(service(), `${name}/backward`, body);
    const others = await Promise.all([1, 2, 3].map(() => text(service(), `${name}/backward`, body)));
    expect(new Set([first, ...others]).size).toBe(1);
  });

  it('creates no session and returns no token if session is false', async () => {
    const alone = await serve();
    const answer = await call(alone, name, forwardWith(name, { session: false }));
    expect(Object.keys(answer)).not.toContain('session');
    await call(alone, `${name}/backward`, backwardWith(name, {}));
    const { text: metrics } = await alone.client.get('/metrics').expect(200);
    expect(metrics).toContain('\nlayerd_sessions 0\n');
  });
});

describe('a session', () => {
  const service = serveAll();

  it('ends when backward releases it', async () => {
    const { session } = await call(service(), 'linear', good.linear.forward);
    const body = { session, ...good.linear.backward };
    const kept = await text(service(), 'linear/backward', { ...body, release: false });
    const released = await text(service(), 'linear/backward', { ...body, release: true });
    expect(released).toBe(kept);
    for (const release of [undefined, true])
      expectProblem(
        await service()
          .client.post('/linear/backward')
          .send({ ...body, release }),
        unknown,
      );
  });

  it('is kept if a backward call that should release it fails', async () => {
    const { session } = await call(service(), 'linear', good.linear.forward);
    const body = { session, release: true };
    for (const dout of [[[1]], [[1, 'x']], undefined]) {
      const { status } = await service()
        .client.post('/linear/backward')
        .send({ ...body, dout });
      expect([400, 422]).toContain(status);
    }
    const { status } = await service()
      .client.post('/dropout/backward')
      .send({ ...body, dout: [[1]] });
    expect(status).toBe(409);
    await call(service(), 'linear/backward', { ...body, ...good.linear.backward });
    expectProblem(
      await service()
        .client.post('/linear/backward')
        .send({ ...body, ...good.linear.backward }),
      unknown,
    );
  });

  it('ends when it is deleted', async () => {
    const { session } = await call(service(), 'linear', good.linear.forward);
    const response = await service().client.delete(`/sessions/${session}`).expect(204);
    expect(response.text).toBe('');
    expect(response.headers['content-length']).toBeUndefined();
    expectProblem(await service().client.delete(`/sessions/${session}`), {
      ...unknown,
      at: [],
      says: 'there is no such session; a session expires 900 s after its last use',
    });
  });

  it('has the same error whether it never existed, was deleted, was released or has expired', async () => {
    const { client, clock } = service();
    const token = async () => (await call(service(), 'linear', good.linear.forward)).session;
    const [deleted, released, expired] = [await token(), await token(), await token()];
    await client.delete(`/sessions/${deleted}`).expect(204);
    await call(service(), 'linear/backward', { session: released, ...good.linear.backward, release: true });
    clock.advance(900);
    const sessions = ['never-was', deleted, released, expired];
    const answers = sessions.map(async (session) => {
      const backward = await client.post('/linear/backward').send({ session, ...good.linear.backward });
      const other = await client.post('/dropout/backward').send({ session, ...good.dropout.backward });
      const seen = await client.get(`/sessions/${session}`);
      const gone = await client.delete(`/sessions/${session}`);
      return [backward, other, seen, gone].map(({ status, text }) => ({ status, text }));
    });
    const [first, ...others] = await Promise.all(answers);
    expect(first.map(({ status }) => status)).toEqual([404, 404, 404, 404]);
    for (const answer of others) expect(answer).toEqual(first);
  });

  it('has a unique token', async () => {
    const answers = await Promise.all(
      Array.from({ length: 100 }, () => call(service(), 'linear', good.linear.forward)),
    );
    expect(new Set(answers.map(({ session }) => session)).size).toBe(100);
  });
});

describe('concurrent clients', () => {
  const service = serveAll();

  /** dx of linear is dout · weight, so the right answer of each client is known. */
  function client(seed: number) {
    const weight = [[seed, 2 * seed, -seed]];
    return {
      forward: { x: [[seed, 1, 0]], weight, bias: [seed] },
      out: [[seed * seed + 2 * seed + seed]],
      backward: { dout: [[seed + 1]] },
      gradients: {
        dx: weight.map((row) => row.map((w) => w * (seed + 1))),
        dweight: [[seed * (seed + 1), seed + 1, 0]],
        dbias: [seed + 1],
      },
    };
  }

  it('get their own values if two alternate', async () => {
    const [a, b] = [client(3), client(5)];
    const first = await call(service(), 'linear', a.forward);
    const second = await call(service(), 'linear', b.forward);
    expect([first.out, second.out]).toEqual([a.out, b.out]);
    for (let i = 0; i < 3; i++) {
      expect(await call(service(), 'linear/backward', { session: first.session, ...a.backward })).toEqual(a.gradients);
      expect(await call(service(), 'linear/backward', { session: second.session, ...b.backward })).toEqual(b.gradients);
    }
    // The sessions hold the tensors of forward, not those of backward.
    expect(await call(service(), 'linear/backward', { session: first.session, ...b.backward })).not.toEqual(
      a.gradients,
    );
    expect(await call(service(), 'linear/backward', { session: first.session, ...a.backward })).toEqual(a.gradients);
  });

  it('get their own values if fifty run concurrently', async () => {
    const clients = Array.from({ length: 50 }, (_, i) => client(i + 1));
    await Promise.all(
      clients.map(async ({ forward, out, backward, gradients }) => {
        const { session, ...answer } = await call(service(), 'linear', forward);
        expect(answer.out).toEqual(out);
        expect(await call(service(), 'linear/backward', { session, ...backward, release: true })).toEqual(gradients);
      }),
    );
  });
});

describe('the lifetime of a session', () => {
  it('ends a fixed time after its last use', async () => {
    const service = await serve({ SESSION_TTL_SECONDS: '60' });
    const { session } = await call(service, 'linear', good.linear.forward);
    const body = { session, ...good.linear.backward };
    for (let i = 0; i < 4; i++) {
      service.clock.advance(59);
      await call(service, 'linear/backward', body);
    }
    service.clock.advance(60);
    expectProblem(await service.client.post('/linear/backward').send(body), {
      ...unknown,
      says: 'there is no such session; a session expires 60 s after its last use. Call forward for a new one',
    });
  });

  it('is not extended by reading it', async () => {
    const service = await serve({ SESSION_TTL_SECONDS: '60' });
    const { session } = await call(service, 'linear', good.linear.forward);
    service.clock.advance(59);
    await service.client.get(`/sessions/${session}?values=true`).expect(200);
    service.clock.advance(1);
    await service.client.get(`/sessions/${session}`).expect(404);
  });
});

describe('a full store', () => {
  // A session of `large` is a mask of 10 000 bytes, plus the overhead of the store.
  const large = { x: Array<number>(10_000).fill(1), seed: 1 };

  async function filled() {
    const service = await serve({ SESSION_BUDGET_BYTES: '25000', SESSION_TTL_SECONDS: '90' });
    const first = await call(service, 'dropout', large);
    service.clock.advance(30);
    const second = await call(service, 'dropout', large);
    return { service, first, second };
  }

  it('answers 503 with a time to retry, and still serves its sessions', async () => {
    const { service, first, second } = await filled();
    for (let i = 0; i < 3; i++) {
      const response = await service.client.post('/dropout').send(large);
      expectProblem(response, {
        status: 503,
        type: 'session-store-full',
        says: /^the session needs 11024 bytes, but 22048 of 25000 are in use by live sessions\. Release sessions \("release": true, or DELETE \/sessions\/\{token\}\), or send "session": false, or wait$/,
      });
      expect(response.headers['retry-after']).toBe('60');
    }
    const { dx } = await call(service, 'dropout/backward', { session: first.session, dout: large.x });
    expect(dx).toEqual(first.out);
    await service.client.get(`/sessions/${second.session}`).expect(200);
  });

  it('has room for smaller sessions, and for calls without one', async () => {
    const { service } = await filled();
    await call(service, 'dropout', { x: [1, 2, 3] });
    await call(service, 'dropout', { ...large, session: false });
    await call(service, 'dropout/backward', { forward: large, dout: large.x });
  });

  it('has room again after a release', async () => {
    const { service, first } = await filled();
    await call(service, 'dropout/backward', { session: first.session, dout: large.x, release: true });
    await call(service, 'dropout', large);
  });

  it('has room again after a deletion', async () => {
    const { service, second } = await filled();
    await service.client.delete(`/sessions/${second.session}`).expect(204);
    await call(service, 'dropout', large);
  });

  it('has room again at the time that it announced', async () => {
    const { service, first } = await filled();
    const { headers } = await service.client.post('/dropout').send(large).expect(503);
    service.clock.advance(Number(headers['retry-after']));
    await call(service, 'dropout', large);
    await service.client.get(`/sessions/${first.session}`).expect(404);
  });

  it('refuses with 413 a session that would not fit even if it were empty', async () => {
    const { service } = await filled();
    const response = await service.client.post('/dropout').send({ x: Array<number>(30_000).fill(1) });
    expectProblem(response, {
      status: 413,
      type: 'session-too-large',
      says: 'the session needs 31024 bytes; at most 25000 can be kept here. Send "session": false to forward, and the forward request instead of the token to backward',
    });
    expect(response.headers['retry-after']).toBeUndefined();
  });
});

describe('GET /sessions/{token}', () => {
  const service = serveAll();

  it('describes the session, without its values', async () => {
    const { session } = await call(service(), 'linear', good.linear.forward);
    const { body } = (await service().client.get(`/sessions/${session}`).expect(200)) as { body: unknown };
    const [created, expires] = [0, 900].map((seconds) => new Date(service().clock() + seconds * 1000).toISOString());
    expect(body).toEqual({
      layer: 'linear',
      created,
      expires,
      bytes: 1024 + 6 * 8 + 6 * 8,
      tensors: { x: { dtype: 'float64', shape: [2, 3] }, weight: { dtype: 'float64', shape: [2, 3] } },
    });
    const { text } = await service().client.get(`/sessions/${session}?values=false`).expect(200);
    expect(JSON.parse(text)).toEqual(body);
  });

  it('includes the values if requested, in their own dtype', async () => {
    const forward = { x: [[0.1, 'NaN', 1 / 3]], weight: [['-Infinity', 2, -0.1]], dtype: 'float32' };
    const { session } = await call(service(), 'linear', forward);
    const { text } = await service().client.get(`/sessions/${session}?values=true`).expect(200);
    expect(text).toContain('"x":{"dtype":"float32","shape":[1,3],"values":[[0.1,"NaN",0.33333334]]}');
    expect(text).toContain('"weight":{"dtype":"float32","shape":[1,3],"values":[["-Infinity",2,-0.1]]}');
  });

  it.each(layerNames)('describes the session of %s completely', async (name) => {
    const { session } = await call(service(), name, good[name].forward);
    interface Shown {
      layer: string;
      tensors: Record<string, { dtype: string; shape: number[]; values: unknown }>;
    }
    const { body } = (await service().client.get(`/sessions/${session}?values=true`).expect(200)) as { body: Shown };
    expect(body.layer).toBe(name);
    expect(Object.keys(body.tensors)).not.toEqual([]);
    for (const { dtype, shape, values } of Object.values(body.tensors)) {
      expect(['float64', 'float32', 'int32', 'uint8']).toContain(dtype);
      const flat = [values].flat(shape.length) as number[];
      expect(flat).toHaveLength(shape.reduce((size, axis) => size * axis, 1));
      for (const value of flat) expect(value).toBeTypeOf('number');
    }
  });

  it('includes when the session was last used', async () => {
    const alone = await serve({ SESSION_TTL_SECONDS: '10' });
    const { session } = await call(alone, 'linear', good.linear.forward);
    alone.clock.advance(4);
    await call(alone, 'linear/backward', { session, ...good.linear.backward });
    const { body } = (await alone.client.get(`/sessions/${session}`).expect(200)) as { body: unknown };
    expect(body).toMatchObject({
      created: new Date(alone.clock() - 4000).toISOString(),
      expires: new Date(alone.clock() + 10_000).toISOString(),
    });
  });
});

describe('the seed of dropout', () => {
  const service = serveAll();
  const x = Array<number>(200).fill(1);

  it('is drawn for each call without one, and returned', async () => {
    const seeds = new Set<unknown>();
    for (let i = 0; i < 20; i++) {
      const { seed, mask, out } = await call(service(), 'dropout', { x });
      expect(Number.isSafeInteger(seed)).toBe(true);
      seeds.add(seed);
      const again = await call(service(), 'dropout', { x, seed });
      expect([again.mask, again.out, again.seed]).toEqual([mask, out, seed]);
    }
    expect(seeds.size).toBe(20);
  });

  it('may be any integer from 0 to the largest that JSON can hold', async () => {
    for (const seed of [0, 1, 2 ** 32, 2 ** 53 - 1]) {
      const answer = await call(service(), 'dropout', { x, seed });
      expect(answer.seed).toBe(seed);
    }
  });
});
