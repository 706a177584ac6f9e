/**
 * Hostile input to a whole process: it does not crash, answers no 5xx except 503, stays within its memory bound, and
 * leaves no connection open. `TESTS=all REQUESTS=200000 npx vitest run test/resilience/hostile` is the long form.
 */
import { Agent, request as httpRequest } from 'node:http';
import { connect } from 'node:net';
import { readFileSync } from 'node:fs';
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib';
import { expect, it } from 'vitest';
import { binary } from '../support/binary.js';
import { mutatedBytes, mutatedRequest } from '../support/mutations.js';
import { compiled, startProcess } from '../support/process.js';
import { randomNumbers } from '../support/random.js';
import { backwardWith, good, layerNames } from '../support/requests.js';

const REQUESTS = Number(process.env.REQUESTS ?? 4000);
const CONNECTIONS = 8;
const MEBIBYTE = 2 ** 20;
const BODY_LIMIT_BYTES = MEBIBYTE;
/** The time that a request may take to arrive; the service checks it every half second. */
const TIME_LIMIT_SECONDS = 2;
/** Far above the limit on any machine: the service has left the connection open. */
const LEFT_OPEN_MS = 120_000;
/** Far above what a process needs for two bodies in flight, and far below the decompressed size of the bombs. */
const MOST_RESIDENT_BYTES = 700 * MEBIBYTE;

const entry = compiled();
const residentBytes = (pid: number) =>
  Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1024;

