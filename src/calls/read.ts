/** Reads the bytes of a call: its body, and the form of its answer. */
import type { Body, TensorNames } from '../codec/codec.js';
import { codecs, type MediaType } from '../codec/codecs.js';
import { modelId, readInference } from '../codec/inference/inference.js';
import type { InferenceForm } from '../codec/inference/request.js';
import type { Call } from './call.js';

/** How to write an answer. Plain data. */
export type Form = { readonly accept: MediaType } | InferenceForm;

/** Names of a request's tensors, and of its possible results. */
export interface Names {
  readonly tensors: TensorNames;
  readonly results: readonly string[];
}

/** @throws {Refusal} if the bytes are not in the call's format */
export function readCall(call: Call, { tensors, results }: Names, nesting?: number): { body: Body; form: Form } {
  const { layer, direction, body } = call;
  if (!('protocol' in call))
    return { body: codecs[call.contentType].decode(body, tensors, nesting), form: { accept: call.accept } };
  if (direction !== 'forward' && direction !== 'backward') throw new Error(`no model of ${direction}`);
  const model = modelId(layer, direction);
  const { jsonBytes, excluded } = call;
  return readInference(body, { model, jsonBytes, excluded, names: tensors, results, nesting });
}
