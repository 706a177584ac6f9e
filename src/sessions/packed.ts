import { sizeOf, viewOf, type Tensor } from '../tensor/tensor.js';

/** Every tensor starts at a multiple of this, so that a view of any dtype can lie there. */
const ALIGNMENT = 8;

export function aligned(bytes: number): number {
  return Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;
}

/**
 * The tensors one after the other in shared memory of their own: it moves to any thread without a copy, and nothing of
 * a request's memory is held.
 */
export function packed<Tensors extends Readonly<Record<string, Tensor>>>(tensors: Tensors): Tensors {
  const places: number[] = [];
  let bytes = 0;
  for (const { data } of Object.values(tensors)) {
    places.push(bytes);
    bytes += aligned(data.byteLength);
  }
  const memory = new SharedArrayBuffer(bytes);
  const copies = Object.entries(tensors).map(([name, tensor], i) => {
    const copy = viewOf(tensor.dtype, memory, places[i], sizeOf(tensor.shape));
    copy.set(tensor.data);
    return [name, { ...tensor, data: copy }];
  });
  return Object.fromEntries(copies) as Tensors;
}