interface Attack {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

/** Input that an HTTP client can send. */
function attacks(tokens: Readonly<Record<string, string>>): (seed: number) => Attack {
  const bomb = Buffer.alloc(200 * BODY_LIMIT_BYTES, ' ');
  const bombs = Object.entries({ gzip: gzipSync(bomb), deflate: deflateSync(bomb), br: brotliCompressSync(bomb) });
  const json = JSON.stringify(good.linear.forward);
  const files = layerNames.flatMap((name): [string, Buffer][] => [
    [`/${name}`, binary(good[name].forward, 'float64')],
    [`/${name}/backward`, binary(backwardWith(name, {}), 'float32')],
  ]);
  return (seed) => {
    const { next } = randomNumbers(seed);
    const kind = next();
    // Valid and malformed JSON, Open Inference bodies, paths, methods and media types.
    if (kind > 0.2) return mutatedRequest(seed, tokens);
    if (kind > 0.02) {
      const [path, bytes] = files[seed % files.length];
      const type = { 'content-type': 'application/vnd.safetensors' };
      return { method: 'POST', path, headers: type, body: mutatedBytes(seed, bytes) };
    }
    const post = { method: 'POST', path: '/linear', headers: { 'content-type': 'application/json' } };
    const [encoding, packed] = bombs[seed % bombs.length];
    const encoded = { ...post, headers: { ...post.headers, 'content-encoding': encoding } };
    if (kind > 0.015) return { ...encoded, body: packed };
    // Truncated, or not in the declared encoding.
    if (kind > 0.01) return { ...encoded, body: packed.subarray(0, Math.floor(next() * packed.length)) };
    if (kind > 0.005) return { ...encoded, body: Buffer.from(json) };
    return { ...post, body: Buffer.from('['.repeat(Math.floor(next() * BODY_LIMIT_BYTES))) };
  };
}

/** Input that only a socket can send; each connection stays open for as long as the service allows. */
const RAW: readonly ((head: string, body: string) => { bytes: string; half: boolean })[] = [
  // Slow: only the head, or half of the body.
  (head) => ({ bytes: head.slice(0, 40), half: false }),
  (head, body) => ({ bytes: head + body.slice(0, 10), half: false }),
  // Half closed in the middle of the body or of the head.
  (head, body) => ({ bytes: head + body.slice(0, 10), half: true }),
  (head) => ({ bytes: head.slice(0, 40), half: true }),
  // Two lengths, an invalid length, a length together with chunks, invalid chunks.
  (head, body) => ({ bytes: head.replace('\r\n\r\n', '\r\nContent-Length: 5\r\n\r\n') + body, half: true }),
  (head, body) => ({ bytes: head.replace(/Content-Length: \d+/, 'Content-Length: -1') + body, half: true }),
  (head, body) => ({ bytes: head.replace('\r\n\r\n', '\r\nTransfer-Encoding: chunked\r\n\r\n') + body, half: true }),
  (head) => ({
    bytes: head.replace(/Content-Length: \d+/, 'Transfer-Encoding: chunked') + 'zz\r\n{}\r\n0\r\n\r\n',
    half: true,
  }),
  // Heads that are too long, and input without a head.
  (head) => ({ bytes: head.replace('\r\n\r\n', `\r\nX-Long: ${'a'.repeat(100_000)}\r\n\r\n`), half: true }),
  (head) => ({ bytes: head.replace('\r\n\r\n', `\r\n${'X-Many: a\r\n'.repeat(5000)}\r\n`), half: true }),
  (head) => ({ bytes: head.replace('Host: layerd', 'Ho\u0000st: layerd'), half: true }),
  (head) => ({ bytes: head.replace('HTTP/1.1', 'HTTP/9.9'), half: true }),
  () => ({ bytes: '\u0016\u0003\u0001\u0002\u0000', half: true }),
  () => ({ bytes: 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', half: true }),
];

/** Milliseconds until the service closed the connection, and its response; rejects if it does not close it. */
function raw(port: number, bytes: string, half: boolean): Promise<{ ms: number; text: string }> {
  return new Promise((resolve, reject) => {
    const start = performance.now();
    let text = '';
    const socket = connect(port, '127.0.0.1', () => {
      socket.write(bytes, 'latin1');
      if (half) socket.end();
    });
    const done = () => {
      resolve({ ms: performance.now() - start, text });
    };
    socket.setEncoding('latin1').on('data', (piece: string) => (text += piece));
    socket.on('error', () => undefined).on('close', done);
    socket.setTimeout(LEFT_OPEN_MS, () => {
      reject(new Error(`left open: ${bytes.slice(0, 100)}`));
      socket.destroy();
    });
  });
}

function send(
  port: number,
  agent: Agent,
  { method, path, headers, body }: Attack,
): Promise<{ ms: number; status: number }> {
  return new Promise((resolve, reject) => {
    const start = performance.now();
    const request = httpRequest(
      { host: '127.0.0.1', port, agent, method, path, headers: { ...headers, 'content-length': body.length } },
      (response) => {
        response.resume().on('end', () => {
          resolve({ ms: performance.now() - start, status: response.statusCode ?? 0 });
        });
      },
    );
    request.on('error', reject);
    request.end(body);
  });
}

it.skipIf(process.platform !== 'linux')(
  'withstands hostile input (reads /proc)',
  { timeout: 300_000 + REQUESTS * 100 },
  async () => {
    const service = await startProcess(entry(), {
      WORKERS: '1',
      BODY_LIMIT_BYTES: String(BODY_LIMIT_BYTES),
      WORK_LIMIT_OPERATIONS: '100000000',
      WORK_LIMIT_RESULT_BYTES: '10000000',
      REQUEST_TIMEOUT_SECONDS: String(TIME_LIMIT_SECONDS),
      HEADERS_TIMEOUT_SECONDS: String(TIME_LIMIT_SECONDS),
    });
    const { port } = service;
    const pid = service.log()[0].pid as number;
    const tokens: Record<string, string> = {};
    for (const name of layerNames) {
      const response = await fetch(`http://127.0.0.1:${port}/${name}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(good[name].forward),
      });
      tokens[name] = ((await response.json()) as { session: string }).session;
    }

    const attackOf = attacks(tokens);
    const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS });
    const statuses = new Map<number, number>();
    const faults: string[] = [];
    let [sent, slowestMs, mostBytes, rawSent] = [0, 0, 0, 0];
    const speaker = async () => {
      while (sent < REQUESTS) {
        const seed = 5_000_000 + sent++;
        const attack = attackOf(seed);
        const { ms, status } = await send(port, agent, attack).catch((error: unknown) => {
          // The answer to a refused body may close the connection during the upload.
          return { ms: 0, status: error instanceof Error && 'code' in error && error.code === 'ECONNRESET' ? 1 : 2 };
        });
        statuses.set(status, (statuses.get(status) ?? 0) + 1);
        slowestMs = Math.max(slowestMs, ms);
        if (status === 2 || (status >= 500 && status !== 503)) faults.push(`seed ${seed}: ${attack.path}: ${status}`);
        if (sent % 100 === 0) mostBytes = Math.max(mostBytes, residentBytes(pid));
      }
    };
    const mutterer = async (first: number) => {
      const body = JSON.stringify(good.linear.forward);
      const head = `POST /linear HTTP/1.1\r\nHost: layerd\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n`;
      for (let i = first; sent < REQUESTS; i++) {
        const { bytes, half } = RAW[i % RAW.length](head, body);
        const { ms, text } = await raw(port, bytes, half);
        rawSent++;
        slowestMs = Math.max(slowestMs, ms);
        if (/^HTTP\/1\.1 5(?!03)/.test(text)) faults.push(`raw ${i % RAW.length}: ${text.slice(0, 200)}`);
      }
    };
    await Promise.all([
      ...Array.from({ length: CONNECTIONS }, speaker),
      ...Array.from({ length: RAW.length }, (_, first) => mutterer(first)),
    ]);
    agent.destroy();

    console.log(
      `hostile: ${sent} requests and ${rawSent} raw connections; slowest ${slowestMs.toFixed(0)} ms; resident at most ${(mostBytes / MEBIBYTE).toFixed(0)} MiB; ` +
        `statuses ${[...statuses]
          .sort(([a], [b]) => a - b)
          .map(([status, count]) => `${status}: ${count}`)
          .join(', ')}`,
    );
    expect(faults.slice(0, 5)).toEqual([]);
    expect(mostBytes).toBeLessThan(MOST_RESIDENT_BYTES);
    expect(service.log().filter(({ level }) => Number(level) >= 50)).toEqual([]);
    // The process is still the same, and still has its sessions.
    for (const name of layerNames) {
      const response = await fetch(`http://127.0.0.1:${port}/${name}/backward`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ session: tokens[name], ...good[name].backward }),
      });
      expect(response.status).toBe(200);
    }
    service.kill('SIGTERM');
    expect(await service.exited).toMatchObject({ code: 0 });
  },
);
