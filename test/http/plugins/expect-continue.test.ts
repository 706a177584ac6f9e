import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { exchange } from '../../support/raw.js';
import { good } from '../../support/requests.js';
import { serveAll } from '../../support/service.js';

const service = serveAll({ BODY_LIMIT_BYTES: '1000' });

/** Sends the head of a request whose client waits for 100 before it sends the body. */
function begin(path: string, type: string, length: number, others = '', expectation = '100-continue'): Socket {
  const socket = connect(service().port, '127.0.0.1').setEncoding('utf8');
  onTestFinished(() => {
    socket.destroy();
  });
  socket.write(
    `POST ${path} HTTP/1.1\r\nHost: layerd\r\nContent-Type: ${type}\r\nContent-Length: ${length}\r\n${others}Expect: ${expectation}\r\n\r\n`,
  );
  return socket;
}

async function received(socket: Socket): Promise<string> {
  let text = '';
  for await (const piece of socket) text += piece as string;
  return text;
}

it.each([
  ['a body that is too long', '/linear', 'application/json', 1001, '', 413],
  ['a media type', '/linear', 'text/plain', 2, '', 415],
  ['a content encoding', '/linear', 'application/json', 2, 'Content-Encoding: compress\r\n', 415],
  ['an unknown path', '/nothing', 'application/json', 2, '', 404],
  ['an unknown path of a closing client', '/nothing', 'application/json', 2, 'Connection: close\r\n', 404],
  ['a type that is not accepted', '/linear', 'application/json', 2, 'Accept: text/html\r\n', 406],
  ['a type that inference does not accept', '/v2/models/linear_forward/infer', 'text/plain', 2, '', 415],
  [
    'a length that is none',
    '/v2/models/linear_forward/infer',
    'application/json',
    2,
    'Inference-Header-Content-Length: x\r\n',
    400,
  ],
])('the refusal of %s comes instead of 100', async (_what, path, type, length, others, status) => {
  const text = await received(begin(path, type, length, others));
  expect(text).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
  expect(text).toMatch(/^connection: close$/im);
  expect(text).not.toContain('100 Continue');
});

// RFC 9110, 10.1.1: the status for an expectation that the server does not know.
describe.each(['foo', '100-continue, foo', 'x'.repeat(100)])('the expectation %s', (expectation) => {
  const shown = `"${expectation.length > 40 ? `${expectation.slice(0, 40)}…` : expectation}"`;
  const detail = `Expect is ${shown}; expected 100-continue`;

  it.each([
    ['/linear', '', 'application/problem+json'],
    ['/nothing', '', 'application/problem+json'],
    ['/v2/models/linear_forward/infer', '', 'application/json'],
    ['/v2/models/linear_forward/infer', 'Accept: application/problem+json\r\n', 'application/problem+json'],
  ])('is refused without waiting for the body, and closes the connection: %s %s', async (path, others, type) => {
    const [head, body] = (await received(begin(path, 'application/json', 2, others, expectation))).split('\r\n\r\n');
    expect(head).toMatch(/^HTTP\/1\.1 417 /);
    expect(head).toMatch(/^connection: close$/im);
    expect(head).toMatch(/^x-request-id: /im);
    expect(head.toLowerCase()).toContain(`content-type: ${type}\r\n`);
    expect(JSON.parse(body)).toEqual(
      type === 'application/json'
        ? { error: detail }
        : { type: '/problems/expectation-failed', title: 'Expectation failed', status: 417, detail },
    );
  });

  it('is refused if the body comes at once', async () => {
    const socket = begin('/linear', 'application/json', 2, '', expectation);
    socket.write('{}');
    expect(await received(socket)).toMatch(/^HTTP\/1\.1 417 /);
  });
});

it('an expectation closes the connection although its path is malformed', async () => {
  const text = await received(begin('/%zz', 'application/json', 2, '', 'foo'));
  expect(text).toMatch(/^HTTP\/1\.1 400 /);
  expect(text).toMatch(/^connection: close$/im);
});

it.each(['100-continue', '100-Continue', '100-continue,', '100-continue, 100-continue'])(
  'a body that is wanted is asked for, and its request is answered: %s',
  async (expectation) => {
    const body = JSON.stringify({ ...good.linear.forward, session: false });
    const socket = begin('/linear', 'application/json', body.length, 'Connection: close\r\n', expectation);
    const [first] = (await once(socket, 'data')) as [string];
    expect(first).toBe('HTTP/1.1 100 Continue\r\n\r\n');
    socket.write(body);
    expect(await received(socket)).toMatch(/^HTTP\/1\.1 200 OK/);
  },
);

it('HTTP/1.0 has no expectations', async () => {
  const body = JSON.stringify({ ...good.linear.forward, session: false });
  const head = `POST /linear HTTP/1.0\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n`;
  expect(await exchange(service().port, `${head}Expect: foo\r\n\r\n${body}`)).toMatch(/^HTTP\/1\.1 200 OK/);
});
