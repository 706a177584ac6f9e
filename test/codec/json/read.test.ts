import { describe, expect, it } from 'vitest';
import { decodeFloats, decodeIntegers, parseJson, preview } from '../../../src/codec/json/read.js';
import { jsonPointer, Refusal, type RefusalKind } from '../../../src/refusal.js';

function refusalOf(read: () => unknown): Refusal {
  try {
    read();
  } catch (error) {
    if (error instanceof Refusal) return error;
    throw error;
  }
  throw new Error('nothing was refused');
}

describe('a body', () => {
  const parse = (text: string) => parseJson(Buffer.from(text));

  it('is read as JSON.parse reads it', () => {
    expect(parse(' {"x": [1, -0.5e1, "NaN"], "ä": "\\u00e4€😀"}\n')).toEqual({ x: [1, -5, 'NaN'], ä: 'ä€😀' });
  });

  it('takes the last of equal names', () => {
    expect(parse('{"a":1,"b":2,"a":3}')).toEqual({ a: 3, b: 2 });
  });

  it('keeps minus zero, and reads a number beyond float64 as an infinity that tensors refuse', () => {
    const [zero, large] = parse('[-0,1e400]') as number[];
    expect(zero).toBe(-0);
    expect(large).toBe(Infinity);
  });

  it('gives __proto__ no meaning', () => {
    const value = parse('{"__proto__":{"x":1}}') as { x?: number };
    expect(Object.keys(value)).toEqual(['__proto__']);
    expect(value.x).toBeUndefined();
  });

  it.each<[string, Buffer, string]>([
    ['nothing', Buffer.of(), 'the body is empty; expected a JSON object'],
    ['Latin-1', Buffer.from('"é"', 'latin1'), 'the body is not UTF-8, as JSON must be'],
    ['half a code point', Buffer.from('"€"').subarray(0, 3), 'the body is not UTF-8, as JSON must be'],
    ['an overlong slash', Buffer.of(0x22, 0xc0, 0xaf, 0x22), 'the body is not UTF-8, as JSON must be'],
    ['UTF-16', Buffer.from('\uFEFF{}', 'utf16le'), 'the body is not UTF-8, as JSON must be'],
  ])('is refused: %s', (_name, bytes, message) => {
    const refusal = refusalOf(() => parseJson(bytes));
    expect({ kind: refusal.kind, message: refusal.message, places: refusal.places }).toEqual({
      kind: 'invalid-json',
      message,
      places: [],
    });
  });

  it.each(['{', '[1,]', 'NaN', "{'a':1}", '01', '"\t"', '\uFEFF{}', '{}x', '//\n{}'])('is refused: %j', (body) => {
    const refusal = refusalOf(() => parse(body));
    expect(refusal.kind).toBe('invalid-json');
    expect(refusal.message).toMatch(/^the body is not JSON: /);
  });

  it('may be nested 512 deep, and no deeper', () => {
    const nested = (depth: number) => '['.repeat(depth) + ']'.repeat(depth);
    expect(parse(nested(512))).toHaveLength(1);
    expect(() => parse(nested(513))).toThrow('the body is nested deeper than 512 arrays and objects');
    expect(() => parse('['.repeat(1e6))).toThrow('nested deeper than 512');
  });
});

