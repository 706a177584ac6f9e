import { connect, type Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { binary } from '../../support/binary.js';
import { exchange } from '../../support/raw.js';
import { good } from '../../support/requests.js';
import { call, serve, serveAll, type Service } from '../../support/service.js';
import { until } from '../../support/until.js';

/** The log lines of requests, once there are this many. */
async function requestsLogged({ log }: Service, count: number) {
  return until(() => {
    const lines = log.filter(({ msg }) => msg === 'request');
    expect(lines).toHaveLength(count);
    return lines;
  });
}

/** A connection on which the service has begun to read a request with a body of `length` bytes. */
function begin(port: number, head: string, length: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.write(
        `${head}\r\nHost: layerd\r\nContent-Type: application/json\r\nContent-Length: ${length}\r\nExpect: 100-continue\r\n\r\n`,
      );
    });
    socket.once('error', reject);
    // "100 Continue": the service is handling the request and waiting for its body.
    socket.once('data', () => {
      resolve(socket);
    });
  });
}

describe('a body of 60 MB', () => {
  // Three million random numbers of 17 or more digits; weight selects one feature of each row.
  const N = 1000;
  const I = 3200;
  const picked = 1234;

  it('is read, computed and answered', async () => {
    const service = await serve();
    const rows = Array.from({ length: N }, (_, n) => Array.from({ length: I }, (_, i) => Math.sin(n * I + i)));
    const weight = [Array.from({ length: I }, (_, i) => (i === picked ? 1 : 0))];
    const body = JSON.stringify({ x: rows, weight });
    expect(body.length).toBeGreaterThan(60e6);
    expect(body.length).toBeLessThan(64 * 2 ** 20);
    const response = await fetch(`${service.url}/linear`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body,
    });
    expect(response.status).toBe(200);
    const { out, session } = (await response.json()) as { out: number[][]; session: string };
    expect(out).toEqual(rows.map((row) => [row[picked]]));
    const dout = rows.map((_, n) => [n === 7 ? 1 : 0]);
    const { dweight } = await call(service, 'linear/backward', { session, dout, release: true });
    expect(dweight).toEqual([rows[7]]);
  });
});

describe('a client that hangs up', () => {
  it.each(['POST /linear/forward HTTP/1.1', 'POST /linear/backward HTTP/1.1'])(
    'in the middle of its body is logged, but not as a failure: %s',
    async (head) => {
      const service = await serve();
      const socket = await begin(service.port, head, 1_000_000);
      await new Promise((written) => socket.write('{"x":[[1,2', written));
      socket.destroy();
      const [line] = await requestsLogged(service, 1);
      expect(line).toMatchObject({ level: 30, method: 'POST', aborted: true });
      expect(line).not.toHaveProperty('status');
      expect(service.log.filter(({ level }) => Number(level) >= 40)).toEqual([]);
      await call(service, 'linear', good.linear.forward);
      expect(await requestsLogged(service, 2)).toMatchObject([{ aborted: true }, { status: 200 }]);
    },
  );

  it('before reading the answer does not harm the service', async () => {
    const service = await serve();
    // Two million numbers: more than socket buffers hold.
    const thirds = (length: number) => Array.from({ length }, () => [1 / 3]);
    const forward = JSON.stringify({ x: thirds(2000), weight: thirds(1000), session: false });
    const socket = await begin(service.port, 'POST /linear HTTP/1.1', forward.length);
    await new Promise((written) => socket.write(forward, written));
    await new Promise((answered) => socket.once('data', answered));
    socket.destroy();
    expect(await requestsLogged(service, 1)).toMatchObject([{ level: 30, route: '/linear', aborted: true }]);
    await call(service, 'linear', good.linear.forward);
  });

  it('a hundred times does not stop the service', async () => {
    const service = await serve();
    const sockets = await Promise.all(
      Array.from({ length: 100 }, () => begin(service.port, 'POST /linear HTTP/1.1', 1000)),
    );
    for (const socket of sockets) socket.resetAndDestroy();
    await requestsLogged(service, 100);
    await call(service, 'linear', good.linear.forward);
    expect(service.log.filter(({ level }) => Number(level) >= 40)).toEqual([]);
  });
});

describe('a connection', () => {
  const service = serveAll();

  it('serves requests one after another, in order', async () => {
    const body = JSON.stringify({ ...good.linear.forward, session: false });
    const request = (path: string, connection: string) =>
      `POST ${path} HTTP/1.1\r\nHost: layerd\r\nContent-Type: application/json\r\nConnection: ${connection}\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
    const answers = await exchange(
      service().port,
      request('/linear', 'keep-alive') + request('/nothing', 'keep-alive') + request('/linear/forward', 'close'),
    );
    expect(answers.match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 200', 'HTTP/1.1 404', 'HTTP/1.1 200']);
  });

  it('stays open after a refused request', async () => {
    const broken = '{"x":';
    const answers = await exchange(
      service().port,
      `POST /linear HTTP/1.1\r\nHost: layerd\r\nContent-Type: application/json\r\nContent-Length: ${broken.length}\r\n\r\n${broken}` +
        'PUT /linear HTTP/1.1\r\nHost: layerd\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello' +
        'POST /linear HTTP/1.1\r\nHost: layerd\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello' +
        'GET /health/live HTTP/1.1\r\nHost: layerd\r\nConnection: close\r\n\r\n',
    );
    expect(answers.match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 400', 'HTTP/1.1 405', 'HTTP/1.1 415', 'HTTP/1.1 200']);
  });
});

it.each(['application/json', 'application/vnd.safetensors'])(
  'asks clients to close the connection once a stop is announced: %s',
  async (type) => {
    const { app, url } = await serve({});
    const { forward } = good.linear;
    const body = type === 'application/json' ? JSON.stringify(forward) : binary(forward, 'float64');
    const send = () =>
      fetch(`${url}/linear/forward`, { method: 'POST', headers: { 'content-type': type }, body: body as string });
    expect((await send()).headers.get('connection')).toBe('keep-alive');
    app.announceStop();
    const response = await send();
    expect([response.status, response.headers.get('connection')]).toEqual([200, 'close']);
  },
);
