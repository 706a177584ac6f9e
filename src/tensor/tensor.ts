/**
 * The tensor: a shape over one typed array in row-major order. Everything between the codecs uses it. Its dtype is that
 * of the array, {@link dtypeOf}; a call's dtype, in which numbers are read and written, belongs to the call.
 */
export type FloatDtype = 'float64' | 'float32';
export type Dtype = FloatDtype | 'int32' | 'uint8';

export type FloatArray = Float64Array | Float32Array;
export type TensorData = FloatArray | Int32Array | Uint8Array;

/** Sizes of the axes, outermost first. */
export type Shape = readonly number[];

export interface Tensor<Data extends TensorData = TensorData> {
  readonly shape: Shape;
  readonly data: Data;
}
export type FloatTensor = Tensor<FloatArray>;
export type IntegerTensor = Tensor<Int32Array>;
export type MaskTensor = Tensor<Uint8Array>;

const arrays = { float64: Float64Array, float32: Float32Array, int32: Int32Array, uint8: Uint8Array } as const;

/** Number of elements of a shape. */
export function sizeOf(shape: Shape): number {
  let size = 1;
  for (const axis of shape) size *= axis;
  return size;
}

export function floatArray(dtype: FloatDtype, length: number): FloatArray {
  return new arrays[dtype](length);
}

type SharedArray = new (memory: SharedArrayBuffer, offset: number, length: number) => TensorData;

/** A typed array over existing memory; `offset`, in bytes, is a multiple of the element's size. */
export function viewOf(dtype: Dtype, memory: SharedArrayBuffer, offset: number, length: number): TensorData {
  return new (arrays[dtype] as SharedArray)(memory, offset, length);
}

/** A tensor of zeros. */
export function zeros(dtype: FloatDtype, shape: Shape): FloatTensor {
  return { shape, data: floatArray(dtype, sizeOf(shape)) };
}

/** The dtype of a typed array's elements. */
export function dtypeOf(data: FloatArray): FloatDtype;
export function dtypeOf(data: TensorData): Dtype;
export function dtypeOf(data: TensorData): Dtype {
  if (data instanceof Float64Array) return 'float64';
  if (data instanceof Float32Array) return 'float32';
  return data instanceof Int32Array ? 'int32' : 'uint8';
}

export function isFloats(data: TensorData): data is FloatArray {
  return data instanceof Float64Array || data instanceof Float32Array;
}

/** Wraps data that is laid out as `shape`. */
export function tensor<Data extends TensorData>(shape: Shape, data: Data): Tensor<Data> {
  return { shape, data };
}

/** `[2, 3]`, as in every message about shapes. */
export function formatShape(shape: Shape): string {
  return `[${shape.join(', ')}]`;
}

export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((size, axis) => size === b[axis]);
}
