import { maxHeaderSize } from 'node:http';
import { describe, expect, it } from 'vitest';
import { expectProblem } from '../../support/problem.js';
import { exchange } from '../../support/raw.js';
import { forwardWith, good, layerNames } from '../../support/requests.js';
import { call, serveAll } from '../../support/service.js';

const service = serveAll();

describe('a route that there is not', () => {
  it.each([
    ['GET', '/index'],
    ['GET', '/nothing'],
    ['POST', '/nothing'],
    ['POST', '/conv2d/forward'],
    ['POST', '/linear/'],
    ['POST', '/linear/sideways'],
    ['POST', '/linear/forward/x'],
    ['POST', '/Linear/forward'],
    ['DELETE', '/sessions'],
    ['GET', '/layers/linear/x'],
    ['GET', '/docs/static/nothing.js'],
  ] as const)('is 404: %s %s', async (method, path) => {
    const request = service().client[method.toLowerCase() as 'get' | 'post' | 'delete'](path);
    expectProblem(await request, {
      status: 404,
      type: 'not-found',
      says: `there is no ${method} ${path}; the layers are ${layerNames.join(', ')}, and GET /docs lists the routes`,
    });
  });

  it('is 404 whatever the body is', async () => {
    for (const [type, body] of [
      ['text/xml', '<x/>'],
      ['application/json', '{"x":'],
    ] as const)
      expectProblem(await service().client.post('/nothing').set('content-type', type).send(body), {
        status: 404,
        type: 'not-found',
        says: /^there is no POST \/nothing; /,
      });
  });

  it('is named without its query', async () => {
    expectProblem(await service().client.get('/nothing?session=secret'), {
      status: 404,
      type: 'not-found',
      says: /^there is no GET \/nothing; /,
    });
  });

  it('is 404 for a layer that GET /layers does not list', async () => {
    expectProblem(await service().client.get('/layers/conv%22'), {
      status: 404,
      type: 'unknown-layer',
      says: `there is no layer "conv\\""; expected one of ${layerNames.join(', ')}`,
    });
  });
});

describe('a method that the route has not', () => {
  it.each([
    ...layerNames.flatMap((layer): [string, string, string][] => [
      ['GET', `/${layer}`, 'POST'],
      ['PUT', `/${layer}/forward`, 'POST'],
      ['DELETE', `/${layer}/backward`, 'POST'],
    ]),
    ['OPTIONS', '/linear', 'POST'],
    ['PATCH', '/linear', 'POST'],
    ['TRACE', '/linear', 'POST'],
    ['PROPFIND', '/linear', 'POST'],
    ['POST', '/sessions/abc', 'DELETE, GET, HEAD'],
    ['PUT', '/sessions/abc', 'DELETE, GET, HEAD'],
    ['POST', '/layers', 'GET, HEAD'],
    ['DELETE', '/layers/linear', 'GET, HEAD'],
    ['POST', '/openapi.json', 'GET, HEAD'],
    ['POST', '/docs', 'GET, HEAD'],
    ['POST', '/docs/static/index.css', 'GET, HEAD'],
    ['POST', '/health/live', 'GET, HEAD'],
    ['POST', '/health/ready', 'GET, HEAD'],
    ['POST', '/metrics', 'GET, HEAD'],
  ])('is 405 with Allow: %s %s', async (method, path, allow) => {
    const [head = '', body = ''] = (
      await exchange(service().port, `${method} ${path} HTTP/1.1\r\nHost: layerd\r\nConnection: close\r\n\r\n`)
    ).split('\r\n\r\n');
    expect(head).toMatch(/^HTTP\/1\.1 405 /);
    expect(head).toMatch(new RegExp(`^allow: ${allow}\r?$`, 'm'));
    expect(head).toMatch(/^content-type: application\/problem\+json\r?$/m);
    expect(head).toMatch(/^x-request-id: [\w-]+\r?$/m);
    expect(JSON.parse(body)).toEqual({
      type: '/problems/method-not-allowed',
      title: 'The route has no such method',
      status: 405,
      detail: `${path} has no ${method}; expected ${allow}`,
    });
  });

  it('is answered before the body is looked at', async () => {
    const response = await service().client.put('/linear').set('content-type', 'text/plain').send('hello');
    expect(response.status).toBe(405);
    expect(response.headers.allow).toBe('POST');
  });
});

