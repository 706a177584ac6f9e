import { describe, expect, it } from 'vitest';
import { safetensors } from '../../src/codec/safetensors/safetensors.js';
import { readSafetensors } from '../../src/codec/safetensors/read.js';
import { Refusal } from '../../src/refusal.js';
import { tensor } from '../../src/tensor/tensor.js';

/** A file with this header, followed by `padding` spaces, and this data. */
function file(header: unknown, data: Uint8Array = new Uint8Array(0), padding = 0): Buffer {
  const text = Buffer.from((typeof header === 'string' ? header : JSON.stringify(header)) + ' '.repeat(padding));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.byteLength));
  return Buffer.concat([length, text, data]);
}

const bytesOf = (data: ArrayBufferView) => new Uint8Array(data.buffer, data.byteOffset, data.byteLength);

function refusal(work: () => unknown): Refusal {
  try {
    work();
  } catch (error) {
    if (error instanceof Refusal) return error;
    throw error;
  }
  throw new Error('nothing was refused');
}

describe('reading safetensors', () => {
  const values = Float64Array.of(1.5, -0, NaN, Infinity, 5e-324, 1 / 3);

  it.each([0, 1, 2, 3, 4, 5, 6, 7])('reads the same values if the data starts %d bytes off alignment', (padding) => {
    const header = { x: { dtype: 'F64', shape: [2, 3], data_offsets: [0, 48] } };
    const { x } = readSafetensors(file(header, bytesOf(values), padding)).tensors;
    expect(x.shape).toEqual([2, 3]);
    expect(x.data).toEqual(values);
  });

  it.each([0, 1, 2, 3])('reads 32-bit integers if the data starts %d bytes off alignment', (padding) => {
    const values = Int32Array.of(0, 3, -1, 2 ** 31 - 1, -(2 ** 31));
    const header = { lengths: { dtype: 'I32', shape: [5], data_offsets: [0, 20] } };
    const bytes = file(header, bytesOf(values), padding);
    expect(readSafetensors(bytes).tensors.lengths).toEqual({ shape: [5], data: values });
    expect(safetensors.decode(bytes).integers(['lengths']).data).toEqual(values);
    expect(refusal(() => safetensors.decode(bytes).floats(['lengths'], 'float64')).message).toBe(
      'lengths is I32 of shape [5]; expected a tensor of F64',
    );
  });

  it('reads float32, 64-bit integers, and metadata as JSON text', () => {
    const header = {
      __metadata__: { epsilon: '1e-5', session: '"abc"', padding: '[[1,2]]' },
      lengths: { dtype: 'I64', shape: [2], data_offsets: [8, 24] },
      x: { dtype: 'F32', shape: [1, 2], data_offsets: [0, 8] },
    };
    const data = Buffer.concat([bytesOf(Float32Array.of(1, 0.1)), bytesOf(BigInt64Array.of(3n, -1n))]);
    const { tensors, metadata } = readSafetensors(file(header, data));
    expect(tensors.x.data).toEqual(Float32Array.of(1, 0.1));
    expect(tensors.lengths.data).toEqual(Int32Array.of(3, -1));
    expect(metadata).toEqual({ epsilon: 1e-5, session: 'abc', padding: [[1, 2]] });
  });

  const f64 = (shape: unknown, offsets: unknown) => ({ x: { dtype: 'F64', shape, data_offsets: offsets } });
  it.each([
    ['an empty body', Buffer.alloc(0), 'invalid-safetensors', 'the body has 0 bytes; expected at least 8'],
    [
      'a header longer than the body',
      Buffer.from('ffffffffffffffff7b7d', 'hex'),
      'invalid-safetensors',
      'at most 2, the number of bytes that follow',
    ],
    ['a header that is not JSON', file('{"x":'), 'invalid-safetensors', 'in the header, the body is not JSON'],
    ['a header that is no object', file([]), 'invalid-safetensors', 'expected a JSON object'],
    [
      'a dtype that is not spoken',
      file({ x: { dtype: 'BF16', shape: [1], data_offsets: [0, 2] } }),
      'invalid-tensor',
      '"BF16"; expected one of F64, F32, I64, I32',
    ],
    [
      'a dtype out of the prototype',
      file({ x: { dtype: 'toString', shape: [1], data_offsets: [0, 2] } }),
      'invalid-tensor',
      '"toString"',
    ],
    ...['null', '1', '1e-400', '[]'].map((entry): [string, Buffer, string, string] => [
      `an entry that is no object: ${entry}`,
      file(`{"x":${entry}}`),
      'invalid-tensor',
      `x is ${entry === '[]' ? 'an empty array' : entry}; expected an object with dtype, shape and data_offsets`,
    ]),
    [
      'a header that is a number',
      file('1e-400'),
      'invalid-safetensors',
      'the header is 1e-400; expected a JSON object',
    ],
    [
      'metadata that are a number',
      file('{"__metadata__":1e-400}'),
      'invalid-safetensors',
      '__metadata__ is 1e-400; expected an object of strings',
    ],
    [
      'a size that is no integer',
      file('{"x":{"dtype":"F64","shape":[2,1.00000000000000000001],"data_offsets":[0,16]}}'),
      'invalid-tensor',
      'x has shape [2, 1.00000000000000000001]; expected 1 to 32 axes',
    ],
    [
      'an offset that is no integer',
      file('{"x":{"dtype":"F64","shape":[2],"data_offsets":[1e-400,16]}}'),
      'invalid-tensor',
      'x has data_offsets [1e-400, 16]; expected [begin, end]',
    ],
    ['a scalar', file(f64([], [0, 8]), new Uint8Array(8)), 'invalid-tensor', 'expected 1 to 32 axes'],
    ['33 axes', file(f64(Array(33).fill(1), [0, 8]), new Uint8Array(8)), 'invalid-tensor', 'expected 1 to 32 axes'],
    ['an empty axis', file(f64([2, 0], [0, 0])), 'invalid-tensor', 'none of size 0'],
    ['a negative size', file(f64([-1], [0, 8]), new Uint8Array(8)), 'invalid-tensor', 'x has shape [-1]'],
    ['offsets that are none', file(f64([1], [0]), new Uint8Array(8)), 'invalid-tensor', 'expected [begin, end]'],
    [
      'offsets that do not fit the shape',
      file(f64([2], [0, 8]), new Uint8Array(8)),
      'invalid-tensor',
      'x has 8 bytes at data_offsets [0, 8]; expected 16, because it is F64 of shape [2]',
    ],
    [
      'offsets past the end',
      file(f64([2], [0, 16]), new Uint8Array(8)),
      'invalid-safetensors',
      'the tensors have 16 bytes in total; expected 8',
    ],
    [
      'a hole before a tensor',
      file(f64([1], [8, 16]), new Uint8Array(16)),
      'invalid-tensor',
      'x begins at byte 8 of the data; expected 0',
    ],
    [
      'bytes after the last tensor',
      file(f64([1], [0, 8]), new Uint8Array(9)),
      'invalid-safetensors',
      'the tensors have 8 bytes in total; expected 9',
    ],
    [
      'tensors that overlap',
      file({ ...f64([1], [0, 8]), y: { dtype: 'F64', shape: [1], data_offsets: [0, 8] } }, new Uint8Array(8)),
      'invalid-tensor',
      'y begins at byte 0 of the data; expected 8',
    ],
    [
      'metadata that are no object',
      file({ __metadata__: 'x' }),
      'invalid-safetensors',
      '__metadata__ is "x"; expected an object of strings',
    ],
    [
      'a metadata value that is no string',
      file({ __metadata__: { epsilon: 1 } }),
      'invalid-request',
      '__metadata__.epsilon is 1; expected a string',
    ],
    [
      // JSON.parse would take 8 s for it.
      'a metadata value that is nested without end',
      file({ __metadata__: { stride: '['.repeat(2 ** 24) } }),
      'invalid-request',
      'expected JSON text',
    ],
    [
      'a metadata value that is no JSON text',
      file({ __metadata__: { mode: 'max' } }),
      'invalid-request',
      '__metadata__.mode is "max"; expected JSON text',
    ],
    [
      'two tensors of one name',
      file('{"x":{"dtype":"F64","shape":[1],"data_offsets":[0,8]},"\\u0078":{}}', new Uint8Array(8)),
      'duplicate-name',
      'in the header, /x occurs twice; expected each name once',
    ],
    [
      'a tensor with two shapes',
      file('{"x":{"dtype":"F64","shape":[1],"shape":[1],"data_offsets":[0,8]}}', new Uint8Array(8)),
      'duplicate-name',
      'in the header, /x/shape occurs twice; expected each name once',
    ],
    [
      'two metadata values of one name',
      file('{"__metadata__":{"epsilon":"1","epsilon":"2"}}'),
      'duplicate-name',
      'in the header, /__metadata__/epsilon occurs twice; expected each name once',
    ],
    [
      'a metadata value with a repeated name',
      file({ __metadata__: { forward: '{"epsilon":1,"epsilon":2}' } }),
      'duplicate-name',
      'in __metadata__.forward, /epsilon occurs twice; expected each name once',
    ],
    [
      'an integer with more than 32 bits',
      file({ n: { dtype: 'I64', shape: [1], data_offsets: [0, 8] } }, bytesOf(BigInt64Array.of(2n ** 40n))),
      'invalid-tensor',
      'expected 32-bit integers',
    ],
  ])('refuses %s', (_what, bytes, kind, words) => {
    const refused = refusal(() => readSafetensors(bytes));
    expect(refused.kind).toBe(kind);
    expect(refused.message).toContain(words);
  });
});

