/** One call from bytes to bytes: what the event loop or a worker thread runs for a request. */
import type { Codec } from '../codec/codec.js';
import { codecs, type MediaType } from '../codec/codecs.js';
import { isTensor, type Fields } from '../codec/fields.js';
import { modelId, readInference, type Exchange } from '../codec/inference/inference.js';
import type { Layer } from '../layers/definition.js';
import { Refusal, type RefusalKind } from '../refusal.js';
import { accountOf, now, type Account, type Work } from './account.js';
import { computationOf, type Computation, type Environment } from './computation.js';

/** How a body is written, and how its answer is to be. */
export type Format =
  | { readonly contentType: MediaType; readonly accept: MediaType }
  /** Open Inference Protocol, with the length of the JSON part where the client says it. */
  | { readonly protocol: 'open-inference'; readonly jsonBytes: number | undefined };

export type Operation = Format & {
  readonly layer: string;
  readonly direction: 'forward' | 'backward';
  /** Whose sessions it makes and finds, where clients are told apart. */
  readonly owner?: string | undefined;
};

export type Call = Operation & { readonly body: Buffer };

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
  return async (call) => {
    const computation = computations.get(call.layer);
    if (!computation) throw new Error(`no layer ${call.layer}`);
    const begun = now();
    let work: Work | undefined;
    let read = begun;
    const { body, encode } = exchangeOf(call, computation, environment.limits.nesting);
    try {
      const fields = await computation[call.direction](body, call.owner, (known) => {
        work = known;
        read = now();
      });
      if (!work) throw new Error(`${call.layer} answered without work`);
      const computed = now();
      const pieces = encode(fields);
      return { pieces, account: accountOf(work, numbersOf(fields), { begun, read, computed, written: now() }) };
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      if (!FULL.has(error.kind)) body.readRest();
      throw body.placeOf ? error.placed((path) => body.placeOf?.(path) ?? path) : error;
    }
  };
}

function numbersOf(fields: Fields): number {
  let numbers = 0;
  for (const field of Object.values(fields)) if (isTensor(field)) numbers += field.data.length;
  return numbers;
}

function exchangeOf(call: Call, { tensors, results }: Computation, nesting?: number): Exchange {
  const { layer, direction, body } = call;
  if ('protocol' in call)
    return readInference(body, {
      model: modelId(layer, direction),
      jsonBytes: call.jsonBytes,
      names: tensors[direction],
      results: results[direction],
      nesting,
    });
  const input: Codec = codecs[call.contentType];
  const output: Codec = codecs[call.accept];
  return { body: input.decode(body, tensors[direction], nesting), encode: (fields) => output.encode(fields) };
}
