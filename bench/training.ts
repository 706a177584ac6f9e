/**
 * Clients that train: each runs forward, then backward with the session of forward, which backward releases, and starts
 * the next step as soon as the last is done. Without sessions, backward contains the forward request instead.
 */
import { Agent, request } from 'node:http';
import { codecs, type MediaType } from '../src/codec/codecs.js';
import type { Fields } from '../src/codec/fields.js';
import { kernels } from '../src/runtime/kernels.js';
import type { Case } from './cases.js';
import { prepare } from './kernels.js';

export interface Workload {
  readonly given: Case;
  readonly dtype: 'float32' | 'float64';
  readonly type: MediaType;
  readonly sessions: boolean;
}

export interface Steps {
  readonly steps: number;
  readonly seconds: number;
}

/** Forward and backward. */
export const REQUESTS_A_STEP = 2;

interface Bodies {
  readonly forward: Buffer;
  readonly backward: (token: string) => Buffer;
}

function bodiesOf({ given, dtype, type, sessions }: Workload): Bodies {
  const { inputs, dout, forward } = prepare(given, dtype);
  // A case that the layer refuses fails here, not under load.
  forward(kernels);
  const encode = (fields: Fields) => Buffer.concat(codecs[type].encode(fields));
  const call: Fields = { ...inputs, ...(given.options as Fields), dtype };
  if (!sessions) {
    // safetensors has no objects, so names of nested fields are dotted.
    const named = Object.entries(call).map(([field, value]) => [`forward.${field}`, value]);
    const within = type === 'application/json' ? { forward: call } : (Object.fromEntries(named) as Fields);
    const stateless = encode({ ...within, dout });
    return { forward: encode({ ...call, session: false }), backward: () => stateless };
  }
  // Encoding each body anew would cost the client more than the service. All tokens have the same length, so each one
  // is written over the first.
  let template: { readonly body: Buffer; readonly at: number; readonly length: number } | undefined;
  return {
    forward: encode(call),
    backward(token) {
      if (!template) {
        const body = encode({ session: token, dout, release: true });
        template = { body, at: body.indexOf(token), length: token.length };
      }
      if (token.length !== template.length) throw new Error(`the token ${token} is not as long as the first`);
      const body = Buffer.from(template.body);
      body.write(token, template.at, 'latin1');
      return body;
    },
  };
}

/** A field in JSON; in safetensors, an entry of the metadata whose value is JSON text. */
const SESSION = /"session":"(?:\\")?([\w.~-]+)/;

/** @throws {Error} if a response has a status other than 200 */
export async function train(url: string, workload: Workload, clients: number, seconds: number): Promise<Steps> {
  const bodies = bodiesOf(workload);
  const agent = new Agent({ keepAlive: true, maxSockets: clients });
  const { name, layer } = { ...workload.given };
  const post = (direction: 'forward' | 'backward', body: Buffer): Promise<Buffer> =>
    new Promise((resolve, reject) => {
      const headers = { 'content-type': workload.type, 'content-length': body.length };
      const sent = request(`${url}/${layer}/${direction}`, { agent, method: 'POST', headers, timeout: 60_000 });
      sent.on('response', (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk)).on('error', reject);
        response.on('end', () => {
          const answer = Buffer.concat(chunks);
          if (response.statusCode === 200) resolve(answer);
          else reject(new Error(`${name}, ${direction}: ${response.statusCode ?? ''} ${answer.toString()}`));
        });
      });
      sent.on('error', reject).on('timeout', () => sent.destroy(new Error(`no answer from ${url} in 60 s`)));
      sent.end(body);
    });

  let steps = 0;
  const start = performance.now();
  const client = async () => {
    while (performance.now() - start < seconds * 1000) {
      const answer = await post('forward', bodies.forward);
      const token = workload.sessions ? SESSION.exec(answer.toString('latin1'))?.[1] : '';
      if (token === undefined) throw new Error(`${name}: forward answered without a session`);
      await post('backward', bodies.backward(token));
      steps++;
    }
  };
  try {
    await Promise.all(Array.from({ length: clients }, client));
    return { steps, seconds: (performance.now() - start) / 1000 };
  } finally {
    agent.destroy();
  }
}
