/** Problem details (RFC 9457): the table from kinds of refusals and errors to types, titles and statuses. */
import type { RefusalKind } from '../refusal.js';

interface ProblemKind {
  readonly status: number;
  readonly title: string;
}

export type ProblemName = RefusalKind | HttpProblem;

type HttpProblem =
  | 'malformed-request'
  | 'invalid-encoding'
  | 'key-required'
  | 'not-found'
  | 'unknown-layer'
  | 'unknown-model'
  | 'method-not-allowed'
  | 'request-timeout'
  | 'body-too-large'
  | 'unsupported-media-type'
  | 'expectation-failed'
  | 'header-too-large'
  | 'too-many-requests'
  | 'internal-error'
  | 'overloaded'
  | 'metrics-unavailable'
  | 'shutting-down';

export const problemKinds: Readonly<Record<ProblemName, ProblemKind>> = {
  'invalid-json': { status: 400, title: 'Invalid JSON' },
  'duplicate-name': { status: 400, title: 'Duplicate name' },
  'invalid-safetensors': { status: 400, title: 'Invalid safetensors file' },
  'invalid-inference-request': { status: 400, title: 'Invalid inference request' },
  'invalid-request': { status: 400, title: 'Invalid request' },
  'invalid-tensor': { status: 400, title: 'Invalid tensor' },
  'ragged-tensor': { status: 400, title: 'Ragged tensor' },
  'number-out-of-range': { status: 400, title: 'Number out of range' },
  'malformed-request': { status: 400, title: 'Malformed request' },
  'invalid-encoding': { status: 400, title: 'Invalid content encoding' },
  'key-required': { status: 401, title: 'API key required' },
  'not-found': { status: 404, title: 'Not found' },
  'unknown-layer': { status: 404, title: 'Unknown layer' },
  'unknown-model': { status: 404, title: 'Unknown model' },
  'unknown-session': { status: 404, title: 'Unknown session' },
  'method-not-allowed': { status: 405, title: 'Method not allowed' },
  'not-acceptable': { status: 406, title: 'Not acceptable' },
  'request-timeout': { status: 408, title: 'Request timeout' },
  'session-of-another-layer': { status: 409, title: 'Session belongs to another layer' },
  'body-too-large': { status: 413, title: 'Request body too large' },
  'work-limit-exceeded': { status: 413, title: 'Work limit exceeded' },
  'session-too-large': { status: 413, title: 'Session too large' },
  'unsupported-media-type': { status: 415, title: 'Unsupported media type' },
  'expectation-failed': { status: 417, title: 'Expectation failed' },
  'shape-mismatch': { status: 422, title: 'Shape mismatch' },
  'value-mismatch': { status: 422, title: 'Value mismatch' },
  'too-many-requests': { status: 429, title: 'Too many requests' },
  'header-too-large': { status: 431, title: 'Request header too large' },
  'internal-error': { status: 500, title: 'Internal server error' },
  'session-store-full': { status: 503, title: 'Session store full' },
  'session-store-unavailable': { status: 503, title: 'Session store unavailable' },
  overloaded: { status: 503, title: 'Service overloaded' },
  'metrics-unavailable': { status: 503, title: 'Metrics unavailable' },
  'shutting-down': { status: 503, title: 'Service shutting down' },
};

export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly errors?: readonly { readonly pointer: string; readonly detail: string }[];
}

export const PROBLEM_JSON = 'application/problem+json';

export function problem(name: ProblemName, detail: string, errors: Problem['errors'] = []): Problem {
  const { status, title } = problemKinds[name];
  return { type: `/problems/${name}`, title, status, detail, ...(errors.length > 0 ? { errors } : {}) };
}

/** A failure that concerns HTTP itself, as an error to throw. */
export class ProblemError extends Error {
  override readonly name = 'ProblemError';
  readonly problem: Problem;

  constructor(
    name: ProblemName,
    detail: string,
    /** Headers of the response that belong to this problem. */
    readonly headers: Readonly<Record<string, string | number>> = {},
  ) {
    super(detail);
    this.problem = problem(name, detail);
  }
}
