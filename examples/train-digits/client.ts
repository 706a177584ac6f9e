/** The service, as this example sees it: a layer forward, then backward; where it refuses, an error in its own words. */
import type { Fields, Format, Option } from './format.js';
import { Tensor } from './tensor.js';

/** Problem details, RFC 9457: the service's errors, whatever the format of the request. */
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
  constructor(
    private readonly base: string,
    private readonly format: Format,
  ) {}

  /**
   * @param session whether the service shall keep what backward needs; its answer then has a token in `session`
   * @throws {Error} one line that names the call and says why it failed
   */
  forward(layer: string, fields: Readonly<Record<string, Tensor | Option>>, session: boolean): Promise<Answer> {
    return this.post(`${layer}/forward`, { ...fields, session });
  }

  /**
   * Once for a session, which is released.
   *
   * @throws {Error} as forward
   */
  backward(layer: string, session: string, dout: Tensor): Promise<Answer> {
    return this.post(`${layer}/backward`, { session, dout, release: true });
  }

  private async post(call: string, fields: Readonly<Record<string, Tensor | Option>>): Promise<Answer> {
    const url = new URL(call, this.base);
    this.requests++;
    const response = await fetch(url, {
      method: 'POST',
      // The answer comes in the request's format where no other is asked for.
      headers: { 'content-type': this.format.mediaType },
      body: this.format.write(fields),
      signal: AbortSignal.timeout(TIMEOUT_MS),
    }).catch((error: unknown) => {
      throw new Error(`POST ${url.href}: no answer: ${reasonOf(error)}`, { cause: error });
    });
    if (!response.ok) throw new Error(`POST ${url.href}: ${response.status} ${await explanation(response)}`);
    return new Answer(url.href, this.format.read(await response.arrayBuffer()));
  }
}

export class Answer {
  constructor(
    private readonly source: string,
    private readonly fields: Fields,
  ) {}

  /** @throws {Error} where there is none of that name */
  tensor(name: string): Tensor {
    const value = this.fields[name];
    if (value instanceof Tensor) return value;
    throw new Error(`POST ${this.source}: the answer has no tensor ${name}`);
  }

  /** @throws {Error} where there is none */
  get session(): string {
    const { session } = this.fields;
    if (typeof session === 'string') return session;
    throw new Error(`POST ${this.source}: the answer has no session`);
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
