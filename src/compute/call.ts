/** One call from bytes to bytes: what the event loop or a worker thread runs for a request. */
import type { Codec } from '../codec/codec.js';
import { codecs, type MediaType } from '../codec/codecs.js';
import { allChecks } from '../check/registry.js';
import type { Layer } from '../layers/definition.js';
import { Refusal, type RefusalKind } from '../refusal.js';
import { checkingOf } from './checking.js';
import { computationOf, type Environment } from './computation.js';

export interface Call {
  readonly layer: string;
  readonly direction: 'forward' | 'backward' | 'check' | 'case';
  readonly contentType: MediaType;
  readonly accept: MediaType;
  readonly body: Buffer;
}

/** @returns pieces of the answer's body, in order; some may lie in the request's */
export type Answer = (call: Call) => Promise<readonly Uint8Array[]>;

/** Refusals after all of the body has been read, and that come in crowds. */
const FULL: ReadonlySet<RefusalKind> = new Set(['session-store-full', 'session-too-large']);

export function answering(layers: readonly Layer[], environment: Environment): Answer {
  const computations = new Map(layers.map((layer) => [layer.name, computationOf(layer, environment)]));
  const checkings = new Map(allChecks.map((checks) => [checks.layer.name, checkingOf(checks, environment)]));

  const operationOf = ({ layer, direction }: Call) => {
    const computation = computations.get(layer);
    const checking = checkings.get(layer);
    if (direction === 'check' || direction === 'case')
      return checking && { names: checking.tensors[direction], run: checking[direction] };
    return computation && { names: computation.tensors[direction], run: computation[direction] };
  };

  return async (call) => {
    const operation = operationOf(call);
    if (!operation) throw new Error(`no layer ${call.layer}`);
    const { contentType, accept, body } = call;
    const input: Codec = codecs[contentType];
    const output: Codec = codecs[accept];
    const decoded = input.decode(body, operation.names);
    try {
      return output.encode(await operation.run(decoded));
    } catch (error) {
      if (error instanceof Refusal && !FULL.has(error.kind)) decoded.readRest();
      throw error;
    }
  };
}
