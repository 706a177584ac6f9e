/** Requests of the Open Inference Protocol as the clients of Triton and KServe write them, and their answers. */
import type { TProperties } from '@sinclair/typebox';
import { expect } from 'vitest';
import type { FloatDtype } from '../../src/tensor/tensor.js';
import { expectProblem, type Refused } from './problem.js';
import { schemasOf, type Body, type LayerName } from './requests.js';
import type { Service } from './service.js';

export interface Input {
  readonly name: string;
  readonly shape: readonly number[];
  readonly datatype: string;
  readonly data?: unknown;
  readonly parameters?: Body;
}

export interface Inference {
  readonly id?: string;
  readonly parameters?: Body;
  readonly inputs: readonly Input[];
  readonly outputs?: readonly Body[];
}

/** The format of an input's values. */
export type Way = 'nested' | 'flat' | 'binary';

export interface Encoded {
  readonly body: Buffer;
  /** The length of the JSON part; undefined if there is nothing else. */
  readonly jsonBytes?: number;
}

function shapeOf(data: unknown): number[] {
  return Array.isArray(data) ? [data.length, ...shapeOf(data[0])] : [];
}

function flat(data: unknown): unknown[] {
  return (data as unknown[]).flat(32);
}

/** The values of a tensor, as by NumPy's `tobytes`. */
export function bytesOf(data: unknown, datatype: string): Buffer {
  const numbers = flat(data).map(Number);
  const size = datatype.endsWith('32') ? 4 : 8;
  const bytes = Buffer.alloc(numbers.length * size);
  numbers.forEach((number, i) => {
    if (datatype === 'FP32') bytes.writeFloatLE(number, i * size);
    else if (datatype === 'FP64') bytes.writeDoubleLE(number, i * size);
    else if (datatype === 'INT32') bytes.writeInt32LE(number, i * size);
    else bytes.writeBigInt64LE(BigInt(number), i * size);
  });
  return bytes;
}

/** Converts a request of a layer's JSON route to one of its model. */
export function inferenceOf(layer: LayerName, request: Body, dtype: FloatDtype): Inference {
  const { inputs, upstream } = schemasOf(layer);
  const tensors: TProperties = { ...inputs.properties, ...upstream.properties };
  const found: Input[] = [];
  const parameters: Record<string, unknown> = {};
  const walk = (fields: Body, prefix: string) => {
    for (const [name, value] of Object.entries(fields))
      if (name === 'forward') walk(value as Body, 'forward.');
      else if (name in tensors) {
        const datatype = tensors[name]['x-tensor'] === 'integer' ? 'INT64' : dtype === 'float64' ? 'FP64' : 'FP32';
        found.push({ name: prefix + name, shape: shapeOf(value), datatype, data: value });
      } else parameters[prefix + name] = Array.isArray(value) ? JSON.stringify(value) : value;
  };
  walk(request, '');
  return { inputs: found, parameters };
}

/** The bytes of a request, with each input in its format. */
export function encode(request: Inference, way: (index: number) => Way): Encoded {
  const tails: Buffer[] = [];
  const inputs = request.inputs.map((input, i) => {
    const { data, ...rest } = input;
    if (way(i) === 'nested') return input;
    if (way(i) === 'flat') return { ...input, data: flat(data) };
    const bytes = bytesOf(data, input.datatype);
    tails.push(bytes);
    return { ...rest, parameters: { binary_data_size: bytes.length } };
  });
  const json = Buffer.from(JSON.stringify({ ...request, inputs }));
  return tails.length === 0 ? { body: json } : { body: Buffer.concat([json, ...tails]), jsonBytes: json.length };
}

export interface Output {
  readonly name: string;
  readonly datatype: string;
  readonly shape: readonly number[];
  readonly parameters?: { readonly binary_data_size: number };
  readonly data?: unknown[];
  /** As Triton's client returns them; strings for values that are not finite become numbers. */
  readonly numbers: readonly number[];
}

