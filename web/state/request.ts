/** The requests that the page sends, and shows for copying. */
import type { Nested } from '../tensors/tensor.js';
import type { State } from './state.js';

export interface ServiceRequest {
  readonly path: string;
  readonly body: Readonly<Record<string, unknown>>;
}

export type Direction = 'forward' | 'backward';

/** Without a session: the page sends everything each time. */
export function forwardRequest({ layer, inputs, options }: State): ServiceRequest {
  return { path: `/${layer}/forward`, body: { ...inputs, ...options, session: false } };
}

/** @param options those of the state, and any that the answer of forward determined, such as dropout's seed */
export function backwardRequest({ layer, inputs, upstream, ...state }: State, options = state.options): ServiceRequest {
  return { path: `/${layer}/backward`, body: { forward: { ...inputs, ...options }, ...upstream } };
}

/** Every implementation draws its own mask, so claims are checked with the mask that belongs to them. */
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
