/** One call from bytes to bytes: what the event loop or a worker thread runs for a request. */
import type { Codec } from '../codec/codec.js';
import { codecs, type MediaType } from '../codec/codecs.js';
import { isTensor, type Fields } from '../codec/fields.js';
import type { Layer } from '../layers/definition.js';
import { Refusal, type RefusalKind } from '../refusal.js';
import { accountOf, now, type Account, type Work } from './account.js';
import { computationOf, type Environment } from './computation.js';

export interface Call {
  readonly layer: string;
  readonly direction: 'forward' | 'backward';
  readonly contentType: MediaType;
  readonly accept: MediaType;
  readonly body: Buffer;
  /** Whose sessions it makes and finds, where clients are told apart. */
  readonly owner?: string | undefined;
}

export interface Answered {
  /** Of the answer's body, in order; some may lie in the request's. */
  readonly pieces: readonly Uint8Array[];
  readonly account: Account;
}

export type Answer = (call: Call) => Promise<Answered>;

/** Refusals that come in crowds, and that no body is to blame for. */
const FULL: ReadonlySet<RefusalKind> = new Set([
  'session-store-full',
  'session-store-unavailable',
  'session-too-large',
]);

export function answering(layers: readonly Layer[], environment: Environment): Answer {
  const computations = new Map(layers.map((layer) => [layer.name, computationOf(layer, environment)]));
  return async ({ layer, direction, contentType, accept, body, owner }) => {
    const computation = computations.get(layer);
    if (!computation) throw new Error(`no layer ${layer}`);
    const input: Codec = codecs[contentType];
    const output: Codec = codecs[accept];
    const begun = now();
    let work: Work | undefined;
    let read = begun;
    const decoded = input.decode(body, computation.tensors[direction], environment.limits.nesting);
    try {
      const fields = await computation[direction](decoded, owner, (known) => {
        work = known;
        read = now();
      });
      if (!work) throw new Error(`${layer} answered without work`);
      const computed = now();
      const pieces = output.encode(fields);
      return { pieces, account: accountOf(work, numbersOf(fields), { begun, read, computed, written: now() }) };
    } catch (error) {
      if (error instanceof Refusal && !FULL.has(error.kind)) decoded.readRest();
      throw error;
    }
  };
}

function numbersOf(fields: Fields): number {
  let numbers = 0;
  for (const field of Object.values(fields)) if (isTensor(field)) numbers += field.data.length;
  return numbers;
}
