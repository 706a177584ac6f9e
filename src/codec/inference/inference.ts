/**
 * Bodies of the Open Inference Protocol: tensors are inputs and outputs, everything else is a parameter. The fields of
 * a forward request inside a backward one have dotted names: `forward.x`, `forward.epsilon`.
 *
 * Unlike a codec, this format does not read requests and write answers independently: the request determines the form
 * of its answer.
 */
import { count, jsonPointer, refuse, Refusal, shortened, type Path } from '../../refusal.js';
import { formatShape, sameShape, sizeOf, tensor, type FloatDtype, type Tensor } from '../../tensor/tensor.js';
import type { Body, Sequence, TensorNames } from '../codec.js';
import { dotted, nest } from '../dotted.js';
import { decodeFloats, decodeIntegers } from '../json/read.js';
import { preview } from '../../validation/preview.js';
import { commonDtype, packings } from '../packed.js';
import type { Words } from '../../validation/words.js';
import {
  datatypes,
  EXTENSION_PARAMETERS,
  inferenceTypes,
  readRequest,
  type Datatype,
  type InferenceForm,
  type InferenceInput,
  type InferenceRequest,
  type InferenceType,
  type ModelId,
} from './request.js';

/** The object that is nested in a JSON body. */
const FORWARD = 'forward';

/** Fields of a request that contain other fields. */
const FIELDS: Path = ['inputs', 'outputs', 'parameters'];

/** A sequence always has a session, so its id must be left out too. */
const WITHOUT_SESSION =
  'Send the parameter "session": false without a sequence_id to forward, and its inputs as "forward.…" to backward';

export const inferenceAdvice: Words['advice'] = {
  'session-too-large': WITHOUT_SESSION,
  'session-store-full':
    'Release sessions (parameter "release": true, or "sequence_end": true), or send the parameter "session": false, or wait',
  'session-store-unavailable': WITHOUT_SESSION,
};

/** Version of all models: no layer has ever had a second one. */
const VERSION = '1';

export function modelId(layer: string, direction: 'forward' | 'backward'): ModelId {
  return { name: `${layer}_${direction}`, version: VERSION };
}

export interface InferenceReading {
  readonly body: Body;
  readonly form: InferenceForm;
}

export interface InferenceRules {
  readonly model: ModelId;
  /** Length of the JSON part, if the client states it. */
  readonly jsonBytes: number | undefined;
  /** Media types that the answer must not have. */
  readonly excluded: readonly InferenceType[];
  /** Names of the tensors in a request. */
  readonly names: TensorNames;
  /** Names of the tensors that an answer may contain. */
  readonly results: readonly string[];
  /** Maximum nesting depth; by default the codec's own limit. */
  readonly nesting: number | undefined;
}

/** @throws {Refusal} if the bytes are not an inference request */
export function readInference(
  bytes: Buffer,
  { model, jsonBytes, excluded, names, results, nesting }: InferenceRules,
): InferenceReading {
  const request = readRequest(bytes, { model, jsonBytes, nesting });
  try {
    expectAcceptable(request.form, excluded);
    return { body: bodyOf(request, names, results), form: request.form };
  } catch (error) {
    request.readRest();
    throw error;
  }
}

/** @throws {Refusal} not-acceptable if the client excludes the media type that follows from its request */
function expectAcceptable({ outputs, binaryOutputs }: InferenceForm, excluded: readonly InferenceType[]): void {
  const isBinary = outputs.length === 0 ? binaryOutputs : outputs.some(({ binary }) => binary ?? binaryOutputs);
  const [type, came, expected] = isBinary
    ? [inferenceTypes[1], 'binary', 'none']
    : [inferenceTypes[0], 'no binary', 'at least one'];
  if (excluded.includes(type))
    throw new Refusal(
      'not-acceptable',
      `Accept excludes ${type}, and the request asks for ${came} outputs; expected ${expected}, or another Accept`,
    );
}

