/**
 * Bodies of the Open Inference Protocol: tensors are inputs and outputs, all else is parameters. What JSON nests, a
 * forward request inside a backward one, has its names behind a dot: `forward.x`, `forward.epsilon`.
 *
 * Both directions of a call are one exchange, since the request says how its answer is to be written.
 */
import { jsonPointer, refuse, Refusal, type Path } from '../../refusal.js';
import { formatShape, sameShape, sizeOf, tensor, type Tensor } from '../../tensor/tensor.js';
import type { Body, TensorNames } from '../codec.js';
import { dotted, nest } from '../dotted.js';
import { isTensor, type Fields } from '../fields.js';
import { decodeFloats, decodeIntegers, preview } from '../json/read.js';
import { commonDtype, packings } from '../packed.js';
import { writeAnswer } from './answer.js';
import { datatypes, readRequest, type InferenceInput, type InferenceRequest, type ModelId } from './request.js';

/** The object that is nested in JSON. */
const FORWARD = 'forward';

/** Fields of a request that hold others. */
const FIELDS: Path = ['inputs', 'outputs', 'parameters'];

/** What the layers are as models; all of them, for none has ever been another one. */
const VERSION = '1';

export function modelId(layer: string, direction: 'forward' | 'backward'): ModelId {
  return { name: `${layer}_${direction}`, version: VERSION };
}

export interface Exchange {
  readonly body: Body;
  /** The answer's bytes in pieces: first the JSON part, then those of each tensor that is wanted as bytes. */
  readonly encode: (fields: Fields) => readonly Uint8Array[];
}

export interface InferenceCall {
  readonly model: ModelId;
  /** Length of the JSON part, where the client says it. */
  readonly jsonBytes: number | undefined;
  /** Names of the tensors in a request. */
  readonly names: TensorNames;
  /** Names of the tensors that an answer can have. */
  readonly results: readonly string[];
  /** How many arrays and objects may stand in each other, unless it is the codec's own limit. */
  readonly nesting: number | undefined;
}

/** @throws {Refusal} where the bytes are no inference request */
export function readInference(bytes: Buffer, { model, jsonBytes, names, results, nesting }: InferenceCall): Exchange {
  const request = readRequest(bytes, { model, jsonBytes, nesting });
  try {
    return {
      body: bodyOf(request, names, results),
      encode: (fields) => writeAnswer(fields, request, model),
    };
  } catch (error) {
    request.readRest();
    throw error;
  }
}

function bodyOf(request: InferenceRequest, names: TensorNames, results: readonly string[]): Body {
  const { parameters, inputs, outputs, readRest } = request;
  const byName = new Map(inputs.map((input) => [input.name, input]));
  const clash = Object.keys(parameters).find((name) => byName.has(name));
  if (clash !== undefined)
    throw refuse(
      'invalid-request',
      ['parameters', clash],
      `${preview(clash)} is both an input and a parameter; expected one of the two`,
    );
  const strange = outputs.find(({ name }) => !results.includes(name));
  if (strange)
    throw refuse(
      'invalid-request',
      strange.path,
      `${jsonPointer(strange.path)} asks for ${preview(strange.name)}; expected one of ${results.join(', ')}`,
    );
  const dtype = commonDtype(
    inputs.map(({ name, datatype, path }) => ({ name, dtype: datatypes[datatype], path: [...path, 'datatype'] })),
    { float64: 'FP64', float32: 'FP32', int32: 'INT64', uint8: 'UINT8' },
  );

  /** The input of that name, read as this. */
  const read = (path: Path, expected: keyof typeof packings): Tensor => {
    const input = byName.get(dotted(path));
    if (input && datatypes[input.datatype] === expected) return tensorOf(input);
    const wanted = Object.entries(datatypes).find(([, name]) => name === expected)?.[0];
    const came = input ? `${input.datatype} of shape ${formatShape(input.shape)}` : 'a parameter';
    throw refuse(
      'invalid-tensor',
      input ? [...input.path, 'datatype'] : path,
      `${dotted(path)} is ${came}; expected an input of ${wanted}`,
    );
  };

  const placeOf = (path: Path): Path => {
    // What is refused in the data of an input bears its place in the request already.
    if (path.length === 0 || (path.length > 1 && FIELDS.includes(path[0]))) return path;
    const depth = path[0] === FORWARD && path.length > 1 ? 2 : 1;
    const name = dotted(path.slice(0, depth));
    const input = byName.get(name);
    if (input) return placeIn(input, path.slice(depth));
    if (Object.hasOwn(parameters, name)) return ['parameters', name];
    const inside = inputs.find((other) => other.name.startsWith(`${name}.`));
    if (inside) return inside.path;
    // It is missing.
    const holder = (depth === 2 ? names[FORWARD] : names) as Readonly<Record<string, unknown>> | undefined;
    return holder?.[path[depth - 1]] === true ? ['inputs'] : ['parameters'];
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
    placeOf,
    expectResults(fields) {
      const there = Object.keys(fields).filter((name) => isTensor(fields[name]));
      const absent = outputs.find(({ name }) => !there.includes(name));
      if (absent)
        throw refuse(
          'value-mismatch',
          absent.path,
          `${jsonPointer(absent.path)} asks for ${absent.name}; expected one of ${there.join(', ')}, which this request gives`,
        );
    },
  };
}

/** An entry of an input; the whole of it where its numbers cannot be pointed at. */
function placeIn({ path, shape, data }: InferenceInput, entry: Path): Path {
  return 'json' in data && entry.length === 1 && shape.length === 1 ? [...path, 'data', ...entry] : path;
}

function tensorOf({ name, path, shape, datatype, data }: InferenceInput): Tensor {
  const dtype = datatypes[datatype];
  if ('bytes' in data) return tensor(shape, packings[dtype].read(data.bytes, name, path));
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
      ? `${name} has ${read.data.length} numbers; expected ${size}, because its shape is ${formatShape(shape)}`
      : `${name} has data nested as ${formatShape(read.shape)}; expected ${formatShape(shape)}, its shape, or ${size} numbers in one array`,
  );
}
