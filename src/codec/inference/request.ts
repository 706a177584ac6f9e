/**
 * An inference request of the Open Inference Protocol: a JSON object, followed by the bytes of the tensors that have no
 * `data` in it. Nothing is silently dropped: fields that neither the protocol nor this service defines are refused.
 * Some clients send null for an optional field that is absent, so null means absent.
 *
 * Source: https://github.com/kserve/open-inference-protocol, specification/protocol/inference_rest.md; for the bytes,
 * Triton's extension, https://github.com/triton-inference-server/server, docs/protocol/extension_binary_data.md.
 */
import { expectJson, HIGHEST_RANK, isObject, parseJson } from '../json/read.js';
import { isNearInteger } from '../../validation/near-integer.js';
import { preview } from '../../validation/preview.js';
import { count, jsonPointer, placeName, refuse, Refusal, shortened, type Path } from '../../refusal.js';
import { formatShape, sizeOf, type Shape } from '../../tensor/tensor.js';
import type { Sequence, TensorNames } from '../codec.js';
import { isShape, packings, previewSizes, type PackedDtype } from '../packed.js';

/** The media types of requests and answers: JSON, and JSON followed by the bytes of tensors. */
export const inferenceTypes = ['application/json', 'application/octet-stream'] as const;
export type InferenceType = (typeof inferenceTypes)[number];

/** The protocol's names of the supported dtypes. */
export const datatypes = {
  FP64: 'float64',
  FP32: 'float32',
  INT64: 'int64',
  INT32: 'int32',
} as const satisfies Record<string, PackedDtype>;
export type Datatype = keyof typeof datatypes;

export interface ModelId {
  readonly name: string;
  readonly version: string;
}

export interface InferenceInput {
  readonly name: string;
  /** Its place in the request. */
  readonly path: Path;
  readonly shape: Shape;
  readonly datatype: Datatype;
  /** Its `data`, which may still be text, or its bytes. */
  readonly data: { readonly json: unknown } | { readonly bytes: Uint8Array };
}

export interface WantedOutput {
  readonly name: string;
  readonly path: Path;
  /** Whether it is wanted as bytes; if undefined, `binaryOutputs` decides. */
  readonly binary: boolean | undefined;
}

/** How to write the answer to a request. Plain data. */
export interface InferenceForm {
  readonly model: ModelId;
  readonly id: string | undefined;
  /** Whether outputs that do not say so themselves are wanted as bytes. */
  readonly binaryOutputs: boolean;
  /** In the requested order; an empty list means all. */
  readonly outputs: readonly WantedOutput[];
}

export interface InferenceRequest {
  readonly form: InferenceForm;
  /** Parameters of the layer. Arrays among them have been parsed. */
  readonly parameters: Readonly<Record<string, unknown>>;
  readonly sequence: Sequence | undefined;
  readonly inputs: readonly InferenceInput[];
  /** Reads the rest of the JSON part. Throws a {@link Refusal} if it is not JSON. */
  readonly readRest: () => void;
}

const TENSORS: TensorNames = { inputs: [{ data: true }] };

/** More than twice as many tensors or parameters as any model accepts. Refusing a million by name took 12 s. */
const MOST_ENTRIES = 64;

/**
 * @param parts.jsonBytes length of the JSON part, if the client states it
 * @param parts.nesting maximum nesting depth
 * @throws {Refusal} invalid-json, duplicate-name, invalid-inference-request, invalid-request or invalid-tensor
 */
export function readRequest(
  bytes: Buffer,
  { model, jsonBytes, nesting }: { model: ModelId; jsonBytes: number | undefined; nesting: number | undefined },
): InferenceRequest {
  const length = jsonBytes ?? bytes.byteLength;
  if (length > bytes.byteLength)
    throw malformed(
      `Inference-Header-Content-Length is ${length}; expected at most ${bytes.byteLength}, the length of the body`,
    );
  const json = bytes.subarray(0, length);
  const reading = <Result>(read: () => Result): Result => {
    try {
      return read();
    } catch (error) {
      throw error instanceof Refusal && error.kind === 'invalid-json' ? inJsonPart(error, jsonBytes) : error;
    }
  };
  const body = reading(() => parseJson(json, TENSORS, nesting));
  const readRest = () => {
    reading(() => {
      expectJson(body);
    });
  };
  try {
    return { ...requestOf(body, model, bytes.subarray(length)), readRest };
  } catch (error) {
    readRest();
    throw error;
  }
}

function malformed(detail: string): Refusal {
  return new Refusal('invalid-inference-request', detail);
}

function inJsonPart({ kind, message, places }: Refusal, jsonBytes: number | undefined): Refusal {
  const detail =
    jsonBytes === undefined
      ? `${message}; if binary tensor data follows the JSON part, Inference-Header-Content-Length must give the length of the JSON part`
      : `in the JSON part, the first ${count(jsonBytes, 'byte')}, ${message}`;
  return new Refusal(kind, detail, places);
}

