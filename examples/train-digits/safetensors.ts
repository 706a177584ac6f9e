/**
 * Requests and responses as safetensors: eight bytes with the length of the header, the header as JSON, then the values
 * of all tensors, little-endian, one tensor after the other without gaps.
 *
 *     header = {
 *       "__metadata__": {"training": "true", "session": "\"3f…\""},
 *       "x": {"dtype": "F32", "shape": [64, 10], "data_offsets": [0, 2560]}
 *     }
 *
 * `data_offsets` count from the end of the header. Everything that is not a tensor is in `__metadata__`, whose values
 * must be strings. The service reads and writes each value as JSON text, so a token is enclosed in quotes.
 *
 * Float32Array uses the byte order of the machine, which is assumed to be little-endian: of the platforms that Node.js
 * supports, only s390x is not.
 *
 * Source: https://github.com/huggingface/safetensors#format
 */
import type { Format } from './format.js';
import { Tensor } from './tensor.js';

interface Entry {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly data_offsets: readonly [begin: number, end: number];
}
type Metadata = Readonly<Record<string, string>>;

const LENGTH_BYTES = 8;
/** The header is padded with spaces to a multiple of this, so that the values are aligned in memory. */
const ALIGNMENT = 8;

export const safetensors: Format = {
  mediaType: 'application/vnd.safetensors',

  write(fields) {
    const entries = Object.entries(fields);
    const tensors = entries.filter((entry): entry is [string, Tensor] => entry[1] instanceof Tensor);
    const options = entries.filter(([, value]) => !(value instanceof Tensor));
    const metadata = Object.fromEntries(options.map(([name, value]) => [name, JSON.stringify(value)]));

    let size = 0;
    const placed = tensors.map(([name, { shape, data }]): [string, Entry] => {
      const begin = size;
      size += data.byteLength;
      return [name, { dtype: 'F32', shape, data_offsets: [begin, size] }];
    });
    const json = new TextEncoder().encode(JSON.stringify({ __metadata__: metadata, ...Object.fromEntries(placed) }));
    const length = Math.ceil(json.length / ALIGNMENT) * ALIGNMENT;

    const file = new Uint8Array(LENGTH_BYTES + length + size);
    new DataView(file.buffer).setBigUint64(0, BigInt(length), true);
    file.fill(0x20, LENGTH_BYTES, LENGTH_BYTES + length).set(json, LENGTH_BYTES);
    let at = LENGTH_BYTES + length;
    for (const [, { data }] of tensors) {
      file.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), at);
      at += data.byteLength;
    }
    return file;
  },

  read(bytes) {
    const length = Number(new DataView(bytes).getBigUint64(0, true));
    const json = new TextDecoder().decode(new Uint8Array(bytes, LENGTH_BYTES, length));
    const { __metadata__: metadata = {}, ...entries } = JSON.parse(json) as { __metadata__?: Metadata };

    const fields = Object.entries(metadata).map(([name, text]): [string, unknown] => [name, JSON.parse(text)]);
    const start = LENGTH_BYTES + length;
    for (const [name, { dtype, shape, data_offsets }] of Object.entries<Entry>(entries)) {
      if (dtype !== 'F32') throw new Error(`${name} is ${dtype}; expected F32`);
      const [begin, end] = data_offsets;
      // A copy: a view must start at a multiple of four bytes, which not every writer ensures.
      fields.push([name, new Tensor(shape, new Float32Array(bytes.slice(start + begin, start + end)))]);
    }
    return Object.fromEntries(fields);
  },
};
