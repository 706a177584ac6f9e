/**
 * safetensors: eight bytes with the length of a header, the header as JSON, then the tensors' bytes, little-endian.
 *
 * Source: https://github.com/huggingface/safetensors#format. As strict as the reference implementation: the tensors
 * must cover the bytes after the header without gaps or overlaps.
 */
import { HIGHEST_RANK, isObject, parseJson } from '../json/read.js';
import { preview } from '../../validation/preview.js';
import { count, refuse, Refusal } from '../../refusal.js';
import { formatShape, sizeOf, tensor, type Tensor } from '../../tensor/tensor.js';
import { isShape, isSizes, packings, previewSizes, type PackedDtype } from '../packed.js';

const LENGTH_BYTES = 8;

/** The limit of the reference implementation; a header of this size names a million tensors. */
const LONGEST_HEADER_BYTES = 100_000_000;

/** In this entry, Hugging Face's tools name the framework of the tensors ("pt", "np"). Some tools require it. */
const FRAMEWORK = 'format';

export interface SafetensorsFile {
  readonly tensors: Readonly<Record<string, Tensor>>;
  /** The dtype of each tensor, as the file names it. */
  readonly codes: Readonly<Record<string, string>>;
  /** Values of `__metadata__` except the format, each parsed from its JSON text. */
  readonly metadata: Readonly<Record<string, unknown>>;
}

interface Entry {
  readonly name: string;
  readonly dtype: keyof typeof dtypes;
  readonly shape: readonly number[];
  readonly begin: number;
  readonly end: number;
}

const dtypes = { F64: 'float64', F32: 'float32', I64: 'int64', I32: 'int32' } as const satisfies Record<
  string,
  PackedDtype
>;

/** @throws {Refusal} invalid-safetensors, duplicate-name, invalid-request or invalid-tensor */
export function readSafetensors(bytes: Buffer): SafetensorsFile {
  const { header, data } = split(bytes);
  const { __metadata__: metadata, ...entries } = header;
  const parsed = Object.entries(entries).map(([name, entry]) => entryOf(name, entry));
  expectCovered(parsed, data.byteLength);
  const tensors = parsed.map(({ name, dtype, shape, begin, end }) => [
    name,
    tensor(shape, packings[dtypes[dtype]].read(data.subarray(begin, end), name, [name])),
  ]);
  return {
    tensors: Object.fromEntries(tensors) as Record<string, Tensor>,
    codes: Object.fromEntries(parsed.map(({ name, dtype }) => [name, dtype])),
    metadata: metadataOf(metadata),
  };
}

const malformed = (detail: string) => new Refusal('invalid-safetensors', detail);

function split(bytes: Buffer): { header: Record<string, unknown>; data: Buffer } {
  if (bytes.byteLength < LENGTH_BYTES)
    throw malformed(
      `the body has ${count(bytes.byteLength, 'byte')}; expected at least ${LENGTH_BYTES}, for the length of the header`,
    );
  const length = bytes.readBigUInt64LE(0);
  const room = bytes.byteLength - LENGTH_BYTES;
  if (length > BigInt(Math.min(room, LONGEST_HEADER_BYTES)))
    throw malformed(`the header has length ${length}; expected at most ${room}, the number of bytes that follow`);
  const start = LENGTH_BYTES + Number(length);
  let header: unknown;
  try {
    header = parseJson(bytes.subarray(LENGTH_BYTES, start));
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    const detail = `in the header, ${error.message}`;
    throw error.kind === 'duplicate-name' ? new Refusal(error.kind, detail, error.places) : malformed(detail);
  }
  if (!isObject(header)) throw malformed(`the header is ${preview(header)}; expected a JSON object`);
  return { header, data: bytes.subarray(start) };
}

function entryOf(name: string, entry: unknown): Entry {
  if (!isObject(entry))
    throw refuse(
      'invalid-tensor',
      [name],
      `${name} is ${preview(entry)}; expected an object with dtype, shape and data_offsets`,
    );
  const { dtype, shape, data_offsets: offsets } = entry;
  if (typeof dtype !== 'string' || !Object.hasOwn(dtypes, dtype))
    throw refuse(
      'invalid-tensor',
      [name],
      `${name} has dtype ${preview(dtype)}; expected one of ${Object.keys(dtypes).join(', ')}`,
    );
  if (!isShape(shape))
    throw refuse(
      'invalid-tensor',
      [name],
      `${name} has shape ${previewSizes(shape)}; expected 1 to ${HIGHEST_RANK} axes, none of size 0`,
    );
  if (!isSizes(offsets) || offsets.length !== 2)
    throw refuse('invalid-tensor', [name], `${name} has data_offsets ${previewSizes(offsets)}; expected [begin, end]`);
  const [begin, end] = offsets;
  const kind = dtype as Entry['dtype'];
  const expected = sizeOf(shape) * packings[dtypes[kind]].bytes;
  if (end - begin !== expected)
    throw refuse(
      'invalid-tensor',
      [name],
      `${name} has ${count(end - begin, 'byte')} at data_offsets [${begin}, ${end}]; expected ${expected}, because it is ${dtype} of shape ${formatShape(shape)}`,
    );
  return { name, dtype: kind, shape, begin, end };
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
  if (at !== bytes)
    throw malformed(
      `the tensors have ${count(at, 'byte')} in total; expected ${bytes}, the number of bytes after the header`,
    );
}

function metadataOf(metadata: unknown = {}): Record<string, unknown> {
  if (!isObject(metadata)) throw malformed(`__metadata__ is ${preview(metadata)}; expected an object of strings`);
  return Object.fromEntries(
    Object.entries(metadata).flatMap(([name, text]) => {
      if (name === FRAMEWORK && typeof text === 'string') return [];
      if (typeof text !== 'string')
        throw refuse(
          'invalid-request',
          [name],
          `__metadata__.${name} is ${preview(text)}; expected a string that contains JSON text`,
        );
      try {
        return [[name, parseJson(Buffer.from(text))]];
      } catch (error) {
        if (error instanceof Refusal && error.kind === 'duplicate-name')
          throw new Refusal(error.kind, `in __metadata__.${name}, ${error.message}`, error.places).within([name]);
        throw refuse('invalid-request', [name], `__metadata__.${name} is ${preview(text)}; expected JSON text`);
      }
    }),
  );
}
