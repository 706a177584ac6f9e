import { connect, type Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { runProgram } from '../support/children.js';
import { bearer, keysFile } from '../support/keys.js';
import { compiled, runToEnd, startProcess } from '../support/process.js';
import { good } from '../support/requests.js';
import { atScale } from '../support/scale.js';
import { until } from '../support/until.js';

const entry = compiled();

/** The program that `npm run key` runs. */
const KEY_TOOL = fileURLToPath(new URL('../../dist/src/keys/make.js', import.meta.url));

/** Each test starts a process, which takes a second of processor time, so a quick run has one test of each kind. */
const inFull = atScale({ all: true, quick: false });
const stops = atScale<readonly NodeJS.Signals[]>({ all: ['SIGTERM', 'SIGINT'], quick: ['SIGTERM'] });
/** A second signal, and the exit status that it causes. */
const SIGINT = ['SIGINT', 130] as const;
const atOnce = atScale({ all: [SIGINT, ['SIGTERM', 143] as const], quick: [SIGINT] });

/** Throws an uncaught error at SIGWINCH, which nothing else listens to. */
const fail = fileURLToPath(new URL('../support/fail.mjs', import.meta.url));

function open(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => {
      resolve(socket);
    });
    socket.once('error', reject);
  });
}

/** Resolves with everything received until the connection is closed. */
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

/** Waits until the service has noticed the signal and refuses new requests. */
async function stopping(port: number): Promise<Response> {
  return until(async () => {
    const response = await fetch(`http://127.0.0.1:${port}/health/ready`);
    expect(response.status).toBe(503);
    return response;
  });
}

const head = (length: number) =>
  `POST /linear HTTP/1.1\r\nHost: layerd\r\nContent-Type: application/json\r\nContent-Length: ${length}\r\nExpect: 100-continue\r\n\r\n`;

