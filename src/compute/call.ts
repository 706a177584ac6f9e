/** One call from bytes to bytes: what the event loop or a worker thread runs for a request. */
import { allChecks } from '../check/registry.js';
import type { Body, Codec, TensorNames } from '../codec/codec.js';
import { codecs, type MediaType } from '../codec/codecs.js';
import { isTensor, type Fields } from '../codec/fields.js';
import { modelId, readInference, type Exchange } from '../codec/inference/inference.js';
import type { Layer } from '../layers/definition.js';
import { Refusal, type RefusalKind } from '../refusal.js';
import { accountOf, now, type Account, type Work } from './account.js';
import { checkingOf } from './checking.js';
import { computationOf, type Environment } from './computation.js';

/** How a body is written, and how its answer is to be. */
export type Format =
  | { readonly contentType: MediaType; readonly accept: MediaType }
  /** Open Inference Protocol, with the length of the JSON part where the client says it. */
  | { readonly protocol: 'open-inference'; readonly jsonBytes: number | undefined };

export type Operation = Format & {
  readonly layer: string;
  readonly direction: 'forward' | 'backward' | 'check' | 'case';
  /** Whose sessions it makes and finds, where clients are told apart. */
  readonly owner?: string | undefined;
};

export type Call = Operation & { readonly body: Buffer };

export interface Answered {
  /** Of the answer's body, in order; some may lie in the request's. */
  readonly pieces: readonly Uint8Array[];
  /** Of forward and backward. */
  readonly account?: Account;
}

export type Answer = (call: Call) => Promise<Answered>;

/** Refusals that come in crowds, and that no body is to blame for. */
const FULL: ReadonlySet<RefusalKind> = new Set([
  'session-store-full',
  'session-store-unavailable',
  'session-too-large',
]);

export function answering(layers: readonly Layer[], environment: Environment): Answer {
  const { nesting } = environment.limits;
  const computations = new Map(layers.map((layer) => [layer.name, computationOf(layer, environment)]));
  const checkings = new Map(allChecks.map((checks) => [checks.layer.name, checkingOf(checks, environment)]));

  function checked(call: Call, direction: 'check' | 'case'): Promise<Answered> {
    const checking = checkings.get(call.layer);
    if (!checking) throw new Error(`no checks of layer ${call.layer}`);
    const { body, encode } = exchangeOf(call, checking.tensors[direction], [], nesting);
    return answered(body, () => ({ pieces: encode(checking[direction](body)) }));
  }

  function computed(call: Call, direction: 'forward' | 'backward'): Promise<Answered> {
    const computation = computations.get(call.layer);
    if (!computation) throw new Error(`no layer ${call.layer}`);
    const begun = now();
    let work: Work | undefined;
    let read = begun;
    const { body, encode } = exchangeOf(call, computation.tensors[direction], computation.results[direction], nesting);
    return answered(body, async () => {
      const fields = await computation[direction](body, call.owner, (known) => {
        work = known;
        read = now();
      });
      if (!work) throw new Error(`${call.layer} answered without work`);
      const computed = now();
      const pieces = encode(fields);
      return { pieces, account: accountOf(work, numbersOf(fields), { begun, read, computed, written: now() }) };
    });
  }

  return async (call) => {
    const { direction } = call;
    return direction === 'check' || direction === 'case' ? checked(call, direction) : computed(call, direction);
  };
}

/** What is refused is refused for all of its body, and at the places of that. */
async function answered(body: Body, work: () => Answered | Promise<Answered>): Promise<Answered> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    if (!FULL.has(error.kind)) body.readRest();
    throw body.placeOf ? error.placed((path) => body.placeOf?.(path) ?? path) : error;
  }
}

function numbersOf(fields: Fields): number {
  let numbers = 0;
  for (const field of Object.values(fields)) if (isTensor(field)) numbers += field.data.length;
  return numbers;
}

function exchangeOf(call: Call, names: TensorNames, results: readonly string[], nesting?: number): Exchange {
  const { layer, direction, body } = call;
  if ('protocol' in call) {
    if (direction !== 'forward' && direction !== 'backward') throw new Error(`no model of ${direction}`);
    const { jsonBytes } = call;
    return readInference(body, { model: modelId(layer, direction), jsonBytes, names, results, nesting });
  }
  const input: Codec = codecs[call.contentType];
  const output: Codec = codecs[call.accept];
  return { body: input.decode(body, names, nesting), encode: (fields) => output.encode(fields) };
}
