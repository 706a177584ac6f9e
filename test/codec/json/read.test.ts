import { describe, expect, it } from 'vitest';
import { decodeFloats, decodeIntegers, parseJson } from '../../../src/codec/json/read.js';
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

  it.each([
    ['{"a":1,"b":2,"a":3}', '/a'],
    ['{"a":1,"\\u0061":1}', '/a'],
    ['{"ä":1,"\\u00E4":1}', '/ä'],
    ['{"😀":1,"\\ud83d\\ude00":1}', '/😀'],
    ['{"\\/":1,"/":1}', '/~1'],
    ['{"":1,"":1}', '/'],
    ['{"__proto__":1,"__proto__":1}', '/__proto__'],
    ['{"constructor":1,"constructor":1}', '/constructor'],
    ['{"a":[0,{"b":{"1":1,"c":2,"1":3}}]}', '/a/1/b/1'],
    ['[{"a":1},{"a":1,"a":2}]', '/1/a'],
    ['{"a":{"b":1,"b":2},"a":3}', '/a/b'],
  ])('must not repeat a name within an object: %s', (text, pointer) => {
    const refusal = refusalOf(() => parse(text));
    expect(refusal.kind).toBe('duplicate-name');
    expect(refusal.message).toBe(`${pointer} occurs twice; expected each name once`);
    expect(refusal.places.map(({ path }) => jsonPointer(path))).toEqual([pointer]);
  });

  it('may use the same name in several objects', () => {
    expect(parse('{"a":{"a":[{"a":1},{"a":1}]},"A":1,"toString":2}')).toEqual({
      a: { a: [{ a: 1 }, { a: 1 }] },
      A: 1,
      toString: 2,
    });
  });

  it('is refused as invalid JSON rather than for a repeated name', () => {
    expect(refusalOf(() => parse('{"a":1,"a":2')).kind).toBe('invalid-json');
  });

  it('may contain an escaped lone surrogate, as in JSON.parse', () => {
    expect(parse('"\\ud800"')).toBe('\ud800');
  });

  it.each([
    ['{"x":[1,NaN]}', 'NaN at byte 8 for /x/1 is not a JSON number; expected the string "NaN"'],
    ['{"x":[Infinity]}', 'Infinity at byte 6 for /x/0 is not a JSON number; expected the string "Infinity"'],
    ['{"x":[-Infinity]}', '-Infinity at byte 6 for /x/0 is not a JSON number; expected the string "-Infinity"'],
    ['{"x":[nan]}', 'nan at byte 6 for /x/0 is not a JSON number; expected the string "NaN"'],
    ['[inf]', 'inf at byte 1 for /0 is not a JSON number; expected the string "Infinity"'],
    ['-inf', '-inf at byte 0 is not a JSON number; expected the string "-Infinity"'],
    ['{"a":tru}', '"tru" at byte 5; expected a value for /a'],
    ['{"a":1,}', '"}" at byte 7; expected a name in double quotes for /a'],
    ['{"a" 1}', '"1" at byte 5; expected ":" for /a'],
    ['[1 2]', '"2" at byte 3; expected "," or "]" for /0'],
    ['[1,', 'it ends at byte 3; expected a value for /1'],
    ['[1]x', '"x" at byte 3; expected the end of the text'],
    ['"\\x"', '"x" at byte 2; expected one of " \\ / b f n r t u after a backslash'],
    ['"\\u12', 'it ends at byte 5; expected four hexadecimal digits after \\u'],
    ['"a', 'it ends at byte 2; expected a string without control characters, and its end'],
    ['1.e5', '"e5" at byte 2; expected a digit'],
  ])('is refused with the received value, the expected value and the position: %s', (text, words) => {
    expect(refusalOf(() => parse(text)).message).toBe(`the body is not JSON: ${words}`);
  });

  it('keeps negative zero, and reads a number beyond float64 as an infinity that tensors refuse', () => {
    const [zero, large] = parse('[-0,1e400]') as number[];
    expect(zero).toBe(-0);
    expect(large).toBe(Infinity);
  });

  it('treats __proto__ as an ordinary name', () => {
    const value = parse('{"__proto__":{"x":1}}') as { x?: number };
    expect(Object.keys(value)).toEqual(['__proto__']);
    expect(value.x).toBeUndefined();
  });

  it.each<[string, Buffer, string]>([
    ['nothing', Buffer.of(), 'the body is empty; expected a JSON object'],
    ['Latin-1', Buffer.from('"é"', 'latin1'), 'the body is not UTF-8, as JSON must be'],
    ['half a code point', Buffer.from('"€"').subarray(0, 3), 'the body is not UTF-8, as JSON must be'],
    ['an overlong slash', Buffer.of(0x22, 0xc0, 0xaf, 0x22), 'the body is not UTF-8, as JSON must be'],
    [
      'UTF-16',
      Buffer.from('\uFEFF{}', 'utf16le'),
      'the body begins with the byte-order mark of UTF-16; expected JSON in UTF-8',
    ],
    [
      'a byte-order mark',
      Buffer.from('\uFEFF{}'),
      'the body begins with a byte-order mark (EF BB BF); expected JSON without one',
    ],
  ])('is refused: %s', (_name, bytes, message) => {
    const refusal = refusalOf(() => parseJson(bytes));
    expect({ kind: refusal.kind, message: refusal.message, places: refusal.places }).toEqual({
      kind: 'invalid-json',
      message,
      places: [],
    });
  });

  it.each(['{', '[1,]', 'NaN', "{'a':1}", '01', '"\t"', '{}x', '//\n{}'])('is refused: %j', (body) => {
    const refusal = refusalOf(() => parse(body));
    expect(refusal.kind).toBe('invalid-json');
    expect(refusal.message).toMatch(/^the body is not JSON: /);
  });

  it('may be nested to a depth of 512, and no deeper', () => {
    const nested = (depth: number) => '['.repeat(depth) + ']'.repeat(depth);
    expect(parse(nested(512))).toHaveLength(1);
    expect(() => parse(nested(513))).toThrow('the body is nested deeper than 512 arrays and objects');
    expect(() => parse('['.repeat(1e6))).toThrow('nested deeper than 512');
  });
});