describe('a media type that is not spoken', () => {
  it.each([
    'text/plain',
    'text/json',
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=x',
    'application/octet-stream',
    'application/problem+json',
    'application/jsonx',
    'application/json, text/plain',
    'json',
  ])('is 415 when the body is %s', async (type) => {
    for (const path of ['/linear', '/linear/forward', '/linear/backward'])
      expectProblem(await service().client.post(path).set('content-type', type).send('{}'), {
        status: 415,
        type: 'unsupported-media-type',
        says: `the body's Content-Type is ${type}; expected application/json`,
      });
  });

  it('is 415 when the body does not say what it is', async () => {
    const answer = await exchange(
      service().port,
      'POST /linear HTTP/1.1\r\nHost: layerd\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}',
    );
    expect(answer).toMatch(/^HTTP\/1\.1 415 /);
    expect(answer).toContain("the body's Content-Type is absent; expected application/json");
  });

  it('is not asked for where there is no body, which is 400', async () => {
    const answer = await exchange(
      service().port,
      'POST /linear HTTP/1.1\r\nHost: layerd\r\nConnection: close\r\nContent-Length: 0\r\n\r\n',
    );
    expect(answer).toMatch(/^HTTP\/1\.1 400 /);
    expect(answer).toContain('"detail":"the body is empty; expected a JSON object"');
  });

  it('is not application/json with a charset, whatever the case', async () => {
    for (const type of ['application/json; charset=utf-8', 'Application/JSON;charset=UTF-8'])
      await service().client.post('/linear').set('content-type', type).send(good.linear.forward).expect(200);
  });

  it.each(['text/html', 'application/xml', 'image/*', 'application/json;q=0'])(
    'is 406 when the answer must be %s',
    async (accept) => {
      const refused = (expected: string) =>
        ({ status: 406, type: 'not-acceptable', says: `Accept is ${accept}; expected ${expected} among it` }) as const;
      const tensors = refused('application/json or application/vnd.safetensors');
      for (const name of layerNames)
        for (const path of [`/${name}`, `/${name}/forward`, `/${name}/backward`])
          expectProblem(await service().client.post(path).set('accept', accept).send(good[name].forward), tensors);
      for (const path of ['/layers', '/layers/linear', '/sessions/abc'])
        expectProblem(await service().client.get(path).set('accept', accept), refused('application/json'));
    },
  );

  it.each(['*/*', 'application/*', 'text/html, application/json;q=0.1', 'application/json; charset=utf-8'])(
    'is not %s, when the answer is JSON',
    async (accept) => {
      await service().client.post('/linear').set('accept', accept).send(good.linear.forward).expect(200);
    },
  );
});

describe('a session that does not serve', () => {
  it('is 404 when there is no such token, for every layer', async () => {
    for (const name of layerNames)
      for (const session of ['abc', '', '../layers', 'é'])
        expectProblem(
          await service()
            .client.post(`/${name}/backward`)
            .send({ session, ...good[name].backward }),
          {
            status: 404,
            type: 'unknown-session',
            at: ['/session'],
            says: 'there is no such session; sessions live 900 s after their last use, here. Call forward for a new one',
          },
        );
  });

  it('is 404 when it is looked at or deleted', async () => {
    const refused = {
      status: 404,
      type: 'unknown-session',
      says: 'there is no such session; sessions live 900 s after their last use, here',
    } as const;
    for (const path of ['/sessions/abc', '/sessions/%2E%2E', `/sessions/${'a'.repeat(128)}`]) {
      expectProblem(await service().client.get(path), refused);
      expectProblem(await service().client.delete(path), refused);
    }
  });

  it.each(layerNames)("is 409 on a layer that is not %s's", async (name) => {
    const { session } = await call(service(), name, good[name].forward);
    for (const other of layerNames.filter((layer) => layer !== name))
      expectProblem(
        await service()
          .client.post(`/${other}/backward`)
          .send({ session, ...good[other].backward }),
        {
          status: 409,
          type: 'session-of-another-layer',
          at: ['/session'],
          says: `the session belongs to ${name}; expected one of ${other}. Post it to /${name}/backward`,
        },
      );
    await call(service(), `${name}/backward`, { session, ...good[name].backward });
  });

  it('is 400 when the query or the token cannot be meant', async () => {
    expectProblem(await service().client.get('/sessions/abc?values=yes'), {
      status: 400,
      type: 'invalid-request',
      at: ['/values'],
      says: '/values is "yes"; expected "true" or "false"',
    });
    expectProblem(await service().client.get('/sessions/abc?value=true'), {
      status: 400,
      type: 'invalid-request',
      at: ['/value'],
      says: '/value is unknown; expected values',
    });
    expectProblem(await service().client.get(`/sessions/${'a'.repeat(129)}`), {
      status: 400,
      type: 'invalid-request',
      at: ['/token'],
      says: `/token is "${'a'.repeat(40)}…"; expected a string of at most 128 characters`,
    });
  });
});

