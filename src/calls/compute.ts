/** Computes prepared forward and backward calls: the fields of the answer, and the session to keep or release. */
import type { Fields } from '../codec/fields.js';
import type { Layer } from '../layers/definition.js';
import { bytesOf } from '../sessions/store.js';
import { createToken } from '../sessions/tokens.js';
import { sharedCopies } from '../tensor/shared.js';
import type { Environment, Outcome } from './call.js';
import type { PreparedBackward, PreparedForward } from './prepare.js';
import { within } from './request.js';

export type Computed = Pick<Outcome, 'keep' | 'release'> & { readonly fields: Fields };

/** @throws {Refusal} if the values of the tensors cannot be served */
export function computeForward(
  { inputs, plan, dtype, session, sequence }: PreparedForward,
  layer: Layer,
  { kernels, tokens }: Environment,
): Computed {
  if (!session && layer.infer) return { fields: layer.infer(inputs, plan, kernels) as Fields };
  const { outputs, cache } = layer.forward(inputs, plan, kernels);
  const fields = outputs as Fields;
  if (!session) return { fields };
  const kept = { layer: layer.name, dtype, plan, tensors: sharedCopies(cache) };
  const token = createToken(tokens, bytesOf(kept));
  if (!sequence) return { fields: { ...fields, session: token }, keep: { token, session: kept } };
  const named = { token, sequence: sequence.id };
  return { fields, keep: { ...named, session: kept }, release: sequence.end ? named : undefined };
}

export function computeBackward(
  { from, plan, upstream, release }: PreparedBackward,
  layer: Layer,
  { kernels }: Environment,
): Computed {
  const { cache } = 'inputs' in from ? within(['forward'], () => layer.forward(from.inputs, plan, kernels)) : from;
  return { fields: layer.backward(cache, plan, upstream, kernels) as Fields, release };
}
