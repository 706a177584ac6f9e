/**
 * A session as bytes, for stores outside this process:
 *
 *     bytes of the header (uint32) | header (JSON) | tensors
 *
 * The header contains everything except the elements of the tensors. These follow in the header's order, each tensor at
 * a multiple of 8 bytes. All numbers are little-endian.
 */
import { dtypeOf, sizeOf, viewOf, type Dtype, type FloatDtype, type Shape, type Tensor } from '../tensor/tensor.js';
import { aligned } from '../tensor/shared.js';
import type { HeldSession, Session } from './store.js';

const LENGTH_BYTES = 4;

interface Header {
  readonly layer: string;
  readonly dtype: FloatDtype;
  readonly plan: object;
  readonly created: number;
  readonly tensors: readonly { readonly name: string; readonly dtype: Dtype; readonly shape: Shape }[];
}

export type Decoded = Session & Pick<HeldSession, 'created'>;

export function encodeSession({ layer, dtype, plan, tensors }: Session, created: number): Buffer {
  const entries = Object.entries(tensors);
  const header: Header = {
    layer,
    dtype,
    plan,
    created,
    tensors: entries.map(([name, tensor]) => ({ name, dtype: dtypeOf(tensor.data), shape: tensor.shape })),
  };
  const json = Buffer.from(JSON.stringify(header));
  const bytes = entries.reduce(
    (sum, [, { data }]) => sum + aligned(data.byteLength),
    aligned(LENGTH_BYTES + json.byteLength),
  );
  // Zeroed, unlike `allocUnsafe`: the gaps between the tensors must not expose other memory.
  const encoded = Buffer.alloc(bytes);
  encoded.writeUInt32LE(json.byteLength);
  encoded.set(json, LENGTH_BYTES);
  let place = aligned(LENGTH_BYTES + json.byteLength);
  for (const [, { data }] of entries) {
    encoded.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), place);
    place += aligned(data.byteLength);
  }
  return encoded;
}

/** @param pieces the encoded session, split at any positions */
export function decodeSession(pieces: readonly Buffer[]): Decoded {
  const memory = new SharedArrayBuffer(pieces.reduce((sum, piece) => sum + piece.byteLength, 0));
  const encoded = Buffer.from(memory);
  let filled = 0;
  for (const piece of pieces) {
    encoded.set(piece, filled);
    filled += piece.byteLength;
  }
  const headerBytes = encoded.readUInt32LE();
  const json = encoded.toString('utf8', LENGTH_BYTES, LENGTH_BYTES + headerBytes);
  const { layer, dtype, plan, created, tensors } = JSON.parse(json) as Header;
  let place = aligned(LENGTH_BYTES + headerBytes);
  const views = tensors.map(({ name, dtype, shape }): [string, Tensor] => {
    const data = viewOf(dtype, memory, place, sizeOf(shape));
    place += aligned(data.byteLength);
    return [name, { shape, data }];
  });
  return { layer, dtype, plan, created, tensors: Object.fromEntries(views) };
}