export interface InferenceAnswer {
  readonly model_name: string;
  readonly model_version: string;
  readonly id?: string;
  readonly parameters?: { readonly session?: string; readonly seed?: number };
  readonly outputs: readonly Output[];
}

/** Reads an answer as Triton's client does: the outputs take their bytes behind the JSON part in order. */
export function decode(bytes: Buffer, header: string | null): InferenceAnswer {
  const length = header === null ? bytes.length : Number(header);
  const answer = JSON.parse(bytes.toString('utf8', 0, length)) as InferenceAnswer;
  let at = length;
  const outputs = answer.outputs.map((output) => {
    const size = output.parameters?.binary_data_size;
    if (size === undefined) return { ...output, numbers: (output.data ?? []).map(Number) };
    const own = bytes.subarray(at, at + size);
    at += size;
    const width = output.datatype === 'FP32' ? 4 : 8;
    const numbers = Array.from({ length: own.length / width }, (_, i) => {
      if (output.datatype === 'FP32') return own.readFloatLE(i * width);
      return output.datatype === 'FP64' ? own.readDoubleLE(i * width) : Number(own.readBigInt64LE(i * width));
    });
    return { ...output, numbers };
  });
  if (at !== bytes.length) throw new Error(`${bytes.length - at} bytes are no output's`);
  return { ...answer, outputs };
}

export const BINARY = 'application/octet-stream';

export interface Sent {
  readonly status: number;
  readonly headers: Headers;
  readonly bytes: Buffer;
  /** The same request from a client that accepts problem details. */
  readonly asProblem: () => Promise<Sent>;
}

/** Posts to the models of a service. */
export function inferring(service: () => Pick<Service, 'url'>) {
  async function send(path: string, { body, jsonBytes }: Encoded, headers: Record<string, string> = {}): Promise<Sent> {
    const length = jsonBytes === undefined ? {} : { 'inference-header-content-length': String(jsonBytes) };
    const response = await fetch(`${service().url}/v2/models/${path}`, {
      method: 'POST',
      headers: { ...length, ...headers },
      body: new Uint8Array(body),
    });
    const accept = ['accept' in headers ? headers.accept : '*/*', 'application/problem+json'].join(', ');
    return {
      status: response.status,
      headers: response.headers,
      bytes: Buffer.from(await response.arrayBuffer()),
      asProblem: () => send(path, { body, ...(jsonBytes === undefined ? {} : { jsonBytes }) }, { ...headers, accept }),
    };
  }

  async function infer(model: string, encoded: Encoded, headers?: Record<string, string>): Promise<InferenceAnswer> {
    const sent = await send(`${model}/infer`, encoded, headers);
    expect(sent.status, sent.bytes.toString()).toBe(200);
    const length = sent.headers.get('inference-header-content-length');
    expect(sent.headers.get('content-type')).toBe(length === null ? 'application/json' : BINARY);
    return decode(sent.bytes, length);
  }

  return { send, infer };
}

export const inJson = (request: unknown): Encoded => ({ body: Buffer.from(JSON.stringify(request)) });

/** Expects the protocol's error and nothing else, and the same as problem details for clients that accept them. */
export async function expectRefused({ status, headers, bytes, asProblem }: Sent, expected: Refused): Promise<void> {
  const problem = await asProblem();
  const body = JSON.parse(problem.bytes.toString()) as { detail: string };
  expectProblem({ status: problem.status, headers: Object.fromEntries(problem.headers), body }, expected);
  expect(headers.get('content-type')).toBe('application/json');
  expect([status, JSON.parse(bytes.toString())]).toEqual([expected.status, { error: body.detail }]);
}

/** A valid request of linear, in its parts. */
export const x = { name: 'x', shape: [2, 3], datatype: 'FP64', data: [1, 2, 3, 4, 5, 6] };
export const weight = { name: 'weight', shape: [1, 3], datatype: 'FP64', data: [[0.5, 0, -0.5]] };
export const linear = { inputs: [x, weight], parameters: { session: false } };
export const inputs = (...changed: object[]) => ({ ...linear, inputs: changed });
