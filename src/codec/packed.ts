/** Tensors as packed bytes, row-major and little-endian: what the binary formats have in common. */
import { refuse, type Path } from '../refusal.js';
import { sizeOf, type Dtype, type FloatDtype, type Tensor, type TensorData } from '../tensor/tensor.js';
import { isTensor, type Fields } from './fields.js';

/** What tensors are on the wire: floats as they are, integers with 64 bits. */
export type PackedDtype = FloatDtype | 'int32';

interface Packing {
  readonly bytes: number;
  /** @throws {Refusal} invalid-tensor where an integer has more than 32 bits; `path` and `name` are the tensor's */
  readonly read: (bytes: Uint8Array, name: string, path: Path) => TensorData;
}

/** Elements where they lie if they are aligned there, else a copy of them. */
function floats<Data extends Float64Array | Float32Array>(Type: {
  new (buffer: ArrayBufferLike, offset: number, length: number): Data;
  readonly BYTES_PER_ELEMENT: number;
}) {
  return (bytes: Uint8Array): Data => {
    const length = bytes.byteLength / Type.BYTES_PER_ELEMENT;
    if (bytes.byteOffset % Type.BYTES_PER_ELEMENT === 0) return new Type(bytes.buffer, bytes.byteOffset, length);
    // Not `slice`, which in a Buffer is another view of the same bytes.
    return new Type(new Uint8Array(bytes).buffer, 0, length);
  };
}

/** Integers of 64 bits on the wire, of 32 inside: no axis that they count along is longer. */
function integers(bytes: Uint8Array, name: string, path: Path): Int32Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Int32Array.from({ length: bytes.byteLength / 8 }, (_, i) => {
    const value = view.getBigInt64(i * 8, true);
    if (BigInt.asIntN(32, value) !== value)
      throw refuse('invalid-tensor', path, `${name} holds ${value}; expected integers of 32 bits`);
    return Number(value);
  });
}

export const packings: Readonly<Record<PackedDtype, Packing>> = {
  float64: { bytes: 8, read: floats(Float64Array) },
  float32: { bytes: 4, read: floats(Float32Array) },
  int32: { bytes: 8, read: integers },
};

/** The dtype of an answer's float tensors: a mask takes it, for clients that want all alike. */
export function floatDtypeOf(fields: Fields): FloatDtype {
  return Object.values(fields).some((field) => isTensor(field) && field.dtype === 'float32') ? 'float32' : 'float64';
}

/** What a tensor is on the wire, beside floats of this dtype. */
export function packedDtype({ dtype }: Tensor, floatDtype: FloatDtype): PackedDtype {
  return dtype === 'uint8' ? floatDtype : dtype;
}

/** The dtype of a request's float tensors, which fixes that of the arithmetic; nothing where there are none. */
export function commonDtype(
  tensors: readonly { readonly name: string; readonly dtype: Dtype; readonly path: Path }[],
  codes: Readonly<Record<Dtype, string>>,
): FloatDtype | undefined {
  const floats = tensors.filter(({ dtype }) => dtype === 'float64' || dtype === 'float32');
  if (floats.length === 0) return undefined;
  const [{ name, dtype }] = floats;
  const other = floats.find((tensor) => tensor.dtype !== dtype);
  if (other)
    throw refuse(
      'invalid-tensor',
      other.path,
      `${other.name} is ${codes[other.dtype]}; expected ${codes[dtype]}, as ${name} is`,
    );
  return dtype as FloatDtype;
}

/** The bytes of a tensor; of a float tensor where it lies. */
export function packedBytes({ dtype, shape, data }: Tensor, floatDtype: FloatDtype): Uint8Array {
  if (dtype === 'int32') return bytesOf(BigInt64Array.from({ length: sizeOf(shape) }, (_, i) => BigInt(data[i])));
  if (dtype === 'uint8') return bytesOf(floatDtype === 'float64' ? Float64Array.from(data) : Float32Array.from(data));
  return bytesOf(data);
}

function bytesOf({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}
