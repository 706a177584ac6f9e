import { connect, type Socket } from 'node:net';
import { describe, expect, it, vi } from 'vitest';
import { compiled, runToEnd, startProcess } from '../support/process.js';
import { good } from '../support/requests.js';

const entry = compiled();

function open(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => {
      resolve(socket);
    });
    socket.once('error', reject);
  });
}

/** Resolves with all that comes until the connection is closed. */
function received(socket: Socket): Promise<string> {
  return new Promise((resolve) => {
    let text = '';
    socket.setEncoding('utf8').on('data', (piece: string) => {
      text += piece;
    });
    socket.once('close', () => {
      resolve(text);
    });
  });
}

/** Until it has noticed the signal: from then on it refuses what is new. */
async function stopping(port: number): Promise<Response> {
  return vi.waitFor(
    async () => {
      const response = await fetch(`http://127.0.0.1:${port}/health/ready`);
      expect(response.status).toBe(503);
      return response;
    },
    { timeout: 10_000 },
  );
}

const head = (length: number) =>
  `POST /linear HTTP/1.1\r\nHost: layerd\r\nContent-Type: application/json\r\nContent-Length: ${length}\r\nExpect: 100-continue\r\n\r\n`;

describe('the process', () => {
  it('serves on the port that it logs', async () => {
    const service = await startProcess(entry());
    const response = await fetch(`http://127.0.0.1:${service.port}/linear`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(good.linear.forward),
    });
    expect(await response.json()).toMatchObject({
      out: [
        [1.9, -0.3],
        [3.7, -0.3],
      ].map((row) => row.map((v) => expect.closeTo(v) as number)),
    });
    await vi.waitFor(() => {
      expect(service.log()).toMatchObject([{ level: 30 }, { msg: 'request', route: '/linear', status: 200 }]);
    });
  });

  it.each(['SIGTERM', 'SIGINT'] as const)('answers what is in flight at %s, and exits with 0', async (signal) => {
    const service = await startProcess(entry());
    const body = JSON.stringify(good.linear.forward);
    const socket = await open(service.port);
    const answer = received(socket);
    socket.write(head(body.length));
    await new Promise((continued) => socket.once('data', continued));
    socket.write(body.slice(0, 10));
    service.kill(signal);
    const refusal = await stopping(service.port);
    socket.write(body.slice(10));

    const [, headers = '', json = ''] = (await answer).split('\r\n\r\n');
    expect(headers).toMatch(/^HTTP\/1\.1 200 OK/);
    expect(headers).toMatch(/^connection: close$/im);
    expect(JSON.parse(json)).toHaveProperty('out');
    expect(await service.exited).toMatchObject({ code: 0, signal: null, stderr: '' });
    expect(service.log().filter(({ level }) => Number(level) > 30)).toEqual([]);

    expect(Object.fromEntries(refusal.headers)).toMatchObject({
      'content-type': 'application/problem+json',
      connection: 'close',
      'retry-after': '1',
      'x-request-id': expect.any(String) as string,
    });
    expect(await refusal.json()).toEqual({
      type: '/problems/shutting-down',
      title: 'The service is stopping',
      status: 503,
      detail: 'this replica is stopping; expected a request to another one',
    });
  });

  it('sends an answer to its last byte, however slowly it is read', async () => {
    const service = await startProcess(entry());
    // Two million numbers: more than sockets buffer.
    const thirds = (length: number) => Array.from({ length }, () => [1 / 3]);
    const body = JSON.stringify({ x: thirds(2000), weight: thirds(1000), session: false });
    const socket = await open(service.port);
    socket.write(head(body.length));
    await new Promise((continued) => socket.once('data', continued));
    socket.write(body);
    await new Promise((readable) => socket.once('readable', readable));
    service.kill('SIGTERM');
    await stopping(service.port);
    const [headers = '', json = ''] = (await received(socket)).split('\r\n\r\n');
    expect(/^content-length: (\d+)$/im.exec(headers)?.[1]).toBe(String(json.length));
    expect(JSON.parse(json)).toHaveProperty('out.length', 2000);
    expect(await service.exited).toMatchObject({ code: 0, signal: null });
  });

  it('does not wait for connections that ask for nothing', async () => {
    const service = await startProcess(entry());
    const [silent, idle] = await Promise.all([open(service.port), open(service.port)]);
    idle.write('GET /health/ready HTTP/1.1\r\nHost: layerd\r\n\r\n');
    await new Promise((answered) => idle.once('data', answered));
    const [first, second] = [received(silent), received(idle)];
    service.kill('SIGTERM');
    await Promise.all([first, second]);
    expect(await service.exited).toMatchObject({ code: 0, signal: null });
  });

  it('exits at once when it has nothing to do', async () => {
    const service = await startProcess(entry());
    service.kill('SIGTERM');
    expect(await service.exited).toMatchObject({ code: 0, signal: null, stderr: '' });
  });

  it('says so and exits with 1 when it cannot listen', async () => {
    const service = await startProcess(entry());
    const { code, stdout } = await runToEnd(entry(), { PORT: String(service.port) });
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({ level: 60, msg: 'cannot listen', err: { code: 'EADDRINUSE' } });
  });
});

describe('a wrong configuration', () => {
  it.each([
    [{ PORT: 'http' }, 'layerd: PORT is "http"; expected an integer from 0 to 65535\n'],
    [{ SESSION_TTL_SECONDS: '0' }, 'layerd: SESSION_TTL_SECONDS is "0"; expected an integer from 1 to 2147483647\n'],
    [
      { LOG_LEVEL: 'loud' },
      'layerd: LOG_LEVEL is "loud"; expected "fatal" or "error" or "warn" or "info" or "debug" or "trace" or "silent"\n',
    ],
  ])('is one line that names the variable, and exit 1: %o', async (environment, line) => {
    expect(await runToEnd(entry(), environment)).toEqual({ code: 1, signal: null, stdout: '', stderr: line });
  });
});