describe('a tensor of numbers', () => {
  const read = (value: unknown, dtype: 'float64' | 'float32' = 'float64') => decodeFloats(value, dtype, ['x']);

  it('has the shape of its nesting and the dtype that is asked for', () => {
    expect(
      read([
        [1, 2, 3],
        [4, 5, 6],
      ]),
    ).toEqual({ dtype: 'float64', shape: [2, 3], data: Float64Array.of(1, 2, 3, 4, 5, 6) });
    expect(read([[[0.1]], [[-0]]], 'float32')).toEqual({
      dtype: 'float32',
      shape: [2, 1, 1],
      data: Float32Array.of(0.1, -0),
    });
  });

  it('may have 32 axes', () => {
    const nested = JSON.parse(`${'['.repeat(32)}7${']'.repeat(32)}`) as unknown;
    expect(read(nested).shape).toEqual(Array(32).fill(1));
  });

  it('takes the strings of what is not finite', () => {
    expect(read(['NaN', 'Infinity', '-Infinity', 0]).data).toEqual(Float64Array.of(NaN, Infinity, -Infinity, 0));
    expect(read(['-Infinity', 'NaN'], 'float32').data).toEqual(Float32Array.of(-Infinity, NaN));
  });

  it('takes the largest numbers of its dtype, and what rounds to them', () => {
    expect(read([1.7976931348623157e308, -1.7976931348623157e308]).data[1]).toBe(-Number.MAX_VALUE);
    expect(read([3.4028235e38, 3.4028235677e38], 'float32').data).toEqual(
      Float32Array.of(3.4028234663852886e38, 3.4028234663852886e38),
    );
  });

  it('takes numbers that are too small for its dtype as zero', () => {
    expect(read([1e-50, -1e-50], 'float32').data).toEqual(Float32Array.of(0, -0));
  });

  const ragged = 'ragged-tensor';
  const invalid = 'invalid-tensor';
  const beyond = 'number-out-of-range';

  it.each<[unknown, RefusalKind, string]>([
    [1, invalid, '/x'],
    [null, invalid, '/x'],
    [{ 0: 1, length: 1 }, invalid, '/x'],
    [[], invalid, '/x'],
    [[[]], invalid, '/x/0'],
    [[[1], []], invalid, '/x/1'],
    [[[[1]], [[]]], invalid, '/x/1/0'],
    [[1, null], invalid, '/x/1'],
    [[1, true], invalid, '/x/1'],
    [[1, '1'], invalid, '/x/1'],
    [[1, 'nan'], invalid, '/x/1'],
    [[1, {}], invalid, '/x/1'],
    [[[1, 2], null], invalid, '/x/1'],
    [[[1, 2], 3], ragged, '/x/1'],
    [[1, [2]], ragged, '/x/1'],
    [[[1, 2], [3]], ragged, '/x/1'],
    [[[1], [2, 3]], ragged, '/x/1'],
    [
      [
        [[1, 2]],
        [
          [3, 4],
          [5, 6],
        ],
      ],
      ragged,
      '/x/1',
    ],
    [[[[1, 2]], [[3]]], ragged, '/x/1/0'],
    [[[[[1], [2]]], [[[3], 4]]], ragged, '/x/1/0/1'],
    [[[[[1], [2]]], [[[3], [[4]]]]], ragged, '/x/1/0/1/0'],
    [[1, Infinity], beyond, '/x/1'],
    [[[1], [-Infinity]], beyond, '/x/1/0'],
  ])('refuses %j: %s at %s', (value, kind, pointer) => {
    const refusal = refusalOf(() => read(value));
    expect({ kind: refusal.kind, pointers: refusal.places.map(({ path }) => jsonPointer(path)) }).toEqual({
      kind,
      pointers: [pointer],
    });
    expect(refusal.message.startsWith(pointer)).toBe(true);
  });

  it.each([3.5e38, -3.5e38, 1e300, 3.4028236e38])('refuses %d in float32', (value) => {
    expect(refusalOf(() => read([0, value], 'float32')).message).toBe(
      '/x/1 is beyond the range of float32 (about ±3.4e38); an infinity is written "Infinity"',
    );
  });

  it('points into the body from where the tensor stands', () => {
    const refusal = refusalOf(() => decodeFloats([1, 'a'], 'float64', ['forward', 'a/b']));
    expect(refusal.message).toMatch(/^\/forward\/a~1b\/1 is "a"; expected a number/);
  });

  it('allocates nothing of a size that the first entries alone claim', () => {
    // 10 000 ^ 5 elements by its first entries; 50 000 are there.
    const wide = Array<unknown>(10_000).fill(1);
    let value: unknown = wide;
    for (let axis = 0; axis < 4; axis++) value = [value, ...Array<unknown>(9_999).fill(0)];
    const refusal = refusalOf(() => read(value));
    expect(refusal.kind).toBe(ragged);
    expect(refusal.message).toBe('/x/0/0/0/1 is 0; expected an array of 10000, as /x/0/0/0/0 is');
  });

  it('refuses one that is nested deeper, however deep', () => {
    for (const depth of [33, 100_000]) {
      const nested = JSON.parse(`${'['.repeat(depth)}7${']'.repeat(depth)}`) as unknown;
      expect(refusalOf(() => read(nested)).message).toBe('/x is nested deeper than 32 arrays');
    }
  });
});

describe('a tensor of integers', () => {
  const read = (value: unknown) => decodeIntegers(value, ['lengths']);

  it('holds integers of 32 bits', () => {
    expect(read([[-(2 ** 31), 0, 2 ** 31 - 1]])).toEqual({
      dtype: 'int32',
      shape: [1, 3],
      data: Int32Array.of(-(2 ** 31), 0, 2 ** 31 - 1),
    });
  });

  it.each<[unknown, string]>([
    [1.5, '/lengths/1 is 1.5; expected an integer'],
    ['1', '/lengths/1 is "1"; expected an integer'],
    ['NaN', '/lengths/1 is "NaN"; expected an integer'],
    [null, '/lengths/1 is null; expected an integer'],
    [Infinity, '/lengths/1 is Infinity; expected an integer'],
    [2 ** 31, '/lengths/1 is 2147483648; expected an integer of 32 bits'],
    [-1e300, '/lengths/1 is -1e+300; expected an integer of 32 bits'],
    [[1], '/lengths/1 is an array of 1; expected an integer, as /lengths/0 is'],
  ])('refuses %j', (entry, message) => {
    expect(refusalOf(() => read([1, entry])).message).toBe(message);
  });
});

describe('what came, in a few words', () => {
  it.each<[unknown, string]>([
    [null, 'null'],
    [false, 'false'],
    [-0.5, '-0.5'],
    [[], 'an empty array'],
    [[1, 2, 3], 'an array of 3'],
    [{ x: 1 }, 'an object'],
    ['a "word"', '"a \\"word\\""'],
    ['x'.repeat(1e6), `"${'x'.repeat(40)}…"`],
  ])('is never longer than a line: %#', (value, shown) => {
    expect(preview(value)).toBe(shown);
  });
});
