import { Agent, request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import { describe, expect, it } from 'vitest';
import { mutatedRequest, type MutatedRequest } from '../support/mutations.js';
import { backwardWith, good, layerNames } from '../support/requests.js';
import { atScale } from '../support/scale.js';
import { call, serve } from '../support/service.js';

const REQUESTS = atScale({ all: 20_000, quick: 600 });

/** Each request has a separate seed, starting here; a failure reports it. */
const FIRST_SEED = 1_000_000;

const CONNECTIONS = 8;

/** More than a thousand times as long as any request takes; if it is reached, an answer is missing. */
const PATIENCE_MS = 120_000;

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

function send(port: number, agent: Agent, { method, path, headers, body }: MutatedRequest): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = httpRequest(
      { host: '127.0.0.1', port, agent, method, path, headers: { ...headers, 'content-length': body.length } },
      (response) => {
        const pieces: Buffer[] = [];
        response.on('data', (piece: Buffer) => pieces.push(piece));
        response.on('error', reject);
        response.on('end', () => {
          const { statusCode: status = 0, headers } = response;
          resolve({ status, headers, text: Buffer.concat(pieces).toString('utf8') });
        });
      },
    );
    request.setTimeout(PATIENCE_MS, () => request.destroy(new Error('no answer')));
    request.on('error', reject);
    request.end(body);
  });
}

/** Whether a JSON Pointer leads to a value in the body, or to a missing property of an object in it. */
function leadsSomewhere(pointer: string, root: unknown): boolean {
  const tokens = pointer
    .split('/')
    .slice(1)
    .map((token) => token.replaceAll('~1', '/').replaceAll('~0', '~'));
  let value = root;
  for (const [i, token] of tokens.entries()) {
    if (typeof value !== 'object' || value === null) return false;
    if (!Object.hasOwn(value, token)) return i === tokens.length - 1 && !Array.isArray(value);
    value = (value as Record<string, unknown>)[token];
  }
  return true;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The fault of an answer; usually undefined. */
function faultOf(
  { method, path, headers: sent, body }: MutatedRequest,
  { status, headers, text }: Answer,
): string | undefined {
  if (status >= 500) return `is a ${status}`;
  if (!headers['x-request-id']) return 'has no request id';
  if (method === 'HEAD') return undefined;
  const isJson = String(headers['content-type']).startsWith('application/json');
  const isInference = /^\/v2(?![^/?])/.test(path);
  if (status < 400) return isJson && parsed(text) === undefined ? 'is not the JSON that it says' : undefined;
  const accepts: Readonly<Partial<typeof sent>> = sent;
  const asksForProblem = accepts.accept?.includes('application/problem+json') === true;
  if (isInference && !asksForProblem) {
    if (headers['content-type'] !== 'application/json') return 'is no JSON';
    const { error, ...others } = (parsed(text) ?? {}) as Record<string, unknown>;
    if (typeof error !== 'string' || error === '') return 'has no error';
    return Object.keys(others).length > 0 ? 'has more than an error' : undefined;
  }
  if (headers['content-type'] !== 'application/problem+json') return 'is no problem+json';
  const problem = parsed(text) as Record<string, unknown> | undefined;
  if (!problem) return 'is not JSON';
  const { type, title, status: told, detail, errors = [], ...others } = problem;
  if (!/^\/problems\/[a-z-]+$/.test(String(type))) return 'has no type';
  if (typeof title !== 'string' || title === '') return 'has no title';
  if (told !== status) return 'has another status inside';
  if (typeof detail !== 'string' || detail === '') return 'has no detail';
  if (Object.keys(others).length > 0) return 'has more than its fields';
  if (!Array.isArray(errors)) return 'has errors that are no array';
  const root = parsed(body.toString('utf8', 0, Number(sent['inference-header-content-length'] ?? body.length)));
  for (const { pointer, detail: about } of errors as Record<string, unknown>[]) {
    if (typeof pointer !== 'string' || !/^(\/|$)/.test(pointer)) return 'has an error without a pointer';
    if (typeof about !== 'string' || about === '') return 'has an error without a detail';
    if (method === 'POST' && !leadsSomewhere(pointer, root)) return `points nowhere: ${pointer}`;
  }
  return undefined;
}

describe(`${REQUESTS} requests, mutated at random`, () => {
  it('are all answered, none with a failure, and every refusal has the required fields', async () => {
    const service = await serve({
      LOG_LEVEL: 'warn',
      WORK_LIMIT_OPERATIONS: '1000000',
      WORK_LIMIT_RESULT_BYTES: '1000000',
      BODY_LIMIT_BYTES: '5000',
    });
    const tokens: Record<string, string> = {};
    for (const name of layerNames) tokens[name] = (await call(service, name, good[name].forward)).session;

    const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS });
    const statuses = new Map<number, number>();
    const faults: string[] = [];
    let sent = 0;
    const client = async () => {
      while (sent < REQUESTS) {
        const seed = FIRST_SEED + sent++;
        const request = mutatedRequest(seed, tokens);
        const answer = await send(service.port, agent, request).catch((error: unknown) => String(error));
        if (typeof answer !== 'string') statuses.set(answer.status, (statuses.get(answer.status) ?? 0) + 1);
        const fault = typeof answer === 'string' ? `is missing: ${answer}` : faultOf(request, answer);
        if (fault)
          faults.push(
            `seed ${seed}: ${request.method} ${request.path}\n${request.body.toString('latin1').slice(0, 500)}\nthe answer ${fault}\n${typeof answer === 'string' ? '' : answer.text.slice(0, 500)}`,
          );
      }
    };
    await Promise.all(Array.from({ length: CONNECTIONS }, client));
    agent.destroy();

    expect(faults.slice(0, 5).join('\n\n')).toBe('');
    expect([...statuses.values()].reduce((sum, count) => sum + count, 0)).toBe(REQUESTS);
    // If only one check refused all of them, the test would show little.
    for (const status of [200, 400, 404, 405, 406, 409, 413, 415, 422])
      expect(statuses.get(status), `${status}`).toBeGreaterThan(REQUESTS / 1000);
    expect(statuses.get(200)).toBeGreaterThan(REQUESTS / 10);

    expect(service.log).toEqual([]);
    for (const name of layerNames) {
      await call(service, `${name}/backward`, { session: tokens[name], ...good[name].backward });
      await call(service, `${name}/backward`, backwardWith(name, {}));
    }
  });
});
