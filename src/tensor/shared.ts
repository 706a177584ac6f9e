import type { Tensor, TensorData } from './tensor.js';

/** The tensor in memory that every thread can read: itself if it is there already, else a copy. */
export function shared(tensor: Tensor): Tensor {
  const { data } = tensor;
  if (data.buffer instanceof SharedArrayBuffer) return tensor;
  const Type = data.constructor as new (buffer: SharedArrayBuffer) => TensorData;
  const copy = new Type(new SharedArrayBuffer(data.byteLength));
  copy.set(data);
  return { ...tensor, data: copy };
}