describe('a body as safetensors', () => {
  it('takes its dtype from its float tensors, which must share one', () => {
    const header = {
      x: { dtype: 'F32', shape: [1], data_offsets: [0, 4] },
      y: { dtype: 'F64', shape: [1], data_offsets: [4, 12] },
    };
    const refused = refusal(() => safetensors.decode(file(header, new Uint8Array(12))));
    expect(refused.message).toBe('y is F64; expected F32, as x is');
  });

  it('nests dotted names', () => {
    const header = {
      'forward.x': { dtype: 'F64', shape: [1], data_offsets: [0, 8] },
      __metadata__: { 'forward.epsilon': '1', release: 'false' },
    };
    const body = safetensors.decode(file(header, new Uint8Array(8)));
    expect(body.values).toMatchObject({ forward: { epsilon: 1 }, release: false });
    expect(body.floats(['forward', 'x'], 'float64').shape).toEqual([1]);
  });

  // `save_file(tensors, path, metadata={"format": "pt"})`, as written by huggingface_hub and transformers.
  it.each(['pt', 'np', 'tf', 'flax', 'mlx'])('may state the format %s, which is not an option', (format) => {
    const body = safetensors.decode(file({ __metadata__: { format, epsilon: '1e-5' } }));
    expect(body.values).toEqual({ epsilon: 1e-5 });
  });

  it('reads a number beyond float64 as one that no option accepts', () => {
    expect(safetensors.decode(file({ __metadata__: { epsilon: '1e400' } })).values).toEqual({ epsilon: Infinity });
  });

  it('refuses a name that occurs both with and without a dot', () => {
    const twice = file({ __metadata__: { forward: '{}', 'forward.epsilon': '1' } });
    expect(refusal(() => safetensors.decode(twice)).message).toContain('forward and forward.… are both present');
  });

  it('refuses a name that is both a tensor and an option', () => {
    const header = { x: { dtype: 'F64', shape: [1], data_offsets: [0, 8] }, __metadata__: { x: '1' } };
    const refused = refusal(() => safetensors.decode(file(header, new Uint8Array(8))));
    expect(refused.kind).toBe('duplicate-name');
    expect(refused.message).toContain('x is both a tensor');
  });

  it('refuses a tensor of another element type, and a value instead of a tensor', () => {
    const header = { x: { dtype: 'F64', shape: [1], data_offsets: [0, 8] }, __metadata__: { lengths: '[1]' } };
    const body = safetensors.decode(file(header, new Uint8Array(8)));
    expect(refusal(() => body.floats(['x'], 'float32')).message).toBe(
      'x is F64 of shape [1]; expected a tensor of F32',
    );
    expect(refusal(() => body.integers(['lengths'])).message).toBe(
      'lengths is in __metadata__; expected a tensor of I64 or I32',
    );
  });

  it('does not mistake a prototype for a nested request', () => {
    const body = safetensors.decode(file({ __metadata__: { '__proto__.x': '1' } }));
    expect(({} as { x?: number }).x).toBeUndefined();
    expect(Object.keys(body.values as object)).toEqual(['__proto__']);
  });
});

