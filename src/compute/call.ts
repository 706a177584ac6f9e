/** One call from bytes to bytes: what the event loop or a worker thread runs for a request. */
import type { Codec } from '../codec/codec.js';
import { codecs, type MediaType } from '../codec/codecs.js';
import type { Layer } from '../layers/definition.js';
import { Refusal, type RefusalKind } from '../refusal.js';
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

/** @returns pieces of the answer's body, in order; some may lie in the request's */
export type Answer = (call: Call) => Promise<readonly Uint8Array[]>;

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
    const decoded = input.decode(body, computation.tensors[direction], environment.limits.nesting);
    try {
      return output.encode(await computation[direction](decoded, owner));
    } catch (error) {
      if (error instanceof Refusal && !FULL.has(error.kind)) decoded.readRest();
      throw error;
    }
  };
}