/** A request whose body the service waits for, and everything that it will answer. */
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
    await until(() => {
      expect(service.log()).toMatchObject([
        { level: 30, msg: expect.stringMatching(/^no API keys are configured/) as string },
        { level: 30, msg: expect.stringMatching(/^Server listening/) as string },
        { msg: 'request', route: '/linear', status: 200 },
      ]);
    });
  });

  it('computes on a thread in each of its processes', async () => {
    const service = await startProcess(entry(), { PROCESSES: '2', WORKERS: '1' });
    // More JSON than an event loop reads itself.
    const ones = Array.from({ length: 400 }, () => Array<number>(400).fill(1));
    const post = async (path: string, body: object) => {
      const response = await fetch(`http://127.0.0.1:${service.port}/linear/${path}`, {
        method: 'POST',
        // A new connection for every request, so that requests reach both processes.
        headers: { 'content-type': 'application/json', connection: 'close' },
        body: JSON.stringify(body),
      });
      return (await response.json()) as Readonly<Record<string, unknown>>;
    };
    const { out, session } = await post('forward', { x: ones, weight: [ones[0]] });
    expect(out).toEqual(ones.map(() => [400]));
    const dout = ones.map(() => [1]);
    for (let i = 0; i < 4; i++)
      expect(await post('backward', { session, dout })).toMatchObject({ dweight: [ones[0].map(() => 400)] });
  });

  it.each(stops)('answers requests in flight at %s, and exits with 0', async (signal) => {
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
      title: 'Service shutting down',
      status: 503,
      detail: 'this replica is shutting down; send the request to another replica',
    });
  });

  it.runIf(inFull)('sends an answer completely, however slowly it is read', async () => {
    const service = await startProcess(entry());
    // Two million numbers: more than socket buffers hold.
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

  it.runIf(inFull)('is not ready during the shutdown delay, but still serves', async () => {
    // Longer than the test takes, on any machine.
    const service = await startProcess(entry(), { SHUTDOWN_DELAY_SECONDS: '1000', SHUTDOWN_GRACE_SECONDS: '1001' });
    const url = `http://127.0.0.1:${service.port}`;
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
  });

  it.runIf(inFull)('exits by itself after the shutdown delay', async () => {
    const service = await startProcess(entry(), { SHUTDOWN_DELAY_SECONDS: '1' });
    const signalled = performance.now();
    service.kill('SIGTERM');
    expect(await service.exited).toMatchObject({ code: 0, signal: null, stderr: '' });
    expect(performance.now() - signalled).toBeGreaterThan(900);
  });

  it('reports that it is live while requests in flight are answered', async () => {
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

  it.each(atOnce)('exits at once at a second signal, %s, with %i', async (signal, code) => {
    const service = await startProcess(entry());
    // In flight until it is ended: the first signal by itself would wait for it.
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

  it.each(['1', '2'])('exits with 1 if requests are not answered in time, with %s processes', async (count) => {
    const service = await startProcess(entry(), { SHUTDOWN_GRACE_SECONDS: '1', PROCESSES: count });
    const { answer } = await inFlight(service.port, 10);
    service.kill('SIGTERM');
    expect(await service.exited).toMatchObject({ code: 1, signal: null });
    expect(service.log()).toContainEqual(expect.objectContaining({ level: 50, msg: 'killed by timeout (1000ms)' }));
    await answer;
  });

  it('logs an uncaught error, and exits with 1', async () => {
    const service = await startProcess(entry(), { NODE_OPTIONS: `--import ${fail}` });
    // It does not wait for a request that will never be answered.
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

  it.runIf(inFull)('does not wait for idle connections', async () => {
    const service = await startProcess(entry());
    const [silent, idle] = await Promise.all([open(service.port), open(service.port)]);
    idle.write('GET /health/ready HTTP/1.1\r\nHost: layerd\r\n\r\n');
    await new Promise((answered) => idle.once('data', answered));
    const [first, second] = [received(silent), received(idle)];
    service.kill('SIGTERM');
    await Promise.all([first, second]);
    expect(await service.exited).toMatchObject({ code: 0, signal: null });
  });

  it('exits at once if it has nothing to do', async () => {
    const service = await startProcess(entry());
    service.kill('SIGTERM');
    expect(await service.exited).toMatchObject({ code: 0, signal: null, stderr: '' });
  });

  it('logs an error and exits with 1 if it cannot listen', async () => {
    const service = await startProcess(entry());
    const { code, stdout } = await runToEnd(entry(), { PORT: String(service.port) });
    expect(code).toBe(1);
    const [, line = ''] = stdout.split('\n');
    expect(JSON.parse(line)).toMatchObject({ level: 60, msg: 'cannot listen', err: { code: 'EADDRINUSE' } });
  });
});

describe.runIf(inFull)('access', () => {
  it.each([
    ['127.0.0.1', 30, 'no API keys are configured: any program on this machine can use the service'],
    ['localhost', 30, 'no API keys are configured: any program on this machine can use the service'],
    [
      '0.0.0.0',
      40,
      'no API keys are configured: anyone who can reach this address, even from other machines, can use the service',
    ],
  ])('is reported at start if there are no keys, with HOST=%s', async (host, level, msg) => {
    const service = await startProcess(entry(), { HOST: host });
    expect(service.log()).toContainEqual(expect.objectContaining({ level, msg, host }));
  });

  it('requires a key from the tool if there are keys', async () => {
    const { stdout } = await runProgram(process.execPath, [KEY_TOOL, 'trainer']);
    const [key = '', line = ''] = stdout.split('\n');
    const { path, write } = keysFile();
    write([line]);
    const service = await startProcess(entry(), { HOST: '0.0.0.0', API_KEYS_FILE: path });
    const url = `http://127.0.0.1:${service.port}/layers`;
    expect((await fetch(url)).status).toBe(401);
    expect((await fetch(url, { headers: bearer(key) })).status).toBe(200);
    expect(service.log().filter(({ level }) => Number(level) > 30)).toEqual([]);
    expect(JSON.stringify(service.log())).not.toContain('no API keys are configured');
  });

  it('is refused to all if the keys cannot be used: the service exits with 1', async () => {
    const { code, stdout } = await runToEnd(entry(), { API_KEYS_FILE: '/nowhere/keys' });
    expect(code).toBe(1);
    const [line = ''] = stdout.split('\n');
    expect(JSON.parse(line)).toMatchObject({
      level: 60,
      msg: 'cannot start',
      err: { message: expect.stringMatching(/^API_KEYS_FILE \/nowhere\/keys cannot be used: ENOENT/) as string },
    });
  });

  it.each([[[]], [['two', 'names']], [['a:b']]])('is not granted to keys named %j', async (names) => {
    const made = await runProgram(process.execPath, [KEY_TOOL, ...names]);
    expect(made).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringContaining('expected') as string,
    });
  });
});

describe('an invalid configuration', () => {
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
  ])('causes one line that names the variable, and exit status 1: %o', async (environment, line) => {
    expect(await runToEnd(entry(), environment)).toEqual({ code: 1, signal: null, stdout: '', stderr: line });
  });
});
