/** Writes fields as a safetensors file; see `read.ts` for the format. */
import { isTensor, type Field, type Fields } from '../fields.js';
import { jsonText } from '../json/write.js';
import { answerDtype, packedBytes, packedDtype, type PackedDtype } from '../packed.js';

const codes = { float64: 'F64', float32: 'F32', int64: 'I64', int32: 'I32' } as const satisfies Record<
  PackedDtype,
  string
>;

/** The header is padded with spaces to a multiple of this, so that tensors are aligned in the file. */
const ALIGNMENT = 8;

/**
 * Tensors become entries; everything else goes into `__metadata__`, each value as JSON text. Integer tensors are
 * written as I64; a mask has the dtype of the float tensors, for clients that expect one dtype.
 *
 * @returns the file in pieces, so that float tensors are sent without copying
 */
export function writeSafetensors(fields: Fields): Uint8Array[] {
  const flat = flatten(fields);
  const dtype = answerDtype(flat);
  const header: Record<string, unknown> = {};
  const metadata: Record<string, string> = {};
  const pieces: Uint8Array[] = [];
  let at = 0;
  for (const [name, value] of Object.entries(flat)) {
    if (value === undefined) continue;
    if (!isTensor(value)) {
      metadata[name] = jsonText(value);
      continue;
    }
    const bytes = packedBytes(value, dtype);
    header[name] = {
      dtype: codes[packedDtype(value, dtype)],
      shape: value.shape,
      data_offsets: [at, at + bytes.byteLength],
    };
    pieces.push(bytes);
    at += bytes.byteLength;
  }
  if (Object.keys(metadata).length > 0) header.__metadata__ = metadata;
  return [head(header), ...pieces];
}

/** Fields of objects that contain tensors get dotted names, as `safetensors.ts` reads them. */
function flatten(fields: Fields): Fields {
  return Object.fromEntries(
    Object.entries(fields).flatMap(([name, value]) =>
      holdsTensors(value)
        ? Object.entries(value).map(([inner, field]): [string, Field] => [`${name}.${inner}`, field])
        : [[name, value]],
    ),
  );
}

function holdsTensors(value: Field): value is Fields {
  return (
    typeof value === 'object' && value !== null && !isTensor(value) && Object.values(value as Fields).some(isTensor)
  );
}

function head(header: object): Uint8Array {
  const json = Buffer.from(JSON.stringify(header));
  const length = Math.ceil(json.byteLength / ALIGNMENT) * ALIGNMENT;
  const bytes = Buffer.alloc(8 + length, ' ');
  bytes.writeBigUInt64LE(BigInt(length), 0);
  json.copy(bytes, 8);
  return bytes;
}