function requestOf(body: unknown, model: ModelId, binary: Buffer): Omit<InferenceRequest, 'readRest'> {
  const request = objectAt(body, [], ['id', 'model_name', 'model_version', 'parameters', 'inputs', 'outputs']);
  expectModel(request, model);
  const {
    binary_data_output: binaryOutputs,
    timeout,
    priority,
    sequence_id,
    sequence_start,
    sequence_end,
    ...parameters
  } = parametersOf(request.parameters, ['parameters']);
  expectHint('timeout', timeout);
  expectHint('priority', priority);
  const inputs = listAt(request.inputs, ['inputs']);
  const outputs = listAt(request.outputs ?? [], ['outputs']).map((output, i) => outputOf(output, ['outputs', i]));
  expectNoneTwice(outputs);
  let end = 0;
  const read = inputs.map((input, i) => {
    const { bytes, ...rest } = inputOf(input, ['inputs', i]);
    if (bytes === undefined) return rest;
    const begin = end;
    end += bytes;
    return { ...rest, data: { bytes: binary.subarray(begin, end) } };
  });
  expectNoneTwice(read);
  if (end !== binary.byteLength)
    throw malformed(
      `the body has ${count(binary.byteLength, 'byte')} after the JSON part; expected ${end}, the sum of binary_data_size over the inputs`,
    );
  const id = optional(request.id, ['id'], 'string');
  const sequence = sequenceOf(sequence_id, sequence_start, sequence_end);
  const inBytes = optional(binaryOutputs, ['parameters', 'binary_data_output'], 'boolean') ?? false;
  return { form: { model, id, binaryOutputs: inBytes, outputs }, parameters, sequence, inputs: read };
}

/** Parameters of the protocol's extensions, which every model accepts. */
export const EXTENSION_PARAMETERS: Path = [
  'binary_data_output',
  'timeout',
  'priority',
  'sequence_id',
  'sequence_start',
  'sequence_end',
];

/** Checks a hint for Triton's schedulers (schedule policy extension), which is then ignored: there is none here. */
function expectHint(name: string, value: unknown): void {
  if (value === undefined || (Number.isInteger(value) && (value as number) >= 0)) return;
  throw wrong(value, ['parameters', name], 'an integer, at least 0');
}

/** Maximum length of a sequence id that is a string; a UUID has 36 characters. */
const LONGEST_ID = 128;

/** By Triton's sequence extension, an id of 0 or "" means no sequence, and "1" and 1 are different ids. */
function sequenceOf(id: unknown, started: unknown, ended: unknown): Sequence | undefined {
  const start = optional(started, ['parameters', 'sequence_start'], 'boolean') ?? false;
  const end = optional(ended, ['parameters', 'sequence_end'], 'boolean') ?? false;
  if (id === undefined || id === 0 || id === '') {
    if (start || end) throw wrong(id, ['parameters', 'sequence_id'], 'the id of the sequence, not 0 or ""');
    return undefined;
  }
  const isId = typeof id === 'string' ? id.length <= LONGEST_ID : Number.isSafeInteger(id) && (id as number) > 0;
  if (isId) return { id: JSON.stringify(id), start, end };
  const expected = `an integer from 1 to ${Number.MAX_SAFE_INTEGER}, or a string of at most ${LONGEST_ID} characters`;
  throw wrong(id, ['parameters', 'sequence_id'], expected);
}

/** Some clients repeat the model's name and version in the body. */
function expectModel(request: Readonly<Record<string, unknown>>, { name, version }: ModelId): void {
  const expected = { model_name: name, model_version: version };
  for (const [field, value] of Object.entries(expected)) {
    const came = optional(request[field], [field], 'string');
    if (came !== undefined && came !== value)
      throw refuse('invalid-request', [field], `/${field} is ${preview(came)}; expected "${value}", as in the path`);
  }
}

function inputOf(
  value: unknown,
  path: Path,
): Omit<InferenceInput, 'data'> & { data: { json: unknown }; bytes?: number } {
  const input = objectAt(value, path, ['name', 'shape', 'datatype', 'parameters', 'data']);
  const name = nameOf(input.name, path);
  const { datatype, shape } = input;
  if (typeof datatype !== 'string' || !Object.hasOwn(datatypes, datatype))
    throw refuse(
      'invalid-tensor',
      [...path, 'datatype'],
      `${name} has datatype ${preview(datatype)}; expected one of ${Object.keys(datatypes).join(', ')}`,
    );
  if (!isShape(shape))
    throw refuse(
      'invalid-tensor',
      [...path, 'shape'],
      `${name} has shape ${previewSizes(shape)}; expected the sizes of 1 to ${HIGHEST_RANK} axes, none of size 0`,
    );
  const described = { name, path, shape, datatype: datatype as Datatype, data: { json: input.data } };
  const bytes = binarySizeOf(input.parameters, described);
  const hasData = input.data !== undefined && input.data !== null;
  if (hasData === (bytes !== undefined))
    throw refuse(
      'invalid-tensor',
      hasData ? [...path, 'parameters'] : path,
      `${name} has ${hasData ? 'both' : 'neither'} data ${hasData ? 'and' : 'nor'} binary_data_size; expected one of the two`,
    );
  return bytes === undefined ? described : { ...described, bytes };
}

