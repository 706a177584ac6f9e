/** A client of the service: runs a layer forward, then backward. A refusal becomes an error in the service's own words. */
import type { Fields, Format, Option } from './format.js';
import { Tensor } from './tensor.js';

/** Problem details, RFC 9457: the service's errors, whatever the format of the request. */
interface Problem {
  title: string;
  detail: string;
  errors?: { pointer: string }[];
}

/** The largest call here takes a few tenths of a second. */
const TIMEOUT_MS = 30_000;

export class Client {
  requests = 0;

  /** @param base address of the service, such as `http://127.0.0.1:8080` */
  constructor(
    private readonly base: string,
    private readonly format: Format,
  ) {}

  /**
   * @param session whether the service keeps what backward needs; the response then has a token in `session`
   * @throws {Error} one line that names the call and says why it failed
   */
  forward(layer: string, fields: Readonly<Record<string, Tensor | Option>>, session: boolean): Promise<Answer> {
    return this.post(`${layer}/forward`, { ...fields, session });
  }

  /**
   * Can be called once per session, which it releases.
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
      // The response has the format of the request unless another is requested.
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

  /** @throws {Error} if there is no tensor of that name */
  tensor(name: string): Tensor {
    const value = this.fields[name];
    if (value instanceof Tensor) return value;
    throw new Error(`POST ${this.source}: the answer has no tensor ${name}`);
  }

  /** @throws {Error} if there is none */
  get session(): string {
    const { session } = this.fields;
    if (typeof session === 'string') return session;
    throw new Error(`POST ${this.source}: the answer has no session`);
  }
}

/** The message of `fetch` is only "fetch failed"; its cause has the details. */
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
