/**
 * An inference request of the Open Inference Protocol: a JSON object, and after it the bytes of those tensors that the
 * object has no `data` of. Nothing is dropped in silence: what neither the protocol nor this service knows is refused.
 * As clients write an optional field that is not there, null stands for its absence.
 *
 * Source: https://github.com/kserve/open-inference-protocol, specification/protocol/inference_rest.md; for the bytes
 * Triton's extension, https://github.com/triton-inference-server/server, docs/protocol/extension_binary_data.md.
 */
import { HIGHEST_RANK, parseJson, preview } from '../json/read.js';
import { jsonPointer, refuse, Refusal, type Path } from '../../refusal.js';
import { formatShape, sizeOf, type Shape } from '../../tensor/tensor.js';
import type { TensorNames } from '../codec.js';
import { packings, type PackedDtype } from '../packed.js';

/** The protocol's names of the dtypes that are spoken here. */
export const datatypes = { FP64: 'float64', FP32: 'float32', INT64: 'int32' } as const satisfies Record<
  string,
  PackedDtype
>;
export type Datatype = keyof typeof datatypes;

export interface ModelId {
  readonly name: string;
  readonly version: string;
}

export interface InferenceInput {
  readonly name: string;
  /** Where it stands in the request. */
  readonly path: Path;
  readonly shape: Shape;
  readonly datatype: Datatype;
  /** Its `data`, perhaps still text; or its bytes. */
  readonly data: { readonly json: unknown } | { readonly bytes: Uint8Array };
}

export interface WantedOutput {
  readonly name: string;
  readonly path: Path;
  /** Whether it is wanted as bytes; what the request says of all outputs, where it says nothing of this one. */
  readonly binary: boolean | undefined;
}

export interface InferenceRequest {
  readonly id: string | undefined;
  /** Arrays among them are parsed already. */
  readonly parameters: Readonly<Record<string, unknown>>;
  /** Whether outputs are wanted as bytes that say nothing of it themselves. */
  readonly binaryOutputs: boolean;
  readonly inputs: readonly InferenceInput[];
  /** In the order in which they are wanted; none means all. */
  readonly outputs: readonly WantedOutput[];
  /** Reads what is not read yet. Throws a {@link Refusal} where the text is not JSON. */
  readonly readRest: () => void;
}

const TENSORS: TensorNames = { inputs: [{ data: true }] };

/** No model takes half as many tensors or parameters. A million of either in a body took 12 s to refuse by name. */
const MOST_ENTRIES = 64;

/** Characters of a pointer that a sentence repeats: an unknown key can be as long as the body. */
const LONGEST_PLACE = 200;

/**
 * @param parts.jsonBytes length of the JSON part, where the client says it
 * @param parts.nesting how many arrays and objects may stand in each other
 * @throws {Refusal} invalid-json, invalid-inference-request, invalid-request or invalid-tensor
 */
export function readRequest(
  bytes: Buffer,
  { model, jsonBytes, nesting }: { model: ModelId; jsonBytes: number | undefined; nesting: number | undefined },
): InferenceRequest {
  const length = jsonBytes ?? bytes.byteLength;
  if (length > bytes.byteLength)
    throw malformed(
      `the JSON part is said to have ${length} bytes; expected at most ${bytes.byteLength}, those of the body`,
    );
  const json = bytes.subarray(0, length);
  const parse = (names?: TensorNames) => {
    try {
      return parseJson(json, names, nesting);
    } catch (error) {
      throw error instanceof Refusal ? inJsonPart(error, jsonBytes) : error;
    }
  };
  const readRest = () => {
    parse();
  };
  const body = parse(TENSORS);
  try {
    return { ...requestOf(body, model, bytes.subarray(length)), readRest };
  } catch (error) {
    readRest();
    throw error;
  }
}

export function malformed(detail: string): Refusal {
  return new Refusal('invalid-inference-request', detail);
}

function inJsonPart({ kind, message, places }: Refusal, jsonBytes: number | undefined): Refusal {
  const detail =
    jsonBytes === undefined
      ? `${message}; where bytes of tensors follow the JSON part, Inference-Header-Content-Length must say how long that is`
      : `in the JSON part, the first ${jsonBytes} bytes, ${message}`;
  return new Refusal(kind, detail, places);
}

function requestOf(body: unknown, model: ModelId, binary: Buffer): Omit<InferenceRequest, 'readRest'> {
  const request = objectAt(body, [], ['id', 'model_name', 'model_version', 'parameters', 'inputs', 'outputs']);
  expectModel(request, model);
  const { binary_data_output: binaryOutputs, ...parameters } = parametersOf(request.parameters, ['parameters']);
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
      `${binary.byteLength} bytes follow the JSON part; expected ${end}, what the binary_data_size of the inputs add up to`,
    );
  return {
    id: optional(request.id, ['id'], 'string'),
    parameters,
    binaryOutputs: optional(binaryOutputs, ['parameters', 'binary_data_output'], 'boolean') ?? false,
    inputs: read,
    outputs,
  };
}

/** Some clients name in the body, too, what they have named in the path. */
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
      `${name} has shape ${isSizes(shape) && shape.length <= HIGHEST_RANK ? formatShape(shape) : preview(shape)}; expected the sizes of 1 to ${HIGHEST_RANK} axes, none empty`,
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
        'invalid-request',
        path,
        `${jsonPointer(path)} is ${preview(name)}, as ${jsonPointer(first)} is; expected each name once`,
      );
    seen.set(name, path);
  }
}

/** Options and the like: by the protocol strings, numbers and booleans; an array is the string that is its JSON text. */
function parametersOf(value: unknown, path: Path): Record<string, unknown> {
  const entries = Object.entries(objectAt(value ?? {}, path));
  expectFew(entries.length, path);
  return Object.fromEntries(entries.map(([name, parameter]) => [name, parameterOf(parameter, [...path, name])]));
}

function parameterOf(value: unknown, path: Path): unknown {
  // No option and no token begins so that is no array.
  if (typeof value === 'string' && value.startsWith('['))
    try {
      return parseJson(Buffer.from(value));
    } catch {
      throw wrong(value, path, 'the JSON text of an array');
    }
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') return value;
  throw wrong(value, path, 'a string, a number, true or false; an array is written as its JSON text');
}

function objectAt(value: unknown, path: Path, known?: readonly string[]): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw wrong(value, path, 'an object');
  const unknown = known && Object.keys(value).find((key) => !known.includes(key));
  if (known && unknown !== undefined)
    throw refuse(
      'invalid-request',
      [...path, unknown],
      `${placeOf([...path, unknown])} is unknown; expected ${known.length === 1 ? '' : 'one of '}${known.join(', ')}`,
    );
  return value as Record<string, unknown>;
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
  const place = jsonPointer(path) || 'the body';
  return place.length > LONGEST_PLACE ? `${place.slice(0, LONGEST_PLACE)}…` : place;
}

function isSizes(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((size) => Number.isSafeInteger(size) && size >= 0);
}

function isShape(value: unknown): value is number[] {
  return isSizes(value) && value.length > 0 && value.length <= HIGHEST_RANK && !value.includes(0);
}
