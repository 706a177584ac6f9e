/** Calls layers without HTTP, in the same way as the routes. */
import type { Environment, Outcome } from '../../src/calls/call.js';
import { computeBackward, computeForward, type Computed } from '../../src/calls/compute.js';
import { createLayerRequests, prepareBackward, prepareForward } from '../../src/calls/prepare.js';
import { settle } from '../../src/calls/sessions.js';
import type { Body } from '../../src/codec/codec.js';
import type { Fields } from '../../src/codec/fields.js';
import { json } from '../../src/codec/json/json.js';
import { plain } from '../../src/kernels/plain/plain.js';
import type { Kernels } from '../../src/kernels/kernels.js';
import { layers } from '../../src/layers/registry.js';
import { MemoryStore } from '../../src/sessions/memory-store.js';
import { SequencedSessions } from '../../src/sessions/sequences.js';

export const layerNames = layers.map(({ name }) => name);

export interface Computation {
  readonly forward: (body: Body) => Promise<Fields>;
  readonly backward: (body: Body) => Promise<Fields>;
}

/** A layer's computation with a separate memory store and limits that no test reaches. */
export function computation(name: string, kernels: Kernels = plain): Computation {
  const layer = layers.find((candidate) => candidate.name === name);
  if (!layer) throw new Error(`no layer ${name}`);
  const sessions = new SequencedSessions(new MemoryStore({ ttlMs: 60_000, budgetBytes: 2 ** 30 }));
  const limits = { operations: 1e12, resultBytes: 2 ** 40 };
  const environment: Environment = { kernels, limits, sessions, tokens: sessions.tokens, draw: () => 1 };
  const requests = createLayerRequests(layer);
  const settled = async (direction: 'forward' | 'backward', { fields, ...outcome }: Computed): Promise<Fields> => {
    const answer: Outcome = { pieces: [], ...outcome };
    await settle(
      answer,
      { layer: name, direction, contentType: 'application/json', accept: 'application/json' },
      sessions,
    );
    return fields;
  };
  return {
    forward: (body) =>
      settled('forward', computeForward(prepareForward(requests, body, environment), layer, environment)),
    backward: async (body) =>
      settled(
        'backward',
        computeBackward(await prepareBackward(requests, body, undefined, environment), layer, environment),
      ),
  };
}

/** A body as the JSON codec returns it. */
export function bodyOf(values: object): Body {
  return json.decode(Buffer.from(JSON.stringify(values)));
}
