import { once } from 'node:events';
import { maxHeaderSize } from 'node:http';
import { connect } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { expectProblem } from '../../support/problem.js';
import { exchange } from '../../support/raw.js';
import { forwardWith, good, layerNames } from '../../support/requests.js';
import { call, serveAll } from '../../support/service.js';

const service = serveAll();

describe('an unknown route', () => {
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

  it('is named in the message without its query', async () => {
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

describe('a method that the route does not support', () => {
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
      title: 'Method not allowed',
      status: 405,
      detail: `${path} does not support ${method}; expected ${allow}`,
    });
  });

  it('is refused before the body is read', async () => {
    const response = await service().client.put('/linear').set('content-type', 'text/plain').send('hello');
    expect(response.status).toBe(405);
    expect(response.headers.allow).toBe('POST');
  });
});

describe('an unsupported media type', () => {
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
  ])('is 415 if the body is %s', async (type) => {
    for (const path of ['/linear', '/linear/forward', '/linear/backward'])
      expectProblem(await service().client.post(path).set('content-type', type).send('{}'), {
        status: 415,
        type: 'unsupported-media-type',
        says: `the body's Content-Type is ${type}; expected application/json or application/vnd.safetensors`,
      });
  });

  it('includes a body without Content-Type, which is 415', async () => {
    const answer = await exchange(
      service().port,
      'POST /linear HTTP/1.1\r\nHost: layerd\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}',
    );
    expect(answer).toMatch(/^HTTP\/1\.1 415 /);
    expect(answer).toContain(
      "the body's Content-Type is absent; expected application/json or application/vnd.safetensors",
    );
  });

  it('is not reported for an empty body, which is 400', async () => {
    const answer = await exchange(
      service().port,
      'POST /linear HTTP/1.1\r\nHost: layerd\r\nConnection: close\r\nContent-Length: 0\r\n\r\n',
    );
    expect(answer).toMatch(/^HTTP\/1\.1 400 /);
    expect(answer).toContain('"detail":"the body is empty; expected a JSON object"');
  });

  it('does not include application/json with a charset, in upper or lower case', async () => {
    for (const type of ['application/json; charset=utf-8', 'Application/JSON;charset=UTF-8'])
      await service().client.post('/linear').set('content-type', type).send(good.linear.forward).expect(200);
  });

  it.each(['text/html', 'application/xml', 'image/*', 'application/json;q=0'])(
    'is 406 if Accept is %s',
    async (accept) => {
      const refused = (expected: string) =>
        ({
          status: 406,
          type: 'not-acceptable',
          says: `Accept is ${accept}; expected it to include ${expected}`,
        }) as const;
      const tensors = refused('application/json or application/vnd.safetensors');
      for (const name of layerNames)
        for (const path of [`/${name}`, `/${name}/forward`, `/${name}/backward`])
          expectProblem(await service().client.post(path).set('accept', accept).send(good[name].forward), tensors);
      for (const path of ['/layers', '/layers/linear', '/sessions/abc'])
        expectProblem(await service().client.get(path).set('accept', accept), refused('application/json'));
    },
  );

  it.each(['*/*', 'application/*', 'text/html, application/json;q=0.1', 'application/json; charset=utf-8'])(
    'is not refused if Accept is %s',
    async (accept) => {
      await service().client.post('/linear').set('accept', accept).send(good.linear.forward).expect(200);
    },
  );
});

