/**
 * Decides where a call runs: a small call on the event loop, because sending it to a thread would cost more than
 * computing it; any other on a worker thread, so that the event loop stays free for input and output.
 */
import type { AnswerCall, Environment, Format, Outcome } from '../calls/call.js';
import { Calls, type Work } from '../calls/calls.js';
import { settle } from '../calls/sessions.js';
import type { MediaType } from '../codec/codecs.js';
import type { Layer } from '../layers/definition.js';
import type { Sessions } from '../sessions/sequences.js';
import { Threads, type Usage } from './threads/threads.js';

/** Bodies up to this size are read on the event loop: by the codec's figures in bench/RESULTS.md, about a millisecond. */
const INLINE_BYTES: Readonly<Record<MediaType, number>> = {
  'application/json': 256 * 1024,
  'application/vnd.safetensors': 4 * 1024 * 1024,
};

/** The size of the largest body of a format that is read on the event loop. */
export function inlineBytes(format: Format): number {
  if ('contentType' in format) return INLINE_BYTES[format.contentType];
  const { jsonBytes = Infinity } = format;
  const mostJson = INLINE_BYTES['application/json'];
  // The bytes after a JSON part are read in place, as those of a safetensors file are.
  return jsonBytes <= mostJson ? INLINE_BYTES['application/vnd.safetensors'] : mostJson;
}

/** Calls up to this much arithmetic run on the event loop. An estimate, not yet measured. */
const INLINE_OPERATIONS = 8_000_000;

export interface Dispatch {
  readonly answer: AnswerCall;
  readonly usage: () => Usage;
  readonly close: () => Promise<void>;
}

export function createDispatch(
  layers: readonly Layer[],
  environment: Omit<Environment, 'tokens'> & { readonly sessions: Sessions },
  workers: number,
  /** Is told of a thread that died without a call. */
  died: (error: Error) => void,
): Dispatch {
  const { sessions } = environment;
  const complete: Environment = { ...environment, tokens: sessions.tokens };
  const calls = new Calls(layers, complete);
  const threads = new Threads(workers, complete, died);

  function compute(work: Work, gone: () => AbortSignal): Outcome | Promise<Outcome> {
    if (workers === 0) return calls.compute(work);
    if (work.prepared.operations > INLINE_OPERATIONS) return threads.compute(work, gone());
    return calls.compute(work, INLINE_OPERATIONS) ?? threads.compute(work, gone());
  }

  return {
    async answer(call, gone) {
      const isLarge = workers > 0 && call.body.byteLength > inlineBytes(call);
      return settle(
        await (isLarge ? threads.run(call, gone()) : calls.run(call, (work) => compute(work, gone))),
        call,
        sessions,
      );
    },
    usage: () => threads.usage(),
    close: () => threads.close(),
  };
}
