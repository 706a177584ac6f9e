/** Calls the service. */
import type { Nested } from '../tensors/tensor.js';
import type { ServiceRequest } from './request.js';

export interface Problem {
  readonly status: number;
  readonly title: string;
  readonly detail: string;
  readonly errors?: readonly { readonly pointer: string; readonly detail: string }[];
}

export type Answer = Readonly<Record<string, Nested>>;

/** A refusal, or a service that cannot be reached, as a problem to show. */
export class Refused extends Error {
  override readonly name = 'Refused';

  constructor(readonly problem: Problem) {
    super(problem.detail);
  }
}

export async function call<T = Answer>(request: ServiceRequest, signal: AbortSignal): Promise<T> {
  return answerOf<T>(
    await reach(request.path, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(request.body),
      signal,
    }),
  );
}

export async function get<T>(path: string): Promise<T> {
  return answerOf<T>(await reach(path, {}));
}

async function reach(path: string, init: RequestInit): Promise<Response> {
  try {
    // Relative to the page, which is at the service's root: a proxy may serve both below a prefix.
    return await fetch(path.slice(1), init);
  } catch (error) {
    if (init.signal?.aborted) throw error;
    throw new Refused({ status: 0, title: 'No answer', detail: 'The service cannot be reached. Is it running?' });
  }
}

async function answerOf<T>(response: Response): Promise<T> {
  if (!response.ok) throw new Refused(await problemOf(response));
  return (await response.json()) as T;
}

/** A proxy may answer without problem details. */
async function problemOf(response: Response): Promise<Problem> {
  const fallback = {
    status: response.status,
    title: response.statusText,
    detail: `The service answered ${response.status} ${response.statusText}.`,
  };
  try {
    return { ...fallback, ...((await response.json()) as Partial<Problem>) };
  } catch {
    return fallback;
  }
}