function bodyOf(request: InferenceRequest, names: TensorNames, results: readonly string[]): Body {
  const { parameters, inputs, sequence, readRest } = request;
  const byName = new Map(inputs.map((input) => [input.name, input]));
  const clash = Object.keys(parameters).find((name) => byName.has(name));
  if (clash !== undefined)
    throw refuse(
      'duplicate-name',
      ['parameters', clash],
      `${preview(clash)} is both an input and a parameter; expected one of the two`,
    );
  const strange = request.form.outputs.find(({ name }) => !results.includes(name));
  if (strange)
    throw refuse(
      'invalid-request',
      strange.path,
      `${jsonPointer(strange.path)} asks for ${preview(strange.name)}; expected one of ${results.join(', ')}`,
    );
  if (sequence) expectInOrder(sequence, parameters, FORWARD in names);
  const dtype = commonDtype(
    inputs.map(({ name, datatype, path }) => ({ name, dtype: dtypeOf(datatype), path: [...path, 'datatype'] })),
    { float64: 'FP64', float32: 'FP32' },
  );

  /** The input at `path`, whose datatype must fit the expected dtype. */
  const read = (path: Path, expected: FloatDtype | 'int32'): Tensor => {
    const input = byName.get(dotted(path));
    if (input && dtypeOf(input.datatype) === expected) return tensorOf(input);
    const wanted = (Object.keys(datatypes) as Datatype[]).filter((datatype) => dtypeOf(datatype) === expected);
    const came = input ? `${input.datatype} of shape ${formatShape(input.shape)}` : 'a parameter';
    throw refuse(
      'invalid-tensor',
      input ? [...input.path, 'datatype'] : path,
      `${dotted(path)} is ${came}; expected an input of ${wanted.join(' or ')}`,
    );
  };

  const isTensor = (path: Path): boolean => {
    const holder = (path.length === 2 ? names[FORWARD] : names) as Readonly<Record<string, unknown>> | undefined;
    return byName.has(dotted(path)) || holder?.[path[path.length - 1]] === true;
  };

  const words: Words = {
    place(path) {
      if (path.length === 0) return 'the request';
      const [field, entry] = split(path);
      const name = dotted(field);
      if (name === FORWARD && !Object.hasOwn(parameters, name)) return `inputs "${FORWARD}.…"`;
      const kind = isTensor(field) && !Object.hasOwn(parameters, name) ? 'input' : 'parameter';
      return shortened(`${kind} ${JSON.stringify(name)}${entry.map((key) => `[${key}]`).join('')}`);
    },
    missing: (path, expected) => `${words.place(path)} is missing${isTensor(path) ? '' : `; expected ${expected}`}`,
    alternatives(path, known) {
      const holder = path.slice(0, -1);
      const tensors = known.filter((name) => names[name] === true || isTensor([...holder, name]));
      if (byName.has(dotted(path))) return tensors.map((name) => dotted([...holder, name]));
      const others = known.filter((name) => !tensors.includes(name));
      const own = others.map((name) => dotted([...holder, ...(name === FORWARD ? [name, '…'] : [name])]));
      return holder.length > 0 ? own : [...own, ...EXTENSION_PARAMETERS.map(String)];
    },
    backwardOf: (layer) => `the model ${modelId(layer, 'backward').name}`,
    advice: inferenceAdvice,
  };

  const placeOf = (path: Path): Path => {
    // Refusals about the data of an input already contain its place in the request.
    if (path.length === 0 || (path.length > 1 && FIELDS.includes(path[0]))) return path;
    const [field, entry] = split(path);
    const name = dotted(field);
    const input = byName.get(name);
    if (input) return placeIn(input, entry);
    if (Object.hasOwn(parameters, name) || EXTENSION_PARAMETERS.includes(name)) return ['parameters', name];
    const inside = inputs.find((other) => other.name.startsWith(`${name}.`));
    if (inside) return inside.path;
    // The field is missing.
    return [isTensor(field) ? 'inputs' : 'parameters'];
  };

  let values: unknown;
  try {
    values = nest({ ...parameters, ...Object.fromEntries(byName) });
  } catch (error) {
    throw error instanceof Refusal ? error.placed(placeOf) : error;
  }
  return {
    values,
    ...(dtype ? { dtype } : {}),
    floats: (path, wanted) => read(path, wanted),
    integers: (path) => read(path, 'int32'),
    readRest,
    ...(sequence ? { sequence } : {}),
    words,
    placeOf,
  };
}

/** @throws {Refusal} unless forward starts the sequence, backward continues it, and only its id names the session */
function expectInOrder({ start }: Sequence, parameters: Readonly<Record<string, unknown>>, isBackward: boolean): void {
  const wrong = (name: string, came: string, expected: string) =>
    refuse('invalid-request', ['parameters', name], `parameter "${name}" is ${came}; expected ${expected}`);
  if (start === isBackward)
    throw wrong(
      'sequence_start',
      String(start),
      isBackward
        ? 'false, because forward starts a sequence'
        : 'true with a sequence_id, because each forward request starts its sequence anew',
    );
  if (isBackward ? parameters.session !== undefined : parameters.session === false)
    throw wrong(
      'session',
      preview(parameters.session),
      isBackward
        ? 'none, because the sequence_id names the session'
        : 'true or none, because the request starts a sequence',
    );
}

/** Splits a path into the field, which may be one of a nested request, and the path inside the field. */
function split(path: Path): [field: Path, entry: Path] {
  const depth = path[0] === FORWARD && path.length > 1 ? 2 : 1;
  return [path.slice(0, depth), path.slice(depth)];
}

/** The place of an input's entry, or of the whole input if the place of the entry is unknown. */
function placeIn({ path, shape, data }: InferenceInput, entry: Path): Path {
  return 'json' in data && entry.length === 1 && shape.length === 1 ? [...path, 'data', ...entry] : path;
}

/** The dtype of the tensor that an input of this datatype becomes. */
function dtypeOf(datatype: Datatype): FloatDtype | 'int32' {
  return packings[datatypes[datatype]].dtype;
}

function tensorOf({ name, path, shape, datatype, data }: InferenceInput): Tensor {
  if ('bytes' in data) return tensor(shape, packings[datatypes[datatype]].read(data.bytes, name, path));
  const dtype = dtypeOf(datatype);
  const place = [...path, 'data'];
  const read = dtype === 'int32' ? decodeIntegers(data.json, place) : decodeFloats(data.json, dtype, place);
  if (sameShape(read.shape, shape)) return read;
  const size = sizeOf(shape);
  const flat = read.shape.length === 1;
  if (flat && read.data.length === size) return { ...read, shape };
  throw refuse(
    'invalid-tensor',
    place,
    flat
      ? `${name} has ${count(read.data.length, 'number')}; expected ${size}, because its shape is ${formatShape(shape)}`
      : `${name} has data nested as ${formatShape(read.shape)}; expected ${formatShape(shape)}, its shape, or ${count(size, 'number')} in one array`,
  );
}