describe('writing safetensors', () => {
  const written = (fields: Parameters<typeof safetensors.encode>[0]) =>
    readSafetensors(Buffer.concat(safetensors.encode(fields)));

  it('writes tensors that read back equal, and aligned', () => {
    const x = tensor([2, 2], Float64Array.of(1, -0, NaN, 1 / 3));
    const pieces = safetensors.encode({ x, session: 'token', seed: 7, zero: -0 });
    expect(pieces[0].byteLength % 8).toBe(0);
    expect(Buffer.from(pieces[0]).toString()).toContain('"zero":"-0.0"');
    expect(pieces[1].buffer).toBe(x.data.buffer);
    const { tensors, metadata } = written({ x, session: 'token', seed: 7 });
    expect(tensors.x.data).toEqual(x.data);
    expect(metadata).toEqual({ session: 'token', seed: 7 });
  });

  it('writes a mask in the dtype of the other tensors, and integers as I64', () => {
    const out = tensor([2], Float32Array.of(1, 2));
    const { tensors } = written({
      out,
      mask: tensor([2], Uint8Array.of(1, 0)),
      indices: tensor([1], Int32Array.of(-5)),
    });
    expect(tensors.mask.data).toEqual(Float32Array.of(1, 0));
    expect(tensors.indices.data).toEqual(Int32Array.of(-5));
  });
});
