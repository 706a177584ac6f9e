/** Tensors as packed bytes, row-major and little-endian, for both binary formats. */
import { refuse, type Path } from '../refusal.js';
import { dtypeOf, type Dtype, type FloatDtype, type Tensor, type TensorData } from '../tensor/tensor.js';
import { isTensor, type Fields } from './fields.js';
import { HIGHEST_RANK } from './json/nested.js';
import { preview } from '../validation/preview.js';

/** Element types on the wire. Integers have 64 or 32 bits in requests, and 64 in answers. */
export type PackedDtype = FloatDtype | 'int64' | 'int32';

interface Packing {
  readonly bytes: number;
  /** The dtype of the tensor that is read. */
  readonly dtype: FloatDtype | 'int32';
  /** @throws {Refusal} invalid-tensor if an integer has more than 32 bits; `path` and `name` are the tensor's */
  readonly read: (bytes: Uint8Array, name: string, path: Path) => TensorData;
}

/** A view of the elements if they are aligned, otherwise a copy. */
function inPlace<Data extends Float64Array | Float32Array | Int32Array>(Type: {
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

/** Integers have 64 bits on the wire and 32 bits internally, which suffices for any axis. */
function narrowed(bytes: Uint8Array, name: string, path: Path): Int32Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Int32Array.from({ length: bytes.byteLength / 8 }, (_, i) => {
    const value = view.getBigInt64(i * 8, true);
    if (BigInt.asIntN(32, value) !== value)
      throw refuse('invalid-tensor', path, `${name} contains ${value}; expected 32-bit integers`);
    return Number(value);
  });
}

export const packings: Readonly<Record<PackedDtype, Packing>> = {
  float64: { bytes: 8, dtype: 'float64', read: inPlace(Float64Array) },
  float32: { bytes: 4, dtype: 'float32', read: inPlace(Float32Array) },
  int64: { bytes: 8, dtype: 'int32', read: narrowed },
  int32: { bytes: 4, dtype: 'int32', read: inPlace(Int32Array) },
};

/** The dtype of an answer's float tensors. Masks get it too, for clients that expect one dtype. */
export function answerDtype(fields: Fields): FloatDtype {
  return Object.values(fields).some((field) => isTensor(field) && field.data instanceof Float32Array)
    ? 'float32'
    : 'float64';
}

/** The element type of a tensor on the wire, next to floats of this dtype. */
export function packedDtype({ data }: Tensor, floatDtype: FloatDtype): PackedDtype {
  const dtype = dtypeOf(data);
  if (dtype === 'uint8') return floatDtype;
  return dtype === 'int32' ? 'int64' : dtype;
}

/** The dtype of a request's float tensors, which determines that of the arithmetic; undefined if there are none. */
export function commonDtype(
  tensors: readonly { readonly name: string; readonly dtype: Dtype; readonly path: Path }[],
  codes: Readonly<Record<FloatDtype, string>>,
): FloatDtype | undefined {
  const floats = tensors.filter((tensor): tensor is typeof tensor & { dtype: FloatDtype } => isFloat(tensor.dtype));
  if (floats.length === 0) return undefined;
  const [{ name, dtype }] = floats;
  const other = floats.find((tensor) => tensor.dtype !== dtype);
  if (other)
    throw refuse(
      'invalid-tensor',
      other.path,
      `${other.name} is ${codes[other.dtype]}; expected ${codes[dtype]}, as ${name} is`,
    );
  return dtype;
}

function isFloat(dtype: Dtype): dtype is FloatDtype {
  return dtype === 'float64' || dtype === 'float32';
}

/** The bytes of a tensor; those of a float tensor are not copied. */
export function packedBytes({ data }: Tensor, floatDtype: FloatDtype): Uint8Array {
  if (data instanceof Int32Array) return bytesOf(BigInt64Array.from(data, BigInt));
  if (data instanceof Uint8Array)
    return bytesOf(floatDtype === 'float64' ? Float64Array.from(data) : Float32Array.from(data));
  return bytesOf(data);
}

function bytesOf({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

export function isSizes(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((size) => Number.isSafeInteger(size) && size >= 0);
}

/** What came instead of sizes: the entries, unless there are too many to show. */
export function previewSizes(value: unknown): string {
  return Array.isArray(value) && value.length <= HIGHEST_RANK ? `[${value.map(preview).join(', ')}]` : preview(value);
}

/** Whether it is the shape of a tensor: 1 to {@link HIGHEST_RANK} axes, none of size 0. */
export function isShape(value: unknown): value is number[] {
  return isSizes(value) && value.length > 0 && value.length <= HIGHEST_RANK && !value.includes(0);
}