function binarySizeOf(
  value: unknown,
  { name, path, shape, datatype }: Omit<InferenceInput, 'data'>,
): number | undefined {
  const place = [...path, 'parameters'];
  const { binary_data_size: size } = objectAt(value ?? {}, place, ['binary_data_size']);
  if (size === undefined) return undefined;
  const expected = sizeOf(shape) * packings[datatypes[datatype]].bytes;
  if (size !== expected)
    throw refuse(
      'invalid-tensor',
      [...place, 'binary_data_size'],
      `${name} has binary_data_size ${preview(size)}; expected ${expected}, because it is ${datatype} of shape ${formatShape(shape)}`,
    );
  return expected;
}

function outputOf(value: unknown, path: Path): WantedOutput {
  const output = objectAt(value, path, ['name', 'parameters']);
  const place = [...path, 'parameters'];
  const { binary_data: binary } = objectAt(output.parameters ?? {}, place, ['binary_data']);
  return { name: nameOf(output.name, path), path, binary: optional(binary, [...place, 'binary_data'], 'boolean') };
}

function nameOf(name: unknown, path: Path): string {
  if (typeof name === 'string' && name !== '') return name;
  throw wrong(name, [...path, 'name'], 'the name of a tensor');
}

function expectNoneTwice(tensors: readonly { readonly name: string; readonly path: Path }[]): void {
  const seen = new Map<string, Path>();
  for (const { name, path } of tensors) {
    const first = seen.get(name);
    if (first)
      throw refuse(
        'duplicate-name',
        path,
        `${jsonPointer(path)} is ${preview(name)}, as ${jsonPointer(first)} is; expected each name once`,
      );
    seen.set(name, path);
  }
}

/** Parameters are strings, numbers and booleans, as the protocol demands; an array is sent as its JSON text. */
function parametersOf(value: unknown, path: Path): Record<string, unknown> {
  const entries = Object.entries(objectAt(value ?? {}, path));
  expectFew(entries.length, path);
  return Object.fromEntries(entries.map(([name, parameter]) => [name, parameterOf(parameter, [...path, name])]));
}

function parameterOf(value: unknown, path: Path): unknown {
  // Only arrays start with a bracket: no other option and no token does.
  if (typeof value === 'string' && value.startsWith('[') && path[1] !== 'sequence_id')
    try {
      return parseJson(Buffer.from(value));
    } catch (error) {
      if (error instanceof Refusal && error.kind === 'duplicate-name')
        throw new Refusal(error.kind, `in ${placeOf(path)}, ${error.message}`, error.places).within(path);
      throw wrong(value, path, 'the JSON text of an array');
    }
  if (['string', 'number', 'boolean'].includes(typeof value) || isNearInteger(value)) return value;
  throw wrong(value, path, 'a string, a number, true or false; an array is written as its JSON text');
}

function objectAt(value: unknown, path: Path, known?: readonly string[]): Readonly<Record<string, unknown>> {
  if (!isObject(value)) throw wrong(value, path, 'an object');
  const unknown = known && Object.keys(value).find((key) => !known.includes(key));
  if (known && unknown !== undefined)
    throw refuse(
      'invalid-request',
      [...path, unknown],
      `${placeOf([...path, unknown])} is unknown; expected ${known.length === 1 ? '' : 'one of '}${known.join(', ')}`,
    );
  return value;
}

function listAt(value: unknown, path: Path): readonly unknown[] {
  if (!Array.isArray(value)) throw wrong(value, path, 'an array of tensors');
  expectFew(value.length, path);
  return value;
}

function expectFew(entries: number, path: Path): void {
  if (entries > MOST_ENTRIES)
    throw refuse('invalid-request', path, `${placeOf(path)} has ${entries} entries; expected at most ${MOST_ENTRIES}`);
}

interface Kinds {
  string: string;
  boolean: boolean;
}

function optional<Kind extends keyof Kinds>(value: unknown, path: Path, kind: Kind): Kinds[Kind] | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value === kind) return value as Kinds[Kind];
  throw wrong(value, path, kind === 'string' ? 'a string' : 'true or false');
}

function wrong(value: unknown, path: Path, expected: string): Refusal {
  const came = value === undefined ? 'missing' : preview(value);
  return refuse('invalid-request', path, `${placeOf(path)} is ${came}; expected ${expected}`);
}

function placeOf(path: Path): string {
  if (path.length === 2 && path[0] === 'parameters') return shortened(`parameter ${JSON.stringify(path[1])}`);
  return placeName(path);
}
