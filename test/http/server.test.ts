import { execFile } from 'node:child_process';
import { connect, type Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it, vi } from 'vitest';
import { bearer, keysFile } from '../support/keys.js';
import { compiled, runToEnd, startProcess } from '../support/process.js';
import { good } from '../support/requests.js';

const entry = compiled();

/** Throws where nobody catches, at SIGWINCH, which nothing else listens to. */
const fail = fileURLToPath(new URL('../support/fail.mjs', import.meta.url));

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

/** A request that the service waits for the body of, and all that will come back. */
async function inFlight(port: number, length: number): Promise<{ socket: Socket; answer: Promise<string> }> {
  const socket = await open(port);
  const answer = received(socket);
  socket.write(head(length));
  await new Promise((continued) => socket.once('data', continued));
  return { socket, answer };
}

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
      expect(service.log()).toMatchObject([
        { level: 30, msg: expect.stringMatching(/^without API_KEYS_FILE/) as string },
        { level: 30, msg: expect.stringMatching(/^Server listening/) as string },
        { msg: 'request', route: '/linear', status: 200 },
      ]);
    });
  });

  it.each(['SIGTERM', 'SIGINT'] as const)('answers what is in flight at %s, and exits with 0', async (signal) => {
    const service = await startProcess(entry());
    const body = JSON.stringify(good.linear.forward);
    const { socket, answer } = await inFlight(service.port, body.length);
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

  it('is not ready for the delay of its stop, and serves on until then', async () => {
    const service = await startProcess(entry(), { SHUTDOWN_DELAY_SECONDS: '2' });
    const url = `http://127.0.0.1:${service.port}`;
    const signalled = performance.now();
    service.kill('SIGTERM');
    await stopping(service.port);
    for (let i = 0; i < 3; i++) {
      const response = await fetch(`${url}/linear`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ ...good.linear.forward, session: false }),
      });
      expect(response.status).toBe(200);
    }
    expect((await fetch(`${url}/health/live`)).status).toBe(200);
    expect(await service.exited).toMatchObject({ code: 0, signal: null, stderr: '' });
    expect(performance.now() - signalled).toBeGreaterThan(1900);
  });

  it('lives, says its probe, while what is in flight is answered', async () => {
    const service = await startProcess(entry());
    const body = JSON.stringify(good.linear.forward);
    const { socket, answer } = await inFlight(service.port, body.length);
    service.kill('SIGTERM');
    await stopping(service.port);
    expect((await fetch(`http://127.0.0.1:${service.port}/layers`)).status).toBe(503);
    expect((await fetch(`http://127.0.0.1:${service.port}/health/live`)).status).toBe(200);
    socket.write(body);
    expect(await answer).toContain('HTTP/1.1 200 OK');
    expect(await service.exited).toMatchObject({ code: 0 });
  });

  it.each([
    ['SIGTERM', 143],
    ['SIGINT', 130],
  ] as const)('exits at once at a second signal, %s, with %i', async (signal, code) => {
    const service = await startProcess(entry());
    // In flight until it is ended: the first signal alone would wait for it.
    const { answer } = await inFlight(service.port, 10);
    service.kill('SIGTERM');
    await stopping(service.port);
    service.kill(signal);
    expect(await service.exited).toMatchObject({ code, signal: null });
    expect(service.log()).toContainEqual(
      expect.objectContaining({ level: 50, msg: `second ${signal}, exiting at once` }),
    );
    await answer;
  });

  it('exits with 1 when what is in flight is not answered within the grace', async () => {
    const service = await startProcess(entry(), { SHUTDOWN_GRACE_SECONDS: '1' });
    const { answer } = await inFlight(service.port, 10);
    service.kill('SIGTERM');
    expect(await service.exited).toMatchObject({ code: 1, signal: null });
    expect(service.log()).toContainEqual(expect.objectContaining({ level: 50, msg: 'killed by timeout (1000ms)' }));
    await answer;
  });

  it('logs an error that nobody caught, and exits with 1', async () => {
    const service = await startProcess(entry(), { NODE_OPTIONS: `--import ${fail}` });
    // An answer that will never come does not hold it up.
    const { answer } = await inFlight(service.port, 10);
    service.kill('SIGWINCH');
    expect(await service.exited).toMatchObject({ code: 1, signal: null });
    expect(service.log()).toContainEqual(
      expect.objectContaining({
        level: 60,
        msg: 'uncaught',
        err: expect.objectContaining({ message: 'nobody catches this' }) as object,
      }),
    );
    await answer;
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
    const [, line = ''] = stdout.split('\n');
    expect(JSON.parse(line)).toMatchObject({ level: 60, msg: 'cannot listen', err: { code: 'EADDRINUSE' } });
  });
});

