/** The requests that the page makes, and shows to be copied. */
import type { Nested } from '../tensors/tensor.js';
import type { State } from './state.js';

export interface ServiceRequest {
  readonly path: string;
  readonly body: Readonly<Record<string, unknown>>;
}

export type Direction = 'forward' | 'backward';

/** Nothing is kept: the page sends all of it each time. */
export function forwardRequest({ layer, inputs, options }: State): ServiceRequest {
  return { path: `/${layer}/forward`, body: { ...inputs, ...options, session: false } };
}

/** @param options more than the person's, where the answer of forward decided one: dropout's seed */
export function backwardRequest({ layer, inputs, upstream, ...state }: State, options = state.options): ServiceRequest {
  return { path: `/${layer}/backward`, body: { forward: { ...inputs, ...options }, ...upstream } };
}

/** A mask is drawn anew by every implementation, so a claim is judged under its own. */
export function checkRequest({ layer, inputs, upstream, options, claims }: State): ServiceRequest {
  const { mask, ...claimed } = claims;
  const needsBackward = Object.keys(claimed).some((name) => name.startsWith('d'));
  return {
    path: `/${layer}/check`,
    body: {
      forward: { ...inputs, ...options, ...((mask as Nested | undefined) ? { mask } : {}) },
      ...(needsBackward ? { backward: upstream } : {}),
      claims: claimed,
    },
  };
}