describe('a request that is hardly HTTP', () => {
  it.each(['/%zz', '/layers/%', '/sessions/%E0%A4%A'])('is 400 for the path %s', async (path) => {
    const answer = await exchange(
      service().port,
      `GET ${path} HTTP/1.1\r\nHost: layerd\r\nConnection: close\r\nX-Request-Id: mine\r\n\r\n`,
    );
    expect(answer).toMatch(/^HTTP\/1\.1 400 /);
    expect(answer).toContain('x-request-id: mine');
    expect(answer).toContain('"type":"/problems/malformed-request"');
    expect(answer).toContain(`"detail":"${path} is not a well-formed URL path"`);
  });

  it.each([
    ['words', 'hello\r\n\r\n', 400, 'malformed-request', 'the bytes are not an HTTP/1.1 request'],
    ['TLS', '\x16\x03\x01\x00\xa5\x01\x00\x00', 400, 'malformed-request', 'the bytes are not an HTTP/1.1 request'],
    [
      'a chunk without a size',
      'POST /linear HTTP/1.1\r\nHost: layerd\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n',
      400,
      'malformed-request',
      'the bytes are not an HTTP/1.1 request',
    ],
    [
      'two lengths',
      'POST /linear HTTP/1.1\r\nHost: layerd\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}',
      400,
      'malformed-request',
      'the bytes are not an HTTP/1.1 request',
    ],
    [
      'a header without end',
      `GET /layers HTTP/1.1\r\nHost: layerd\r\nCookie: ${'c'.repeat(maxHeaderSize)}\r\n\r\n`,
      431,
      'header-too-large',
      `the header has over ${maxHeaderSize} bytes; expected fewer`,
    ],
  ])('is answered with a problem all the same: %s', async (_name, bytes, status, type, detail) => {
    const [head = '', body = ''] = (await exchange(service().port, bytes)).split('\r\n\r\n');
    expect(head).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    expect(head).toMatch(/^content-type: application\/problem\+json$/im);
    expect(JSON.parse(body)).toMatchObject({ type: `/problems/${type}`, status, detail });
  });
});

describe('the request id', () => {
  it("is the client's own where it sends one that a log can hold", async () => {
    const response = await service().client.get('/nothing').set('x-request-id', 'run-7.step_3');
    expect(response.headers['x-request-id']).toBe('run-7.step_3');
  });

  it.each(['a b', 'a"b', 'x'.repeat(129), '{}'])('is drawn where the client sends %s', async (id) => {
    const response = await service().client.get('/nothing').set('x-request-id', id);
    expect(response.headers['x-request-id']).toMatch(/^[0-9a-f-]{36}$/);
  });

  it('is another one for each request', async () => {
    const ids = new Set<string>();
    for (let i = 0; i < 10; i++) {
      const response = await service().client.post('/linear').send(forwardWith('linear', {}));
      ids.add(response.headers['x-request-id']);
    }
    expect(ids.size).toBe(10);
  });
});
