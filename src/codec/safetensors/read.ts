/**
 * safetensors: eight bytes with the length of a header, the header as JSON, then the tensors' bytes, little-endian.
 *
 * Source: the format's own description, https://github.com/huggingface/safetensors#format. Strict as its reference
 * implementation is: the tensors cover the bytes after the header without holes and without overlap.
 */
import { HIGHEST_RANK, parseJson, preview } from '../json/read.js';
import { refuse, Refusal } from '../../refusal.js';
import { formatShape, sizeOf, tensor, type Tensor } from '../../tensor/tensor.js';
import { packings, type PackedDtype } from '../packed.js';

const LENGTH_BYTES = 8;

/** The limit of the reference implementation; a header of this size names a million tensors. */
const LONGEST_HEADER_BYTES = 100_000_000;

export interface SafetensorsFile {
  readonly tensors: Readonly<Record<string, Tensor>>;
  /** Values of `__metadata__`, each parsed as the JSON text that it is. */
  readonly metadata: Readonly<Record<string, unknown>>;
}

interface Entry {
  readonly name: string;
  readonly dtype: keyof typeof dtypes;
  readonly shape: readonly number[];
  readonly begin: number;
  readonly end: number;
}

const dtypes = { F64: 'float64', F32: 'float32', I64: 'int32' } as const satisfies Record<string, PackedDtype>;

/** @throws {Refusal} invalid-safetensors or invalid-tensor */
export function readSafetensors(bytes: Buffer): SafetensorsFile {
  const { header, data } = split(bytes);
  const { __metadata__: metadata, ...entries } = header;
  const parsed = Object.entries(entries).map(([name, entry]) => entryOf(name, entry));
  expectCovered(parsed, data.byteLength);
  const tensors = parsed.map(({ name, dtype, shape, begin, end }) => [
    name,
    tensor(shape, packings[dtypes[dtype]].read(data.subarray(begin, end), name, [name])),
  ]);
  return { tensors: Object.fromEntries(tensors) as Record<string, Tensor>, metadata: metadataOf(metadata) };
}

const malformed = (detail: string) => new Refusal('invalid-safetensors', detail);

function split(bytes: Buffer): { header: Record<string, unknown>; data: Buffer } {
  if (bytes.byteLength < LENGTH_BYTES)
    throw malformed(
      `the body has ${bytes.byteLength} bytes; expected ${LENGTH_BYTES} at least, the length of the header`,
    );
  const length = bytes.readBigUInt64LE(0);
  const room = bytes.byteLength - LENGTH_BYTES;
  if (length > BigInt(Math.min(room, LONGEST_HEADER_BYTES)))
    throw malformed(`the header is said to have ${length} bytes; expected at most the ${room} that follow`);
  const start = LENGTH_BYTES + Number(length);
  let header: unknown;
  try {
    header = parseJson(bytes.subarray(LENGTH_BYTES, start));
  } catch (error) {
    throw malformed(`in the header, ${(error as Refusal).message}`);
  }
  if (typeof header !== 'object' || header === null || Array.isArray(header))
    throw malformed(`the header is ${preview(header)}; expected a JSON object`);
  return { header: header as Record<string, unknown>, data: bytes.subarray(start) };
}

function entryOf(name: string, entry: unknown): Entry {
  const {
    dtype,
    shape,
    data_offsets: offsets,
  } = (typeof entry === 'object' && entry !== null ? entry : {}) as Record<string, unknown>;
  if (typeof dtype !== 'string' || !Object.hasOwn(dtypes, dtype))
    throw refuse(
      'invalid-tensor',
      [name],
      `${name} has dtype ${preview(dtype)}; expected one of ${Object.keys(dtypes).join(', ')}`,
    );
  if (!isSizes(shape) || shape.length === 0 || shape.length > HIGHEST_RANK || shape.includes(0))
    throw refuse(
      'invalid-tensor',
      [name],
      `${name} has shape ${preview(shape)}; expected one axis at least and ${HIGHEST_RANK} at most, and none empty`,
    );
  if (!isSizes(offsets) || offsets.length !== 2)
    throw refuse('invalid-tensor', [name], `${name} has data_offsets ${preview(offsets)}; expected [begin, end]`);
  const [begin, end] = offsets;
  const kind = dtype as Entry['dtype'];
  const expected = sizeOf(shape) * packings[dtypes[kind]].bytes;
  if (end - begin !== expected)
    throw refuse(
      'invalid-tensor',
      [name],
      `${name} has ${end - begin} bytes at data_offsets [${begin}, ${end}]; expected ${expected}, because it is ${dtype} of shape ${formatShape(shape)}`,
    );
  return { name, dtype: kind, shape, begin, end };
}

function isSizes(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((size) => Number.isSafeInteger(size) && size >= 0);
}

function expectCovered(entries: readonly Entry[], bytes: number): void {
  let at = 0;
  for (const { name, begin, end } of [...entries].sort((a, b) => a.begin - b.begin)) {
    if (begin !== at)
      throw refuse(
        'invalid-tensor',
        [name],
        `${name} begins at byte ${begin} of the data; expected ${at}, where the tensor before it ends`,
      );
    at = end;
  }
  if (at !== bytes) throw malformed(`the tensors take ${at} bytes; expected ${bytes}, all that follow the header`);
}

function metadataOf(metadata: unknown = {}): Record<string, unknown> {
  if (typeof metadata !== 'object' || metadata === null || Array.isArray(metadata))
    throw malformed(`__metadata__ is ${preview(metadata)}; expected an object of strings`);
  return Object.fromEntries(
    Object.entries(metadata as Record<string, unknown>).map(([name, text]) => {
      if (typeof text !== 'string')
        throw refuse(
          'invalid-request',
          [name],
          `__metadata__.${name} is ${preview(text)}; expected a string with a JSON text in it`,
        );
      try {
        return [name, parseJson(Buffer.from(text))];
      } catch {
        throw refuse('invalid-request', [name], `__metadata__.${name} is ${preview(text)}; expected a JSON text`);
      }
    }),
  );
}
