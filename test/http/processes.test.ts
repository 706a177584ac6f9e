import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { bearer, keysFile } from '../support/keys.js';
import { samplesOf, valueOf } from '../support/prometheus.js';
import { compiled, startProcess, type RunningService } from '../support/process.js';
import { until } from '../support/until.js';

const entry = compiled();

/** Throws an uncaught error at SIGWINCH, which nothing else listens to. */
const fail = fileURLToPath(new URL('../support/fail.mjs', import.meta.url));

/** Its JSON is over 256 KiB of text, so it goes to a worker thread. */
const N = 128;
const C = 128;
const x = Array.from({ length: N }, (_, n) => Array.from({ length: C }, (_, c) => Math.sin(n * C + c)));
const dout = Array.from({ length: N }, (_, n) => Array.from({ length: C }, (_, c) => Math.cos(n * C + c)));

interface Answer {
  readonly status: number;
  readonly body: Record<string, unknown>;
}

async function post(port: number, path: string, body: object): Promise<Answer> {
  const response = await fetch(`http://127.0.0.1:${port}/${path}`, {
    method: 'POST',
    // A new connection for every request, so that requests reach every process.
    headers: { 'content-type': 'application/json', connection: 'close' },
    body: JSON.stringify(body),
  });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

describe('a worker thread', () => {
  it('returns the same answers as the event loop, for large JSON and for heavy work', async () => {
    const [alone, threaded] = [
      await startProcess(entry(), { WORKERS: '0' }),
      await startProcess(entry(), { WORKERS: '2' }),
    ];
    const wide = { x: [[Array.from({ length: 300 }, (_, i) => i)]], weight: [[[1, 2, 3]]], padding: 900_000 };
    for (const [path, request] of [
      ['batchnorm', { x, session: false }],
      ['convolution', { ...wide, session: false }],
    ] as const)
      expect(await post(threaded.port, path, request)).toEqual(await post(alone.port, path, request));
  });

  it('runs long checks and cases, with the same answers as the event loop', async () => {
    const [alone, threaded] = [
      await startProcess(entry(), { WORKERS: '0' }),
      await startProcess(entry(), { WORKERS: '1' }),
    ];
    const asked = { seed: 3, answers: true };
    const made = await post(threaded.port, 'rnn/check/case', asked);
    expect(made).toEqual(await post(alone.port, 'rnn/check/case', asked));
    const { answers, ...given } = made.body;
    // No single mistake fits, so pairs are tried.
    const claims = { ...(answers as object), dh0: [1, 2].map((n) => [n, n * n, 5 - n]) };
    const verdict = await post(threaded.port, 'rnn/check', { ...given, claims });
    expect(verdict).toMatchObject({ status: 200, body: { pass: false, tensors: { dx: { pass: true } } } });
    expect(verdict).toEqual(await post(alone.port, 'rnn/check', { ...given, claims }));
  });

  it('keeps its sessions where every thread finds them', async () => {
    const { port } = await startProcess(entry(), { WORKERS: '2' });
    const { body } = await post(port, 'batchnorm', { x });
    const calls = await Promise.all(
      Array.from({ length: 4 }, () => post(port, 'batchnorm/backward', { session: body.session, dout })),
    );
    const stateless = await post(port, 'batchnorm/backward', { forward: { x }, dout });
    for (const call of calls) expect(call).toEqual(stateless);
    expect(await post(port, 'batchnorm/backward', { session: body.session, dout, release: true })).toEqual(stateless);
    expect((await post(port, 'batchnorm/backward', { session: body.session, dout })).status).toBe(404);
  });

  it('computes requests that the event loop has read if their plan is heavy, with sessions and sequences', async () => {
    const [alone, threaded] = [
      await startProcess(entry(), { WORKERS: '0' }),
      await startProcess(entry(), { WORKERS: '1', SESSION_BUDGET_BYTES: String(2 ** 20) }),
    ];
    // 16 million operations on 160 kB of JSON.
    const square = Array.from({ length: 200 }, (_, i) => Array.from({ length: 200 }, (_, j) => (i + j) % 10));
    const forward = { x: square, weight: square };
    const stateless = { forward, dout: square };
    const expected = await post(alone.port, 'linear/backward', stateless);
    expect(await post(threaded.port, 'linear/backward', stateless)).toEqual(expected);
    const { body } = await post(threaded.port, 'linear', forward);
    const release = { session: body.session, dout: square, release: true };
    expect(await post(threaded.port, 'linear/backward', release)).toEqual(expected);
    expect((await post(threaded.port, 'linear/backward', release)).status).toBe(404);

    const tensor = (name: string) => ({ name, shape: [200, 200], datatype: 'FP64', data: square.flat() });
    const sequence = (start: boolean) => ({ sequence_id: 7, sequence_start: start, sequence_end: !start });
    const began = { inputs: [tensor('x'), tensor('weight')], parameters: sequence(true) };
    expect((await post(threaded.port, 'v2/models/linear_forward/infer', began)).status).toBe(200);
    const ended = { inputs: [tensor('dout')], outputs: [{ name: 'dbias' }], parameters: sequence(false) };
    // There is no bias, so this is refused after the gradients are known.
    const refused = await post(threaded.port, 'v2/models/linear_backward/infer', ended);
    expect(refused).toEqual({
      status: 422,
      body: { error: '/outputs/0 asks for dbias; expected one of dx, dweight, which this request returns' },
    });
    const { status, body: answer } = await post(threaded.port, 'v2/models/linear_backward/infer', {
      ...ended,
      outputs: [{ name: 'dweight' }],
    });
    expect(status).toBe(200);
    const [{ data }] = answer.outputs as [{ data: number[] }];
    expect(data).toEqual((expected.body.dweight as number[][]).flat());

    // Two sessions do not fit: the answer is computed, and the store then refuses the session.
    expect((await post(threaded.port, 'linear', forward)).status).toBe(200);
    const full = await post(threaded.port, 'linear', forward);
    expect(full).toMatchObject({ status: 503, body: { type: '/problems/session-store-full' } });
  });

  it('refuses the same requests as the event loop, with the same messages', async () => {
    const [alone, threaded] = [
      await startProcess(entry(), { WORKERS: '0' }),
      await startProcess(entry(), { WORKERS: '1' }),
    ];
    const ragged = { x: [...x, [1]] };
    const misfit = { x, gamma: [1] };
    for (const request of [ragged, misfit])
      expect(await post(threaded.port, 'batchnorm', request)).toEqual(await post(alone.port, 'batchnorm', request));
  });
});

/** Ends the worker threads of the service that loads it, at SIGWINCH, which nothing else listens to. */
const endThreads = fileURLToPath(new URL('../support/end-threads.mjs', import.meta.url));

it('fails only the request whose worker thread dies, and starts another thread for the next', async () => {
  const service = await startProcess(entry(), {
    WORKERS: '1',
    WORK_LIMIT_OPERATIONS: String(2 ** 50),
    WORK_LIMIT_RESULT_BYTES: String(2 ** 40),
    NODE_OPTIONS: `--import ${endThreads}`,
  });
  const { port } = service;
  // On Node.js 20, a thread that is ended while loading takes its process with it; this one has already run a call.
  const large = await post(port, 'batchnorm', { x, session: false });
  expect(large.status).toBe(200);
  // 200 billion operations from a small body: more than can finish before the thread is ended.
  const long = { x: [[Array<number>(300).fill(1)]], weight: [[Array<number>(30_000).fill(1)]], padding: 1_700_000 };
  const dying = post(port, 'convolution', { ...long, session: false });
  await until(async () => {
    const metrics = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
    expect(metrics).toMatch(/^layerd_worker_threads_busy 1$/m);
  });
  const small = { x: [[1], [2], [4]] };
  const before = await post(port, 'batchnorm', { ...small, session: false });
  const waiting = post(port, 'batchnorm', { x, session: false });
  service.kill('SIGWINCH');
  expect(await dying).toMatchObject({ status: 500, body: { type: '/problems/internal-error', status: 500 } });
  expect(await waiting).toEqual(large);
  expect(await post(port, 'batchnorm', { ...small, session: false })).toEqual(before);
  expect(service.log().filter(({ level }) => Number(level) >= 50)).toHaveLength(1);
});

it('forgets a waiting call whose client disconnects, and counts one that a thread computes until it ends', async () => {
  const service = await startProcess(entry(), {
    WORKERS: '1',
    WORK_LIMIT_OPERATIONS: String(2 ** 50),
    WORK_LIMIT_RESULT_BYTES: String(2 ** 40),
    REQUESTS_IN_FLIGHT_LIMIT: '3',
    NODE_OPTIONS: `--import ${endThreads}`,
  });
  const { port } = service;
  const large = await post(port, 'batchnorm', { x, session: false });
  const queued = async (count: number) => {
    const metrics = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
    expect(metrics).toMatch(/^layerd_worker_threads_busy 1$/m);
    expect(metrics).toMatch(new RegExp(`^layerd_worker_calls_queued ${count}$`, 'm'));
  };
  const client = new AbortController();
  const abandoned = (path: string, body: object) =>
    fetch(`http://127.0.0.1:${port}/${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
      signal: client.signal,
    }).catch(() => undefined);
  const long = { x: [[Array<number>(300).fill(1)]], weight: [[Array<number>(30_000).fill(1)]], padding: 1_700_000 };
  const running = abandoned('convolution', { ...long, session: false });
  await until(() => queued(0));
  const waiting = abandoned('batchnorm', { x, session: false });
  await until(() => queued(1));
  client.abort();
  await Promise.all([running, waiting]);
  await until(() => queued(0));
  // The abandoned call that the thread still computes is one of three.
  const others = [1, 2].map(() => post(port, 'batchnorm', { x, session: false }));
  const small = { x: [[1], [2], [4]], session: false };
  const refused = await until(async () => {
    const answer = await post(port, 'batchnorm', small);
    expect(answer.status).toBe(503);
    return answer;
  });
  expect(refused.body.detail).toBe('3 requests are in flight; expected fewer than 3');
  service.kill('SIGWINCH');
  expect(await Promise.all(others)).toEqual([large, large]);
  expect((await post(port, 'batchnorm', small)).status).toBe(200);
  expect(service.log().filter(({ aborted }) => aborted === true)).toHaveLength(2);
});

/** The process ids of the server processes that have listened so far. */
function pidsOf(service: RunningService): Set<number> {
  const listening = service.log().filter(({ msg }) => String(msg).startsWith('Server listening'));
  return new Set(listening.map(({ pid }) => pid as number));
}

/** Waits until this many have listened. */
async function listened(service: RunningService, count: number): Promise<void> {
  await until(() => {
    expect(pidsOf(service).size).toBe(count);
  });
}

/** Longer than any test takes, on any machine. */
const DELAYED = { SHUTDOWN_DELAY_SECONDS: '1000', SHUTDOWN_GRACE_SECONDS: '1001' };

describe('two processes', () => {
  it('serve each other’s sessions', async () => {
    const service = await startProcess(entry(), { PROCESSES: '2' });
    await listened(service, 2);
    const { port } = service;
    const small = { x: [[1], [2], [4]] };
    const owners = new Set<string>();
    for (let i = 0; i < 8; i++) {
      const { body } = await post(port, 'batchnorm', small);
      const session = body.session as string;
      owners.add(session.split('.')[0]);
      const stateless = await post(port, 'batchnorm/backward', { forward: small, dout: [[1], [0], [0]] });
      for (let call = 0; call < 4; call++)
        expect(await post(port, 'batchnorm/backward', { session, dout: [[1], [0], [0]] })).toEqual(stateless);
      await post(port, 'batchnorm/backward', { session, dout: [[1], [0], [0]], release: true });
      expect((await post(port, 'batchnorm/backward', { session, dout: [[1], [0], [0]] })).status).toBe(404);
      // Connections go to the processes in turn; an odd number in all puts the next session in the other process.
      await post(port, 'linear', { x: [[1]], weight: [[1]], session: false });
    }
    expect(owners).toEqual(new Set(['0', '1']));
  });

  it('report the metrics of both from either one, and keep those of one that died', async () => {
    const service = await startProcess(entry(), { PROCESSES: '2', SESSION_BUDGET_BYTES: '100000' });
    const both = () =>
      until(async () => {
        const response = await fetch(`http://127.0.0.1:${service.port}/metrics`, {
          headers: { connection: 'close' },
        });
        expect(response.headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/);
        const samples = samplesOf(await response.text());
        expect(valueOf(samples, 'layerd_processes')).toBe(2);
        return samples;
      });
    await both();
    for (let i = 0; i < 8; i++) await post(service.port, 'linear', { x: [[1]], weight: [[1]] });
    const figures = async () => {
      const samples = await both();
      return [
        valueOf(samples, 'layerd_calls_total', { layer: 'linear', dtype: 'float64' }),
        valueOf(samples, 'http_server_request_duration_seconds_count', { http_route: '/linear' }),
        valueOf(samples, 'layerd_sessions_created_total'),
        valueOf(samples, 'layerd_sessions_budget_bytes'),
        valueOf(samples, 'layerd_process_restarts_total'),
      ];
    };
    // A request is counted at the end of its answer, which its client may already have read.
    const counted = (expected: number[]) =>
      until(async () => {
        expect(await figures()).toEqual(expected);
      });
    await counted([8, 8, 8, 100000, 0]);
    for (let i = 0; i < 4; i++) expect(await figures()).toEqual([8, 8, 8, 100000, 0]);
    expect(valueOf(await both(), 'layerd_sessions')).toBe(8);

    const [victim] = pidsOf(service);
    process.kill(victim, 'SIGKILL');
    await listened(service, 3);
    await counted([8, 8, 8, 100000, 1]);
    // The sessions that it held are gone.
    expect(valueOf(await both(), 'layerd_sessions')).toBeLessThan(8);
    await post(service.port, 'linear', { x: [[1]], weight: [[1]] });
    await counted([9, 9, 9, 100000, 1]);
  });

  it('are restarted when they die', async () => {
    const service = await startProcess(entry(), { PROCESSES: '2' });
    await listened(service, 2);
    const [victim] = pidsOf(service);
    process.kill(victim, 'SIGKILL');
    await listened(service, 3);
    expect((await post(service.port, 'linear', { x: [[1]], weight: [[1]] })).status).toBe(200);
  });

  it('exit together with status 0 at SIGTERM', async () => {
    const service = await startProcess(entry(), { PROCESSES: '2' });
    service.kill('SIGTERM');
    expect(await service.exited).toMatchObject({ code: 0, signal: null });
  });

  it('both report that they are not ready during the shutdown delay, and still serve', async () => {
    const service = await startProcess(entry(), { PROCESSES: '2', ...DELAYED });
    await until(() => {
      expect(pidsOf(service).size).toBe(2);
    });
    const status = async (path: string) =>
      (await fetch(`http://127.0.0.1:${service.port}${path}`, { headers: { connection: 'close' } })).status;
    service.kill('SIGTERM');
    await until(async () => {
      for (let i = 0; i < 4; i++) expect(await status('/health/ready')).toBe(503);
    });
    for (let i = 0; i < 4; i++) expect(await status('/layers')).toBe(200);
  });

  it('exit at once at a second signal', async () => {
    const service = await startProcess(entry(), { PROCESSES: '2', ...DELAYED });
    await until(() => {
      expect(pidsOf(service).size).toBe(2);
    });
    service.kill('SIGTERM');
    await until(async () => {
      expect((await fetch(`http://127.0.0.1:${service.port}/health/ready`)).status).toBe(503);
    });
    service.kill('SIGTERM');
    expect(await service.exited).toMatchObject({ code: 143, signal: null });
    // Neither server is left; without the second signal, the delay would have kept both.
    await expect(fetch(`http://127.0.0.1:${service.port}/health/live`)).rejects.toThrow('fetch failed');
  });

  it('are restarted after an uncaught error', async () => {
    const service = await startProcess(entry(), { PROCESSES: '2', NODE_OPTIONS: `--import ${fail}` });
    await until(() => {
      expect(pidsOf(service).size).toBe(2);
    });
    const [victim] = pidsOf(service);
    process.kill(victim, 'SIGWINCH');
    await until(() => {
      expect(pidsOf(service).size).toBe(3);
    });
    expect(service.log()).toContainEqual(expect.objectContaining({ level: 60, msg: 'uncaught', pid: victim }));
    expect((await post(service.port, 'linear', { x: [[1]], weight: [[1]] })).status).toBe(200);
  });

  it('know the owner of a session from either process, and on worker threads', async () => {
    const { path, keys } = keysFile('a', 'b');
    const service = await startProcess(entry(), { PROCESSES: '2', API_KEYS_FILE: path });
    const as = async (key: string, route: string, body: object) => {
      const response = await fetch(`http://127.0.0.1:${service.port}/${route}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', connection: 'close', ...bearer(key) },
        body: JSON.stringify(body),
      });
      return { status: response.status, body: (await response.json()) as Record<string, unknown> };
    };
    // Small ones run on the event loop, large ones on a thread.
    for (const [forward, upstream] of [
      [{ x: [[1], [2], [4]] }, [[1], [0], [0]]],
      [{ x }, dout],
    ])
      for (let i = 0; i < 3; i++) {
        const { body } = await as(keys.a, 'batchnorm', forward);
        const backward = { session: body.session, dout: upstream };
        for (const key of [keys.a, keys.b, keys.a, keys.b])
          expect((await as(key, 'batchnorm/backward', backward)).status).toBe(key === keys.a ? 200 : 404);
      }
  });

  it('answer requests in flight at Ctrl-C, which reaches all processes', async () => {
    const service = await startProcess(entry(), { PROCESSES: '2' });
    await listened(service, 2);
    const weight = Array.from({ length: 1500 }, () => Array<number>(1500).fill(1));
    // Seconds of work, so that the signals arrive while it is running.
    const answer = post(service.port, 'linear', { x: weight, weight, session: false });
    for (const pid of pidsOf(service)) process.kill(pid, 'SIGINT');
    expect((await answer).status).toBe(200);
    service.kill('SIGINT');
    expect(await service.exited).toMatchObject({ code: 0, signal: null });
  });
});
