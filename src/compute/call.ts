/** One call from bytes to bytes: what the event loop or a worker thread runs for a request. */
import type { Codec } from '../codec/codec.js';
import { codecs, type MediaType } from '../codec/codecs.js';
import { modelId, readInference, type Exchange } from '../codec/inference/inference.js';
import type { Layer } from '../layers/definition.js';
import { Refusal, type RefusalKind } from '../refusal.js';
import { computationOf, type Computation, type Environment } from './computation.js';

/** How a body is written, and how its answer is to be. */
export type Format =
  | { readonly contentType: MediaType; readonly accept: MediaType }
  /** Open Inference Protocol, with the length of the JSON part where the client says it. */
  | { readonly protocol: 'open-inference'; readonly jsonBytes: number | undefined };

export type Operation = Format & {
  readonly layer: string;
  readonly direction: 'forward' | 'backward';
};

export type Call = Operation & { readonly body: Buffer };

/** @returns pieces of the answer's body, in order; some may lie in the request's */
export type Answer = (call: Call) => Promise<readonly Uint8Array[]>;

/** Refusals after all of the body has been read, and that come in crowds. */
const FULL: ReadonlySet<RefusalKind> = new Set(['session-store-full', 'session-too-large']);

export function answering(layers: readonly Layer[], environment: Environment): Answer {
  const computations = new Map(layers.map((layer) => [layer.name, computationOf(layer, environment)]));
  return async (call) => {
    const computation = computations.get(call.layer);
    if (!computation) throw new Error(`no layer ${call.layer}`);
    const { body, encode } = exchangeOf(call, computation);
    try {
      return encode(await computation[call.direction](body));
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      if (!FULL.has(error.kind)) body.readRest();
      throw body.placeOf ? error.placed((path) => body.placeOf?.(path) ?? path) : error;
    }
  };
}

function exchangeOf(call: Call, { tensors, results }: Computation): Exchange {
  const { layer, direction, body } = call;
  if ('protocol' in call)
    return readInference(body, {
      model: modelId(layer, direction),
      jsonBytes: call.jsonBytes,
      names: tensors[direction],
      results: results[direction],
    });
  const input: Codec = codecs[call.contentType];
  const output: Codec = codecs[call.accept];
  return { body: input.decode(body, tensors[direction]), encode: (fields) => output.encode(fields) };
}
