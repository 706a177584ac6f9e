/** From fields to the bytes of a safetensors file; see `read.ts` for the format. */
import { isTensor, type Field, type Fields } from '../fields.js';
import { floatDtypeOf, packedBytes, packedDtype, type PackedDtype } from '../packed.js';

const codes: Readonly<Record<PackedDtype, string>> = { float64: 'F64', float32: 'F32', int32: 'I64' };

/** The header is filled up with blanks to this, so that tensors lie aligned in the file. */
const ALIGNMENT = 8;

/**
 * Tensors become entries, everything else `__metadata__`, each value as JSON text. Integer tensors are written as
 * I64; a mask takes the dtype of the other tensors, for clients that want all alike.
 *
 * @returns the file in pieces, so that float tensors are sent from where they lie
 */
export function writeSafetensors(fields: Fields): Uint8Array[] {
  const flat = flatten(fields);
  const dtype = floatDtypeOf(flat);
  const header: Record<string, unknown> = {};
  const metadata: Record<string, string> = {};
  const pieces: Uint8Array[] = [];
  let at = 0;
  for (const [name, value] of Object.entries(flat)) {
    if (value === undefined) continue;
    if (!isTensor(value)) {
      metadata[name] = JSON.stringify(value);
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

/** Objects with tensors in them: their fields' names stand behind a dot, as `safetensors.ts` reads them. */
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
