/** The answer to an inference request: a JSON object, and after it the bytes of those tensors that are wanted so. */
import { sizeOf, type Tensor } from '../../tensor/tensor.js';
import { isTensor, type Fields } from '../fields.js';
import { encodeJson } from '../json/write.js';
import { floatDtypeOf, packedBytes, packedDtype } from '../packed.js';
import { datatypes, type InferenceRequest, type ModelId } from './request.js';

const codes = Object.fromEntries(Object.entries(datatypes).map(([code, dtype]) => [dtype, code]));

/**
 * `data` is flat, which every client reads. Integer tensors are INT64; a mask takes the datatype of the other tensors,
 * for clients that want all alike.
 *
 * @returns the answer in pieces, so that float tensors are sent from where they lie
 */
export function writeAnswer(fields: Fields, request: InferenceRequest, { name, version }: ModelId): Uint8Array[] {
  const floatDtype = floatDtypeOf(fields);
  const tensors = Object.keys(fields).filter((field) => isTensor(fields[field]));
  const wanted = request.outputs.length > 0 ? request.outputs : tensors.map((tensor) => ({ name: tensor }));
  const pieces: Uint8Array[] = [];
  const outputs = wanted.map((output): Fields => {
    const tensor = fields[output.name] as unknown as Tensor;
    const described = { name: output.name, datatype: codes[packedDtype(tensor, floatDtype)], shape: tensor.shape };
    const binary = ('binary' in output ? output.binary : undefined) ?? request.binaryOutputs;
    if (!binary) return { ...described, data: { ...tensor, shape: [sizeOf(tensor.shape)] } };
    const bytes = packedBytes(tensor, floatDtype);
    pieces.push(bytes);
    return { ...described, parameters: { binary_data_size: bytes.byteLength } };
  });
  const parameters = Object.entries(fields).filter(([, field]) => field !== undefined && !isTensor(field));
  const json = encodeJson({
    model_name: name,
    model_version: version,
    id: request.id,
    parameters: parameters.length > 0 ? Object.fromEntries(parameters) : undefined,
    outputs,
  });
  return [json, ...pieces];
}