describe('who is served', () => {
  it.each([
    ['127.0.0.1', 30, 'without API_KEYS_FILE whoever reaches this service is served: the programs of this machine'],
    ['localhost', 30, 'without API_KEYS_FILE whoever reaches this service is served: the programs of this machine'],
    ['0.0.0.0', 40, 'without API_KEYS_FILE whoever reaches this service is served, from other machines too'],
  ])('is said at start where there are no keys, with HOST=%s', async (host, level, msg) => {
    const service = await startProcess(entry(), { HOST: host });
    expect(service.log()).toContainEqual(expect.objectContaining({ level, msg, host }));
  });

  it('is whoever has a key that the tool made, where there are keys', async () => {
    const { stdout } = await promisify(execFile)(process.execPath, [
      entry().replace('server.js', 'keys/make.js'),
      'trainer',
    ]);
    const [key = '', line = ''] = stdout.split('\n');
    const { path, write } = keysFile();
    write([line]);
    const service = await startProcess(entry(), { HOST: '0.0.0.0', API_KEYS_FILE: path });
    const url = `http://127.0.0.1:${service.port}/layers`;
    expect((await fetch(url)).status).toBe(401);
    expect((await fetch(url, { headers: bearer(key) })).status).toBe(200);
    expect(service.log().filter(({ level }) => Number(level) > 30)).toEqual([]);
    expect(JSON.stringify(service.log())).not.toContain('without API_KEYS_FILE');
  });

  it('is nobody where the keys cannot be used: it says so, and exits with 1', async () => {
    const { code, stdout } = await runToEnd(entry(), { API_KEYS_FILE: '/nowhere/keys' });
    expect(code).toBe(1);
    const [line = ''] = stdout.split('\n');
    expect(JSON.parse(line)).toMatchObject({
      level: 60,
      msg: 'cannot start',
      err: { message: expect.stringMatching(/^API_KEYS_FILE \/nowhere\/keys cannot be used: ENOENT/) as string },
    });
  });

  it.each([[[]], [['two', 'names']], [['a:b']]])('is not made of such names: %j', async (names) => {
    const make = promisify(execFile)(process.execPath, [entry().replace('server.js', 'keys/make.js'), ...names]);
    await expect(make).rejects.toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringContaining('expected') as string,
    });
  });
});

describe('a wrong configuration', () => {
  it.each([
    [{ PORT: 'http' }, 'layerd: PORT is "http"; expected an integer from 0 to 65535\n'],
    [
      { SHUTDOWN_DELAY_SECONDS: '25' },
      'layerd: SHUTDOWN_DELAY_SECONDS is 25; expected less than SHUTDOWN_GRACE_SECONDS, 25\n',
    ],
    [{ SESSION_TTL_SECONDS: '0' }, 'layerd: SESSION_TTL_SECONDS is "0"; expected an integer from 1 to 2147483647\n'],
    [
      { LOG_LEVEL: 'loud' },
      'layerd: LOG_LEVEL is "loud"; expected "fatal" or "error" or "warn" or "info" or "debug" or "trace" or "silent"\n',
    ],
  ])('is one line that names the variable, and exit 1: %o', async (environment, line) => {
    expect(await runToEnd(entry(), environment)).toEqual({ code: 1, signal: null, stdout: '', stderr: line });
  });
});
