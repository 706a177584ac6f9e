import { fileURLToPath } from 'node:url';
import { describe, expect, it, vi } from 'vitest';
import { bearer, keysFile } from '../support/keys.js';
import { samplesOf, valueOf } from '../support/prometheus.js';
import { compiled, startProcess, type RunningService } from '../support/process.js';

const entry = compiled();

/** Throws where nobody catches, at SIGWINCH, which nothing else listens to. */
const fail = fileURLToPath(new URL('../support/fail.mjs', import.meta.url));

/** Large enough that its JSON goes to a worker thread: over 256 KiB of text. */
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
    // A connection a request, so that requests meet every process.
    headers: { 'content-type': 'application/json', connection: 'close' },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(30_000),
  });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

describe('a worker thread', () => {
  it('gives the same answers as the event loop, for JSON that is large and for work that is', async () => {
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

  it('checks what takes long, and makes cases, as the event loop does', async () => {
    const [alone, threaded] = [
      await startProcess(entry(), { WORKERS: '0' }),
      await startProcess(entry(), { WORKERS: '1' }),
    ];
    const asked = { seed: 3, answers: true };
    const made = await post(threaded.port, 'rnn/check/case', asked);
    expect(made).toEqual(await post(alone.port, 'rnn/check/case', asked));
    const { answers, ...given } = made.body;
    // Nothing single fits, so that pairs of mistakes are tried.
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

  it('refuses what the event loop refuses, in the same words', async () => {
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

/** Ends the threads of the service that it is loaded into, at SIGWINCH, which nothing else listens to. */
const endThreads = fileURLToPath(new URL('../support/end-threads.mjs', import.meta.url));

it('fails the one request whose worker thread dies, and has another thread for the next', async () => {
  const service = await startProcess(entry(), {
    WORKERS: '1',
    WORK_LIMIT_RESULT_BYTES: String(2 ** 40),
    NODE_OPTIONS: `--import ${endThreads}`,
  });
  const { port } = service;
  // A thread that is ended while it loads takes its process with it on Node.js 20: this one has run a call.
  const large = await post(port, 'batchnorm', { x, session: false });
  expect(large.status).toBe(200);
  // Five thousand million operations from a small body.
  const long = { x: [[Array<number>(300).fill(1)]], weight: [[Array<number>(3000).fill(1)]], padding: 450_000 };
  const dying = post(port, 'convolution', { ...long, session: false });
  await vi.waitFor(
    async () => {
      const metrics = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
      expect(metrics).toMatch(/^layerd_worker_threads_busy 1$/m);
    },
    { timeout: 10_000 },
  );
  const small = { x: [[1], [2], [4]] };
  const before = await post(port, 'batchnorm', { ...small, session: false });
  const waiting = post(port, 'batchnorm', { x, session: false });
  service.kill('SIGWINCH');
  expect(await dying).toMatchObject({ status: 500, body: { type: '/problems/internal-error', status: 500 } });
  expect(await waiting).toEqual(large);
  expect(await post(port, 'batchnorm', { ...small, session: false })).toEqual(before);
  expect(service.log().filter(({ level }) => Number(level) >= 50)).toHaveLength(1);
});

/** Of the server processes that have listened so far. */
function pidsOf(service: RunningService): Set<number> {
  const listening = service.log().filter(({ msg }) => String(msg).startsWith('Server listening'));
  return new Set(listening.map(({ pid }) => pid as number));
}

/** Once so many have. */
async function listened(service: RunningService, count: number): Promise<void> {
  await vi.waitFor(
    () => {
      expect(pidsOf(service).size).toBe(count);
    },
    { timeout: 15_000 },
  );
}

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
      // Connections go to the processes by turns: an odd number of them in all, so that the next session is another's.
      await post(port, 'linear', { x: [[1]], weight: [[1]], session: false });
    }
    expect(owners).toEqual(new Set(['0', '1']));
  });

  it('tell the metrics of both, whichever is asked, and keep those of one that has died', async () => {
    const service = await startProcess(entry(), { PROCESSES: '2', SESSION_BUDGET_BYTES: '100000' });
    const both = () =>
      vi.waitFor(
        async () => {
          const response = await fetch(`http://127.0.0.1:${service.port}/metrics`, {
            headers: { connection: 'close' },
          });
          expect(response.headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/);
          const samples = samplesOf(await response.text());
          expect(valueOf(samples, 'layerd_processes')).toBe(2);
          return samples;
        },
        { timeout: 15_000 },
      );
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
    for (let i = 0; i < 4; i++) expect(await figures()).toEqual([8, 8, 8, 100000, 0]);
    expect(valueOf(await both(), 'layerd_sessions')).toBe(8);

    const [victim] = pidsOf(service);
    process.kill(victim, 'SIGKILL');
    await listened(service, 3);
    expect(await figures()).toEqual([8, 8, 8, 100000, 1]);
    // What it held is gone.
    expect(valueOf(await both(), 'layerd_sessions')).toBeLessThan(8);
    await post(service.port, 'linear', { x: [[1]], weight: [[1]] });
    expect(await figures()).toEqual([9, 9, 9, 100000, 1]);
  });

  it('are started again when they die', async () => {
    const service = await startProcess(entry(), { PROCESSES: '2' });
    await listened(service, 2);
    const [victim] = pidsOf(service);
    process.kill(victim, 'SIGKILL');
    await listened(service, 3);
    expect((await post(service.port, 'linear', { x: [[1]], weight: [[1]] })).status).toBe(200);
  });

  it('end together at SIGTERM, with 0', async () => {
    const service = await startProcess(entry(), { PROCESSES: '2' });
    service.kill('SIGTERM');
    expect(await service.exited).toMatchObject({ code: 0, signal: null });
  });

  it('are both not ready for the delay of their stop, and serve on until then', async () => {
    const service = await startProcess(entry(), { PROCESSES: '2', SHUTDOWN_DELAY_SECONDS: '3' });
    await vi.waitFor(
      () => {
        expect(pidsOf(service).size).toBe(2);
      },
      { timeout: 15_000 },
    );
    const status = async (path: string) =>
      (await fetch(`http://127.0.0.1:${service.port}${path}`, { headers: { connection: 'close' } })).status;
    service.kill('SIGTERM');
    await vi.waitFor(async () => {
      for (let i = 0; i < 4; i++) expect(await status('/health/ready')).toBe(503);
    });
    for (let i = 0; i < 4; i++) expect(await status('/layers')).toBe(200);
    expect(await service.exited).toMatchObject({ code: 0, signal: null });
  });

  it('end at once at a second signal', async () => {
    const service = await startProcess(entry(), { PROCESSES: '2', SHUTDOWN_DELAY_SECONDS: '20' });
    await vi.waitFor(
      () => {
        expect(pidsOf(service).size).toBe(2);
      },
      { timeout: 15_000 },
    );
    service.kill('SIGTERM');
    await vi.waitFor(async () => {
      expect((await fetch(`http://127.0.0.1:${service.port}/health/ready`)).status).toBe(503);
    });
    service.kill('SIGTERM');
    expect(await service.exited).toMatchObject({ code: 143, signal: null });
    // Neither server is left, which the delay would have kept for 20 s.
    await expect(fetch(`http://127.0.0.1:${service.port}/health/live`)).rejects.toThrow('fetch failed');
  });

  it('start the next one where an error that nobody caught ends one', async () => {
    const service = await startProcess(entry(), { PROCESSES: '2', NODE_OPTIONS: `--import ${fail}` });
    await vi.waitFor(
      () => {
        expect(pidsOf(service).size).toBe(2);
      },
      { timeout: 15_000 },
    );
    const [victim] = pidsOf(service);
    process.kill(victim, 'SIGWINCH');
    await vi.waitFor(
      () => {
        expect(pidsOf(service).size).toBe(3);
      },
      { timeout: 15_000 },
    );
    expect(service.log()).toContainEqual(expect.objectContaining({ level: 60, msg: 'uncaught', pid: victim }));
    expect((await post(service.port, 'linear', { x: [[1]], weight: [[1]] })).status).toBe(200);
  });

  it('know a session’s owner, whichever of them is asked, and on worker threads', async () => {
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
    // Small ones on the event loop, large ones on a thread.
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

  it('answer what is in flight at Ctrl-C, which reaches them all', async () => {
    const service = await startProcess(entry(), { PROCESSES: '2' });
    await listened(service, 2);
    const weight = Array.from({ length: 1500 }, () => Array<number>(1500).fill(1));
    // Seconds of work: the signals come while it is under way.
    const answer = post(service.port, 'linear', { x: weight, weight, session: false });
    for (const pid of pidsOf(service)) process.kill(pid, 'SIGINT');
    expect((await answer).status).toBe(200);
    service.kill('SIGINT');
    expect(await service.exited).toMatchObject({ code: 0, signal: null });
  });
});
