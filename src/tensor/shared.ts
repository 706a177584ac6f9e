import { dtypeOf, sizeOf, viewOf, type Tensor } from './tensor.js';

/** Every tensor starts at a multiple of this, so that a view of any dtype is aligned. */
const ALIGNMENT = 8;

export function aligned(bytes: number): number {
  return Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;
}

/**
 * Copies the tensors into one block of shared memory, which can be passed to any thread without a copy and does not keep
 * the memory of the request alive.
 */
export function sharedCopies<Tensors extends Readonly<Record<string, Tensor>>>(tensors: Tensors): Tensors {
  const places: number[] = [];
  let bytes = 0;
  for (const { data } of Object.values(tensors)) {
    places.push(bytes);
    bytes += aligned(data.byteLength);
  }
  const memory = new SharedArrayBuffer(bytes);
  const copies = Object.entries(tensors).map(([name, tensor], i) => {
    const copy = viewOf(dtypeOf(tensor.data), memory, places[i], sizeOf(tensor.shape));
    copy.set(tensor.data);
    return [name, { ...tensor, data: copy }];
  });
  return Object.fromEntries(copies) as Tensors;
}
