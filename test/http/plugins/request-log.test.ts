import { describe, expect, it } from 'vitest';
import { expectProblem } from '../../support/problem.js';
import { good } from '../../support/requests.js';
import { call, serve, type Service } from '../../support/service.js';
import { until } from '../../support/until.js';

function requestLines({ log }: Service) {
  return log.filter(({ msg }) => msg === 'request');
}

/** The log lines of requests, once there are this many. */
async function logged(service: Service, count: number) {
  return until(() => {
    const lines = requestLines(service);
    expect(lines).toHaveLength(count);
    return lines;
  });
}

describe('the log', () => {
  it('has one line for each request, with its id, method, route, status, time, and problem', async () => {
    const service = await serve();
    const ids: unknown[] = [];
    const sent = async (path: string, body: object) => {
      const response = await service.client.post(path).send(body);
      ids.push(response.headers['x-request-id']);
    };
    await sent('/linear/forward', good.linear.forward);
    await sent('/linear', { x: [[1], [2, 3]], weight: [[1]] });
    await sent('/nothing', {});
    const lines = await logged(service, 3);
    expect(lines).toMatchObject([
      { level: 30, reqId: ids[0], method: 'POST', route: '/linear/forward', status: 200 },
      { level: 30, reqId: ids[1], method: 'POST', route: '/linear', status: 400, problem: '/problems/ragged-tensor' },
      { level: 30, reqId: ids[2], method: 'POST', status: 404, problem: '/problems/not-found' },
    ]);
    expect(new Set(ids).size).toBe(3);
    expect(lines[0]).not.toHaveProperty('problem');
    for (const { durationMs } of lines) expect(durationMs).toBeGreaterThan(0);
  });

  it('includes layer, direction, dtype, shapes, operations and bytes of a call', async () => {
    const service = await serve();
    const body = JSON.stringify({ ...good.linear.forward, dtype: 'float32' });
    const { text } = await service.client.post('/linear').set('content-type', 'application/json').send(body);
    const { session } = JSON.parse(text) as { session: string };
    await call(service, 'linear/backward', { session, ...good.linear.backward });
    await call(service, 'linear/backward', { forward: good.linear.forward, ...good.linear.backward });
    const lines = await logged(service, 3);
    expect(lines).toMatchObject([
      {
        layer: 'linear',
        direction: 'forward',
        dtype: 'float32',
        shapes: { x: [2, 3], weight: [2, 3], bias: [2] },
        operations: expect.any(Number) as number,
        bytesIn: body.length,
        bytesOut: text.length,
      },
      { layer: 'linear', direction: 'backward', dtype: 'float32', shapes: { dout: [2, 2] } },
      {
        layer: 'linear',
        direction: 'backward',
        dtype: 'float64',
        shapes: { 'forward.x': [2, 3], 'forward.weight': [2, 3], 'forward.bias': [2], dout: [2, 2] },
      },
    ]);
    // All fields, so that no content of a body goes unnoticed.
    expect(Object.keys(lines[0]).sort()).toEqual(
      [
        ...['level', 'time', 'pid', 'hostname', 'reqId', 'msg'],
        ...['method', 'route', 'status', 'durationMs', 'bytesIn', 'bytesOut'],
        ...['layer', 'direction', 'dtype', 'shapes', 'operations'],
      ].sort(),
    );
  });

  it('includes layer and problem of a refused call, but not its shapes', async () => {
    const service = await serve();
    await service.client
      .post('/linear')
      .send({ ...good.linear.forward, bias: [1] })
      .expect(422);
    const [line] = await logged(service, 1);
    expect(line).toMatchObject({ layer: 'linear', direction: 'forward', problem: '/problems/shape-mismatch' });
    expect(line).not.toHaveProperty('shapes');
  });

  it('has a line for requests that reach no route and no hook', async () => {
    const service = await serve();
    await service.client.get('/%zz').set('x-request-id', 'odd').expect(400);
    expect(await logged(service, 1)).toMatchObject([
      { reqId: 'odd', status: 400, problem: '/problems/malformed-request' },
    ]);
  });

  it('contains the request id of the client', async () => {
    const service = await serve();
    await service.client.get('/layers').set('x-request-id', 'client-7').expect(200);
    expect(await logged(service, 1)).toMatchObject([{ reqId: 'client-7', route: '/layers', status: 200 }]);
  });

  it('never contains a token, a key or the content of a body', async () => {
    const service = await serve({ LOG_LEVEL: 'trace' }, (app) => {
      app.get('/failure', () => {
        throw new Error('broken');
      });
    });
    const { client } = service;
    const key = 'made-up-key';
    const { session } = await call(service, 'linear', { ...good.linear.forward, bias: [123456.75, 0] });
    const secret = 'made-up-token';
    for (const token of [session, secret]) {
      await client.get(`/sessions/${token}?values=true`);
      await client.get(`/sessions/${token}?token=${token}`);
      await client.put(`/sessions/${token}`);
      await client.get(`/sessions/${token}/x`);
      await client.get(`/sessions/%zz${token}`);
      await client.post(`/${token}`).send({ [token]: token });
      await client.post('/linear/backward').send({ session: token, dout: [[token]] });
      await client.post('/dropout/backward').send({ session: token, dout: [[1]] });
      await client.post('/linear/backward').send({ session: token, ...good.linear.backward });
      await client.delete(`/sessions/${token}`);
      await client.delete(`/sessions/${token}`);
    }
    for (const path of ['/failure', '/layers', '/nothing', '/%zz'])
      await client.get(path).set('authorization', `Bearer ${key}`).set('cookie', key).set('x-api-key', key);
    await logged(service, 27);
    const text = JSON.stringify(service.log);
    expect(text).not.toContain(key);
    expect(text).not.toContain(session);
    expect(text).not.toContain(secret);
    expect(text).not.toContain('123456.75');
  });

  it('has one line for each of a hundred concurrent requests, in any order', async () => {
    const service = await serve();
    await Promise.all(
      Array.from({ length: 100 }, (_, i) =>
        service.client
          .post('/linear')
          .set('x-request-id', `request-${i}`)
          .send(i % 2 ? good.linear.forward : {}),
      ),
    );
    const lines = await logged(service, 100);
    expect(new Set(lines.map(({ reqId }) => reqId)).size).toBe(100);
    expect(lines.filter(({ status }) => status === 200)).toHaveLength(50);
    expect(lines.filter(({ status }) => status === 400)).toHaveLength(50);
  });
});

describe('a failure of the service', () => {
  it('is reported to the client without its cause, which the log has under the same id', async () => {
    const service = await serve({}, (app) => {
      app.get('/failure', () => {
        throw new Error('the inside, in words');
      });
    });
    const response = await service.client.get('/failure').set('x-request-id', 'failing');
    expectProblem(response, {
      status: 500,
      type: 'internal-error',
      says: 'the service failed; its log has the reason under request id failing',
    });
    const [line] = await logged(service, 1);
    expect(line).toMatchObject({ reqId: 'failing', status: 500, problem: '/problems/internal-error' });
    expect(service.log.filter(({ level }) => level === 50)).toMatchObject([
      {
        reqId: 'failing',
        err: { message: 'the inside, in words', stack: expect.stringContaining('request-log.test.ts') as string },
      },
    ]);
  });
});