describe('an unusable session', () => {
  it('is 404 if no layer knows the token', async () => {
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
            says: 'there is no such session; a session expires 900 s after its last use. Call forward for a new one',
          },
        );
  });

  it('is 404 when it is read or deleted', async () => {
    const refused = {
      status: 404,
      type: 'unknown-session',
      says: 'there is no such session; a session expires 900 s after its last use',
    } as const;
    for (const path of ['/sessions/abc', '/sessions/%2E%2E', `/sessions/${'a'.repeat(128)}`]) {
      expectProblem(await service().client.get(path), refused);
      expectProblem(await service().client.delete(path), refused);
    }
  });

  it.each(layerNames)('of %s is 409 on another layer', async (name) => {
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
          says: `the session belongs to ${name}; expected a session of ${other}. Post it to /${name}/backward`,
        },
      );
    await call(service(), `${name}/backward`, { session, ...good[name].backward });
  });

  it('is 400 if the query or the token is malformed', async () => {
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

describe('an error in the request head', () => {
  it.each([
    ['POST /nothing', 404, 'Content-Type: application/json'],
    ['PUT /nothing', 404, 'Content-Type: application/json'],
    ['POST /layers/linear/nothing', 404, 'Content-Type: text/plain'],
    ['PUT /linear', 405, 'Content-Type: application/json'],
    ['POST /layers/nothing', 405, 'Content-Type: application/json'],
    ['POST /linear', 406, 'Content-Type: application/json\r\nAccept: text/html'],
    ['POST /linear', 413, 'Content-Type: application/json\r\nX: y'],
    ['POST /linear', 415, 'Content-Type: text/plain'],
    ['POST /linear', 415, 'Content-Type: application/json\r\nContent-Encoding: compress'],
    ['POST /linear', 400, 'Content-Type: application/json\r\nHost: other'],
  ])('is refused before the body arrives: %s, %i', async (line, status, header) => {
    const length = status === 413 ? 2 ** 40 : 30_000_000;
    const socket = connect(service().port, '127.0.0.1');
    onTestFinished(() => void socket.destroy());
    socket.write(`${line} HTTP/1.1\r\nHost: layerd\r\n${header}\r\nContent-Length: ${length}\r\n\r\n{`);
    const [answer] = (await once(socket, 'data')) as [Buffer];
    expect(answer.toString()).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
  });
});

describe('Host (RFC 9112, 3.2)', () => {
  const ask = async (head: string) => {
    const [answer = '', body = ''] = (await exchange(service().port, `${head}Connection: close\r\n\r\n`)).split(
      '\r\n\r\n',
    );
    return { status: Number(answer.split(' ')[1]), head: answer, body };
  };

  it.each([
    ['GET /layers HTTP/1.1\r\n', 'Host is absent; expected one host'],
    ['GET /layers HTTP/1.1\r\nHost: a\r\nHost: b\r\n', 'Host occurs 2 times; expected one host'],
    ['GET /layers HTTP/1.1\r\nHost: a\r\nhost: a\r\n', 'Host occurs 2 times; expected one host'],
    ['GET /layers HTTP/1.0\r\nHost: a\r\nHost: a\r\n', 'Host occurs 2 times; expected one host'],
    ['GET /nothing HTTP/1.1\r\nHost: a/b\r\n', 'Host is "a/b"; expected one host'],
    ['GET /layers HTTP/1.1\r\nHost: a, b\r\n', 'Host is "a, b"; expected one host'],
    ['GET /layers HTTP/1.1\r\nHost: a@b\r\n', 'Host is "a@b"; expected one host'],
    ['GET /layers HTTP/1.1\r\nHost: a:b\r\n', 'Host is "a:b"; expected one host'],
  ])('is 400 in %j', async (head, detail) => {
    const answer = await ask(head);
    expect(answer.status).toBe(400);
    expect(answer.head).toMatch(/^content-type: application\/problem\+json\r?$/m);
    expect(answer.head).toMatch(/^x-request-id: /m);
    expect(JSON.parse(answer.body)).toMatchObject({ type: '/problems/malformed-request', status: 400, detail });
  });

  it.each([
    'GET /health/live HTTP/1.0\r\n',
    'GET /health/live HTTP/1.0\r\nHost: layerd\r\n',
    'GET /health/live HTTP/1.1\r\nHost:\r\n',
    'GET /health/live HTTP/1.1\r\nHost: layer_d.example:8080\r\n',
    'GET /health/live HTTP/1.1\r\nHost: [::1]:8080\r\n',
  ])('is accepted in %j', async (head) => {
    expect((await ask(head)).status).toBe(200);
  });
});

describe('malformed HTTP', () => {
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
  ])('is answered with problem details: %s', async (_name, bytes, status, type, detail) => {
    const [head = '', body = ''] = (await exchange(service().port, bytes)).split('\r\n\r\n');
    expect(head).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    expect(head).toMatch(/^content-type: application\/problem\+json$/im);
    expect(JSON.parse(body)).toMatchObject({ type: `/problems/${type}`, status, detail });
  });
});

describe('the request id', () => {
  it("is the client's own if it can be logged safely", async () => {
    const response = await service().client.get('/nothing').set('x-request-id', 'run-7.step_3');
    expect(response.headers['x-request-id']).toBe('run-7.step_3');
  });

  it.each(['a b', 'a"b', 'x'.repeat(129), '{}'])('is generated if the client sends %s', async (id) => {
    const response = await service().client.get('/nothing').set('x-request-id', id);
    expect(response.headers['x-request-id']).toMatch(/^[0-9a-f-]{36}$/);
  });

  it('is different for each request', async () => {
    const ids = new Set<string>();
    for (let i = 0; i < 10; i++) {
      const response = await service().client.post('/linear').send(forwardWith('linear', {}));
      ids.add(response.headers['x-request-id']);
    }
    expect(ids.size).toBe(10);
  });
});
