import { describe, expect, it } from 'vitest';
import type { Fields } from '../../src/codec/fields.js';
import { json } from '../../src/codec/json/json.js';
import { readSafetensors } from '../../src/codec/safetensors/read.js';
import { safetensors } from '../../src/codec/safetensors/safetensors.js';
import type { FloatDtype, Tensor } from '../../src/tensor/tensor.js';
import { binary } from '../support/binary.js';
import { good } from '../support/requests.js';
import { serveAll } from '../support/service.js';

const JSON_TYPE = 'application/json';
const SAFETENSORS = 'application/vnd.safetensors';
const service = serveAll();

async function post(path: string, contentType: string, body: Uint8Array | string, accept?: string) {
  const headers = { 'content-type': contentType, ...(accept === undefined ? {} : { accept }) };
  const response = await fetch(`${service().url}/${path}`, { method: 'POST', headers, body: body as string });
  return { response, bytes: Buffer.from(await response.arrayBuffer()) };
}

/** Expects a binary answer to have the tensors of a JSON answer, bit for bit. */
function expectSame(text: Buffer, file: Buffer, dtype: FloatDtype): void {
  const { tensors, metadata } = readSafetensors(file);
  const answer = json.decode(text);
  const names = Object.keys(answer.values as object);
  expect(Object.keys({ ...tensors, ...metadata }).sort()).toEqual(names.sort());
  for (const [name, tensor] of Object.entries(tensors)) {
    const expected: Tensor = name === 'indices' ? answer.integers([name]) : answer.floats([name], dtype);
    expect(tensor.shape).toEqual(expected.shape);
    expect(tensor.data).toEqual(expected.data);
  }
}

describe.each(Object.keys(good) as (keyof typeof good)[])('%s in binary', (name) => {
  it.each(['float64', 'float32'] as const)('returns the same %s as JSON, bit for bit', async (dtype) => {
    const { forward, backward } = good[name];
    const stateless = { forward: { ...forward, dtype }, ...backward };
    const asked = [
      ['forward', { ...forward, session: false }, { ...forward, dtype, session: false }],
      ['backward', { forward, ...backward }, stateless],
    ] as const;
    for (const [direction, inBinary, inJson] of asked) {
      const file = await post(`${name}/${direction}`, SAFETENSORS, binary(inBinary, dtype));
      expect(file.response.status, file.bytes.toString()).toBe(200);
      expect(file.response.headers.get('content-type')).toBe(SAFETENSORS);
      const text = await post(`${name}/${direction}`, JSON_TYPE, JSON.stringify(inJson));
      expectSame(text.bytes, file.bytes, dtype);
    }
  });

  it('mixes the formats over one session, as Accept requests', async () => {
    const { forward, backward } = good[name];
    const first = await post(name, SAFETENSORS, binary(forward, 'float64'), JSON_TYPE);
    expect(first.response.headers.get('content-type')).toContain(JSON_TYPE);
    const { session } = JSON.parse(first.bytes.toString()) as { session: string };
    const text = await post(`${name}/backward`, JSON_TYPE, JSON.stringify({ session, ...backward }));
    const file = await post(`${name}/backward`, JSON_TYPE, JSON.stringify({ session, ...backward }), SAFETENSORS);
    const both = await post(`${name}/backward`, SAFETENSORS, binary({ session, ...backward }, 'float64'), '*/*');
    expectSame(text.bytes, file.bytes, 'float64');
    expect(both.bytes).toEqual(file.bytes);
  });
});

describe('a wrong binary request', () => {
  const x = { shape: [1, 2], data: Float64Array.of(1, 2) } as const;
  const weight = { shape: [1, 2], data: Float64Array.of(1, 2) } as const;
  const linear = { x, weight };
  const encode = (fields: Fields) => Buffer.concat(safetensors.encode(fields));

  it.each([
    ['bytes that are no file', Buffer.from('{}'), 400, 'invalid-safetensors', 'the body has 2 bytes'],
    ['an unknown tensor', encode({ ...linear, y: x }), 400, 'invalid-request', '/y is unknown'],
    ['an unknown option', encode({ ...linear, rate: 1 }), 400, 'invalid-request', '/rate is unknown'],
    ['a missing tensor', encode({ x }), 400, 'invalid-request', '/weight is missing'],
    [
      'another dtype than the tensors have',
      encode({ ...linear, dtype: 'float32' }),
      400,
      'invalid-request',
      'dtype is float32; expected float64',
    ],
    [
      'a tensor in the place of an option',
      encode({ ...linear, session: x }),
      400,
      'invalid-request',
      '/session is an object',
    ],
    [
      'shapes that do not fit',
      encode({ x: { ...x, shape: [2, 1] }, weight }),
      422,
      'shape-mismatch',
      'weight has shape [1, 2]; expected [1, 1]',
    ],
  ])('is refused as a problem: %s', async (_what, body, status, type, words) => {
    const { response, bytes } = await post('linear', SAFETENSORS, body);
    expect(response.status).toBe(status);
    expect(response.headers.get('content-type')).toBe('application/problem+json');
    const problem = JSON.parse(bytes.toString()) as { type: string; detail: string };
    expect(problem.type).toBe(`/problems/${type}`);
    expect(problem.detail).toContain(words);
  });

  it("refuses a gradient with a dtype other than the session's", async () => {
    const { bytes } = await post('linear', SAFETENSORS, encode(linear));
    const { session } = readSafetensors(bytes).metadata as { session: string };
    const dout = { shape: [1, 1], data: Float32Array.of(1) } as const;
    const refused = await post('linear/backward', SAFETENSORS, encode({ session, dout }));
    expect(refused.response.status).toBe(400);
    expect(refused.bytes.toString()).toContain('dout is F32 of shape [1, 1]; expected a tensor of F64');
  });
});
