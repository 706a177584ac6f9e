/** Refusals and errors as problem details (RFC 9457). The one table from kinds to types, titles and statuses. */
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
  | 'not-acceptable'
  | 'request-timeout'
  | 'body-too-large'
  | 'unsupported-media-type'
  | 'header-too-large'
  | 'too-many-requests'
  | 'internal-error'
  | 'overloaded'
  | 'metrics-unavailable'
  | 'shutting-down';

export const problemKinds: Readonly<Record<ProblemName, ProblemKind>> = {
  'invalid-json': { status: 400, title: 'The body is not JSON' },
  'invalid-safetensors': { status: 400, title: 'The body is not safetensors' },
  'invalid-inference-request': { status: 400, title: 'The body is not an inference request' },
  'invalid-request': { status: 400, title: 'The request breaks its schema' },
  'invalid-tensor': { status: 400, title: 'A tensor holds something else than numbers' },
  'ragged-tensor': { status: 400, title: 'A tensor is ragged' },
  'number-out-of-range': { status: 400, title: 'A number is beyond the range of its dtype' },
  'malformed-request': { status: 400, title: 'The request is not well-formed HTTP' },
  'invalid-encoding': { status: 400, title: 'The body is not compressed as it says' },
  'key-required': { status: 401, title: 'The request shows no key of this service' },
  'not-found': { status: 404, title: 'There is no such route' },
  'unknown-layer': { status: 404, title: 'There is no such layer' },
  'unknown-model': { status: 404, title: 'There is no such model' },
  'unknown-session': { status: 404, title: 'There is no such session' },
  'method-not-allowed': { status: 405, title: 'The route has no such method' },
  'not-acceptable': { status: 406, title: 'No acceptable media type is spoken' },
  'request-timeout': { status: 408, title: 'The request took too long to arrive' },
  'session-of-another-layer': { status: 409, title: 'The session is of another layer' },
  'body-too-large': { status: 413, title: 'The body is too large' },
  'work-limit-exceeded': { status: 413, title: 'The request asks for too much work' },
  'session-too-large': { status: 413, title: 'The session is too large to keep' },
  'unsupported-media-type': { status: 415, title: 'The media type is not spoken' },
  'shape-mismatch': { status: 422, title: 'Shapes do not fit each other' },
  'value-mismatch': { status: 422, title: 'Values do not fit each other' },
  'too-many-requests': { status: 429, title: 'The client sends too many requests' },
  'header-too-large': { status: 431, title: 'The header is too large' },
  'internal-error': { status: 500, title: 'The service failed' },
  'session-store-full': { status: 503, title: 'The session store is full' },
  'session-store-unavailable': { status: 503, title: 'The session store does not answer' },
  overloaded: { status: 503, title: 'The service has too much to do' },
  'metrics-unavailable': { status: 503, title: 'The metrics of all processes are not to be had' },
  'shutting-down': { status: 503, title: 'The service is stopping' },
};

export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly errors?: readonly { readonly pointer: string; readonly detail: string }[];
  /** The detail once more, where clients of the Open Inference Protocol look for it. */
  readonly error?: string;
}

export const PROBLEM_JSON = 'application/problem+json';

export function problem(name: ProblemName, detail: string, errors: Problem['errors'] = []): Problem {
  const { status, title } = problemKinds[name];
  return { type: `/problems/${name}`, title, status, detail, ...(errors.length > 0 ? { errors } : {}) };
}
