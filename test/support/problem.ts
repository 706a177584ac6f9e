/** The form of every refusal: problem details (RFC 9457) with a request id. */
import { expect } from 'vitest';
import type { ProblemName } from '../../src/http/problems.js';
import { backwardWith, forwardWith, type Body, type LayerName } from './requests.js';
import type { Service } from './service.js';

export interface Refused {
  readonly status: number;
  readonly type: ProblemName;
  /** JSON Pointers of `errors`, in order. */
  readonly at?: readonly string[];
  /** The detail, or a pattern for it. */
  readonly says: string | RegExp;
}

/** A POST that must be refused. */
export interface WrongRequest extends Refused {
  /** The path, without its leading slash. */
  readonly post: string;
  readonly body: unknown;
}

/** The valid forward request of a layer, with changes for which it must be refused. */
export function wrongForward(layer: LayerName, changes: Body, refused: Refused): WrongRequest {
  return { post: `${layer}/forward`, body: forwardWith(layer, changes), ...refused };
}

/** The same for the valid backward request, without a session. */
export function wrongBackward(layer: LayerName, changes: Body, refused: Refused): WrongRequest {
  return { post: `${layer}/backward`, body: backwardWith(layer, changes), ...refused };
}

interface ProblemBody {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly errors?: readonly { readonly pointer: string; readonly detail: string }[];
}

/** The parts of an answer that are compared, from Supertest or `node:http`. */
export interface Refusal {
  readonly status: number;
  readonly headers: object;
  readonly body: unknown;
}

export function expectProblem({ status, headers, body }: Refusal, expected: Refused): void {
  const { type, title, status: told, detail, errors = [], ...others } = body as ProblemBody;
  expect({ status, type, detail }).toEqual({
    status: expected.status,
    type: `/problems/${expected.type}`,
    detail: (typeof expected.says === 'string' ? expected.says : expect.stringMatching(expected.says)) as string,
  });
  expect(errors.map(({ pointer }) => pointer)).toEqual(expected.at ?? []);
  for (const error of errors) expect(error.detail).not.toBe('');
  expect(told).toBe(status);
  expect(title).toMatch(/^[A-Z]/);
  expect(others).toEqual({});
  expect(headers).toMatchObject({
    'content-type': 'application/problem+json',
    'x-request-id': expect.stringMatching(/^[\w.-]+$/) as string,
  });
}

export async function expectRefused({ client }: Service, { post, body, ...expected }: WrongRequest): Promise<void> {
  const bytes = typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body);
  const request = client.post(`/${post}`).set('content-type', 'application/json');
  // Superagent would encode a buffer as JSON.
  expectProblem(await request.serialize(() => bytes as string).send({}), expected);
}
