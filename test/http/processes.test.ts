import { fileURLToPath } from 'node:url';
import { describe, expect, it, vi } from 'vitest';
import { compiled, startProcess, type RunningService } from '../support/process.js';

const entry = compiled();

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

describe('two processes', () => {
  it('serve each other’s sessions', async () => {
    const service = await startProcess(entry(), { PROCESSES: '2' });
    await vi.waitFor(
      () => {
        expect(pidsOf(service).size).toBe(2);
      },
      { timeout: 15_000 },
    );
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

  it('are started again when they die', async () => {
    const service = await startProcess(entry(), { PROCESSES: '2' });
    await vi.waitFor(
      () => {
        expect(pidsOf(service).size).toBe(2);
      },
      { timeout: 15_000 },
    );
    const [victim] = pidsOf(service);
    process.kill(victim, 'SIGKILL');
    await vi.waitFor(
      () => {
        expect(pidsOf(service).size).toBe(3);
      },
      { timeout: 15_000 },
    );
    expect((await post(service.port, 'linear', { x: [[1]], weight: [[1]] })).status).toBe(200);
  });

  it('end together at SIGTERM, with 0', async () => {
    const service = await startProcess(entry(), { PROCESSES: '2' });
    service.kill('SIGTERM');
    expect(await service.exited).toMatchObject({ code: 0, signal: null });
  });

  it('answer what is in flight at Ctrl-C, which reaches them all', async () => {
    const service = await startProcess(entry(), { PROCESSES: '2' });
    await vi.waitFor(
      () => {
        expect(pidsOf(service).size).toBe(2);
      },
      { timeout: 15_000 },
    );
    const weight = Array.from({ length: 1500 }, () => Array<number>(1500).fill(1));
    // Seconds of work: the signals come while it is under way.
    const answer = post(service.port, 'linear', { x: weight, weight, session: false });
    for (const pid of pidsOf(service)) process.kill(pid, 'SIGINT');
    expect((await answer).status).toBe(200);
    service.kill('SIGINT');
    expect(await service.exited).toMatchObject({ code: 0, signal: null });
  });
});
