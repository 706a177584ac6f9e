/** The service, as this example sees it: post JSON, get JSON, and throw in the service's own words where it refuses. */

export type Vector = number[];
export type Matrix = number[][];

/** What each call answers with, as far as this example reads it. */
interface Answers {
  'pooling/forward': { out: Matrix[][] };
  'linear/forward': { out: Matrix; session: string };
  'linear/backward': { dx: Matrix; dweight: Matrix; dbias: Vector };
  'batchnorm/forward': { out: Matrix; running_mean: Vector; running_var: Vector; session: string };
  'batchnorm/backward': { dx: Matrix; dgamma: Vector; dbeta: Vector };
  'dropout/forward': { out: Matrix; session: string };
  'dropout/backward': { dx: Matrix };
}

/** Problem details, RFC 9457. */
interface Problem {
  title: string;
  detail: string;
  errors?: { pointer: string }[];
}

/** The largest call here takes some tenths of a second. */
const TIMEOUT_MS = 30_000;

export class Client {
  requests = 0;

  /** @param base where the service listens, as `http://127.0.0.1:8080` */
  constructor(private readonly base: string) {}

  /** @throws {Error} one line that names the call and says why it failed */
  async post<Call extends keyof Answers>(call: Call, body: object): Promise<Answers[Call]> {
    const url = new URL(call, this.base);
    this.requests++;
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(TIMEOUT_MS),
    }).catch((error: unknown) => {
      throw new Error(`POST ${url.href}: no answer: ${reasonOf(error)}`, { cause: error });
    });
    if (!response.ok) throw new Error(`POST ${url.href}: ${response.status} ${await explanation(response)}`);
    return (await response.json()) as Answers[Call];
  }
}

/** `fetch` says no more than "fetch failed"; what failed stands in the cause. */
function reasonOf(error: unknown): string {
  const { message, cause } = error as Error;
  return cause instanceof Error ? cause.message : message;
}

async function explanation(response: Response): Promise<string> {
  if (!response.headers.get('content-type')?.startsWith('application/problem+json')) return response.statusText;
  const { title, detail, errors = [] } = (await response.json()) as Problem;
  const places = errors.map(({ pointer }) => ` [${pointer}]`).join('');
  return `${title}: ${detail}${places}`;
}
