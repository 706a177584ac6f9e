/** The answer to an inference request: a JSON object, followed by the bytes of the tensors requested as binary data. */
import { sizeOf, type Tensor } from '../../tensor/tensor.js';
import { jsonPointer, refuse } from '../../refusal.js';
import { isTensor, type Fields } from '../fields.js';
import { encodeJson } from '../json/write.js';
import { answerDtype, packedBytes, packedDtype } from '../packed.js';
import { datatypes, type InferenceForm } from './request.js';

const codes = Object.fromEntries(Object.entries(datatypes).map(([code, dtype]) => [dtype, code]));

/**
 * `data` is flat, which every client can read. Integer tensors are INT64; a mask has the datatype of the float tensors,
 * for clients that expect one datatype.
 *
 * @returns the answer in pieces, so that float tensors are sent without copying: first the JSON part, then the bytes of
 * each tensor that was requested as binary data
 * @throws {Refusal} value-mismatch if a requested output is not in this answer
 */
export function writeInference(fields: Fields, form: InferenceForm): Uint8Array[] {
  const floatDtype = answerDtype(fields);
  const tensors = Object.keys(fields).filter((field) => isTensor(fields[field]));
  const absent = form.outputs.find(({ name }) => !tensors.includes(name));
  if (absent)
    throw refuse(
      'value-mismatch',
      absent.path,
      `${jsonPointer(absent.path)} asks for ${absent.name}; expected one of ${tensors.join(', ')}, which this request returns`,
    );
  const wanted = form.outputs.length > 0 ? form.outputs : tensors.map((tensor) => ({ name: tensor }));
  const pieces: Uint8Array[] = [];
  const outputs = wanted.map((output): Fields => {
    const tensor = fields[output.name] as unknown as Tensor;
    const described = { name: output.name, datatype: codes[packedDtype(tensor, floatDtype)], shape: tensor.shape };
    const binary = ('binary' in output ? output.binary : undefined) ?? form.binaryOutputs;
    if (!binary) return { ...described, data: { ...tensor, shape: [sizeOf(tensor.shape)] } };
    const bytes = packedBytes(tensor, floatDtype);
    pieces.push(bytes);
    return { ...described, parameters: { binary_data_size: bytes.byteLength } };
  });
  const parameters = Object.entries(fields).filter(([, field]) => field !== undefined && !isTensor(field));
  const json = encodeJson({
    model_name: form.model.name,
    model_version: form.model.version,
    id: form.id,
    parameters: parameters.length > 0 ? Object.fromEntries(parameters) : undefined,
    outputs,
  });
  return [json, ...pieces];
}
