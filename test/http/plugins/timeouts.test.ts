import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { expectProblem } from '../../support/problem.js';
import { exchange } from '../../support/raw.js';
import { good } from '../../support/requests.js';
import { serve } from '../../support/service.js';
import { until } from '../../support/until.js';

/** Everything received on a connection until the service closes it, and after how many milliseconds that is. */
function untilClosed(socket: Socket): Promise<{ text: string; ms: number }> {
  onTestFinished(() => {
    socket.destroy();
  });
  const start = performance.now();
  return new Promise((resolve) => {
    let text = '';
    socket.setEncoding('latin1').on('data', (piece: string) => {
      text += piece;
    });
    socket
      .on('error', () => undefined)
      .on('close', () => {
        resolve({ text, ms: performance.now() - start });
      });
  });
}

const late = {
  type: '/problems/request-timeout',
  title: 'Request timeout',
  status: 408,
  detail: 'the request did not arrive in time; expected it within the time limit',
};

describe('a client that takes too long', () => {
  it.each([
    ['over the head of a request', { HEADERS_TIMEOUT_SECONDS: '1' }, 'GET /layers HTTP/1.1\r\nHost: lay'],
    ['over its first byte', { HEADERS_TIMEOUT_SECONDS: '1' }, ''],
    [
      'over its body',
      { REQUEST_TIMEOUT_SECONDS: '1' },
      'POST /linear HTTP/1.1\r\nHost: layerd\r\nContent-Type: application/json\r\nContent-Length: 10\r\n\r\n{"x"',
    ],
  ])('%s receives an error, and its connection is closed', async (_name, limits, bytes) => {
    const { port } = await serve(limits);
    const socket = connect(port, '127.0.0.1', () => socket.write(bytes));
    const { text, ms } = await untilClosed(socket);
    const [head = '', body = ''] = text.split('\r\n\r\n');
    expect(head).toMatch(/^HTTP\/1\.1 408 /);
    expect(head).toMatch(/^connection: close$/im);
    expect(JSON.parse(body)).toEqual(late);
    expect(ms).toBeGreaterThan(900);
  });

  it('between two requests has its connection closed', async () => {
    const { port } = await serve({ KEEP_ALIVE_TIMEOUT_SECONDS: '1' });
    const socket = connect(port, '127.0.0.1', () => socket.write('GET /health/live HTTP/1.1\r\nHost: layerd\r\n\r\n'));
    const { text, ms } = await untilClosed(socket);
    expect(text).toMatch(/^HTTP\/1\.1 200 /);
    expect(text).toMatch(/^keep-alive: timeout=1\r$/im);
    expect(ms).toBeGreaterThan(900);
  });

  it('to read its answer has its connection closed', async () => {
    const service = await serve({ SEND_TIMEOUT_SECONDS: '1' });
    // Two million numbers: more than socket buffers hold.
    const thirds = (length: number) => Array.from({ length }, () => [1 / 3]);
    const body = JSON.stringify({ x: thirds(2000), weight: thirds(1000), session: false });
    const socket = connect(service.port, '127.0.0.1', () =>
      socket.write(
        `POST /linear HTTP/1.1\r\nHost: layerd\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
      ),
    );
    onTestFinished(() => {
      socket.destroy();
    });
    socket.pause();
    await until(() => {
      const lines = service.log.filter(({ msg }) => msg === 'request');
      expect(lines).toMatchObject([{ route: '/linear', aborted: true }]);
    });
  });

  it('because of the service is not cut off', async () => {
    const service = await serve({ SEND_TIMEOUT_SECONDS: '1' }, (app) => {
      app.get('/slow', async (_request, reply) => {
        // Twice the time that a client has to read.
        for (let time = 0; time < 2; time++) await once(reply.raw, 'timeout');
        return { slow: true };
      });
    });
    expect((await service.client.get('/slow').expect(200)).body).toEqual({ slow: true });
  });
});

it('a head over its limit is 431, one under it is served', async () => {
  const { port, client } = await serve({ HEADER_LIMIT_BYTES: '2000' });
  const [head = '', body = ''] = (
    await exchange(port, `GET /layers HTTP/1.1\r\nHost: layerd\r\nCookie: ${'c'.repeat(2000)}\r\n\r\n`)
  ).split('\r\n\r\n');
  expect(head).toMatch(/^HTTP\/1\.1 431 /);
  expect(JSON.parse(body)).toMatchObject({
    type: '/problems/header-too-large',
    detail: 'the header has over 2000 bytes; expected fewer',
  });
  await client.get('/layers').set('cookie', 'c'.repeat(1000)).expect(200);
  expectProblem(await client.get(`/layers/${'a'.repeat(1500)}`), {
    status: 404,
    type: 'unknown-layer',
    says: /^there is no layer "a+"/,
  });
  expect((await client.post('/linear').send(good.linear.forward)).status).toBe(200);
});
