/** JSON requests in safetensors. */
import type { Fields } from '../../src/codec/fields.js';
import { json } from '../../src/codec/json/json.js';
import { safetensors } from '../../src/codec/safetensors/safetensors.js';
import { layers } from '../../src/layers/registry.js';
import type { FloatDtype } from '../../src/tensor/tensor.js';

/** The fields of a JSON request for a binary one: tensors as typed arrays, options unchanged. */
function fieldsOf(request: object, dtype: FloatDtype, prefix = ''): Fields {
  const body = json.decode(Buffer.from(JSON.stringify(request)));
  const fields = Object.entries(request).flatMap(([name, value]): [string, Fields[string]][] => {
    if (name === 'forward') return Object.entries(fieldsOf(value as object, dtype, 'forward.'));
    if (name === 'sequence_lengths') return [[prefix + name, body.integers([name])]];
    const isOption = layers.some(({ schemas }) => name in schemas.options.properties);
    if (isOption || !Array.isArray(value)) return [[prefix + name, value as Fields[string]]];
    return [[prefix + name, body.floats([name], dtype)]];
  });
  return Object.fromEntries(fields);
}

/** The bytes of a safetensors file. */
export const binary = (request: object, dtype: FloatDtype): Buffer =>
  Buffer.concat(safetensors.encode(fieldsOf(request, dtype)));