describe('a tensor of numbers', () => {
  const read = (value: unknown, dtype: 'float64' | 'float32' = 'float64') => decodeFloats(value, dtype, ['x']);

  it('has the shape of its nesting and the requested dtype', () => {
    expect(
      read([
        [1, 2, 3],
        [4, 5, 6],
      ]),
    ).toEqual({ shape: [2, 3], data: Float64Array.of(1, 2, 3, 4, 5, 6) });
    expect(read([[[0.1]], [[-0]]], 'float32')).toEqual({
      shape: [2, 1, 1],
      data: Float32Array.of(0.1, -0),
    });
  });

  it('may have 32 axes', () => {
    const nested = JSON.parse(`${'['.repeat(32)}7${']'.repeat(32)}`) as unknown;
    expect(read(nested).shape).toEqual(Array(32).fill(1));
  });

  it('accepts strings for NaN and infinities', () => {
    expect(read(['NaN', 'Infinity', '-Infinity', 0]).data).toEqual(Float64Array.of(NaN, Infinity, -Infinity, 0));
    expect(read(['-Infinity', 'NaN'], 'float32').data).toEqual(Float32Array.of(-Infinity, NaN));
  });

  it('accepts the largest numbers of its dtype, and numbers that round to them', () => {
    expect(read([1.7976931348623157e308, -1.7976931348623157e308]).data[1]).toBe(-Number.MAX_VALUE);
    expect(read([3.4028235e38, 3.4028235677e38], 'float32').data).toEqual(
      Float32Array.of(3.4028234663852886e38, 3.4028234663852886e38),
    );
  });

  it('reads numbers that are too small for its dtype as zero', () => {
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

  it('points into the body from the position of the tensor', () => {
    const refusal = refusalOf(() => decodeFloats([1, 'a'], 'float64', ['forward', 'a/b']));
    expect(refusal.message).toMatch(/^\/forward\/a~1b\/1 is "a"; expected a number/);
  });

  it('does not allocate by a size that only the first entries suggest', () => {
    // By the first entries, there would be 10 000 ^ 5 elements; there are 50 000.
    const wide = Array<unknown>(10_000).fill(1);
    let value: unknown = wide;
    for (let axis = 0; axis < 4; axis++) value = [value, ...Array<unknown>(9_999).fill(0)];
    const refusal = refusalOf(() => read(value));
    expect(refusal.kind).toBe(ragged);
    expect(refusal.message).toBe('/x/0/0/0/1 is 0; expected an array of 10000, as /x/0/0/0/0 is');
  });

  it('refuses deeper nesting, whatever its depth', () => {
    for (const depth of [33, 100_000]) {
      const nested = JSON.parse(`${'['.repeat(depth)}7${']'.repeat(depth)}`) as unknown;
      expect(refusalOf(() => read(nested)).message).toBe('/x is nested deeper than 32 arrays');
    }
  });
});

describe('a tensor of integers', () => {
  const read = (value: unknown) => decodeIntegers(value, ['lengths']);

  it('holds 32-bit integers', () => {
    expect(read([[-(2 ** 31), 0, 2 ** 31 - 1]])).toEqual({
      shape: [1, 3],
      data: Int32Array.of(-(2 ** 31), 0, 2 ** 31 - 1),
    });
  });

  it.each<[unknown, string]>([
    [1.5, '/lengths/1 is 1.5; expected an integer'],
    ['1', '/lengths/1 is "1"; expected an integer'],
    ['NaN', '/lengths/1 is "NaN"; expected an integer'],
    [null, '/lengths/1 is null; expected an integer'],
    [Infinity, '/lengths/1 is a number beyond the range of float64; expected an integer'],
    [2 ** 31, '/lengths/1 is 2147483648; expected a 32-bit integer'],
    [-1e300, '/lengths/1 is -1e+300; expected a 32-bit integer'],
    [[1], '/lengths/1 is an array of 1; expected an integer, as /lengths/0 is'],
  ])('refuses %j', (entry, message) => {
    expect(refusalOf(() => read([1, entry])).message).toBe(message);
  });
});

describe('a literal', () => {
  const read = (body: string, dtype: 'float64' | 'float32') => {
    const { x } = parseJson(Buffer.from(body), { x: true }) as { x: unknown };
    return decodeFloats(x, dtype, ['x']).data;
  };
  /**
   * Bodies with this literal: plain, with a non-ASCII field before it, and with escapes next to the tensor, in its name
   * and in it.
   */
  const bodies: ((literal: string) => string)[] = [
    (literal) => `{"x":[${literal}]}`,
    (literal) => `{"id":"ä","x":[${literal}]}`,
    (literal) => `{"x":[${literal}],"id":"\\u00e4"}`,
    (literal) => `{"\\u0078":[${literal}]}`,
    (literal) => `{"x":[${literal},"N\\u0061N"]}`,
  ];
  const beyond = '/x/0 is beyond the range of';

  // 1 + 2^-24 is halfway between two float32 values and rounds to the even one, 1.
  it.each([
    ['1.00000005960464477539062500000001', 1 + 2 ** -23],
    ['1.000000059604644775390625', 1],
    ['1.00000005960464477539062499999999', 1],
    // The largest float32 is (2 - 2^-23) · 2^127. Halfway from it to 2^128 is 340282356779733661637539395458142568448.
    ['340282356779733661637539395458142568447.99', (2 - 2 ** -23) * 2 ** 127],
    // The nearest double is exactly this midpoint; the decimal is below it.
    ['3.4028235677973366e38', (2 - 2 ** -23) * 2 ** 127],
  ])('is rounded once to float32, regardless of the rest of the body: %s', (literal, value) => {
    for (const body of bodies) {
      expect(read(body(literal), 'float32')[0]).toBe(value);
      expect(read(body(`-${literal}`), 'float32')[0]).toBe(-value);
    }
  });

  it.each([
    '340282356779733661637539395458142568448',
    '3.40282356779733661637539395458142568448e38',
    '3.5e38',
    '1e400',
  ])('is beyond float32 if it rounds to infinity: %s', (literal) => {
    for (const body of bodies)
      expect(refusalOf(() => read(body(literal), 'float32'))).toMatchObject({
        kind: 'number-out-of-range',
        message: expect.stringContaining(`${beyond} float32`) as string,
      });
  });

  // The largest double is (2 - 2^-52) · 2^1023; halfway from it to 2^1024 is (2 - 2^-53) · 2^1023.
  const half = (2n ** 54n - 1n) * 2n ** 970n;

  it('rounds to the largest double below the midpoint to infinity, and is beyond float64 from the midpoint on', () => {
    for (const body of bodies) {
      expect(read(body(String(half - 1n)), 'float64')[0]).toBe(Number.MAX_VALUE);
      for (const literal of [String(half), `-${half}`, '1e400', '1e99999999999'])
        expect(refusalOf(() => read(body(literal), 'float64')).message).toContain(`${beyond} float64`);
    }
  });
});
