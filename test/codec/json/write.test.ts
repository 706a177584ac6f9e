import { describe, expect, it } from 'vitest';
import { decodeFloats } from '../../../src/codec/json/read.js';
import { encodeJson } from '../../../src/codec/json/write.js';
import { tensor } from '../../../src/tensor/tensor.js';

const text = (fields: Parameters<typeof encodeJson>[0]) => encodeJson(fields).toString('utf8');

describe('an answer', () => {
  it('is a JSON object with its fields in order', () => {
    const out = tensor([2, 2], Float64Array.of(1, -0.5, 1e21, 5e-324));
    expect(text({ out, session: 'token', seed: 7, training: true, nothing: null })).toBe(
      '{"out":[[1,-0.5],[1e+21,5e-324]],"session":"token","seed":7,"training":true,"nothing":null}',
    );
  });

  it('is an empty object without fields', () => {
    expect(text({})).toBe('{}');
    expect(text({ absent: undefined })).toBe('{}');
  });

  it('omits undefined fields, including the first and the last', () => {
    expect(text({ a: undefined, b: 1, c: undefined })).toBe('{"b":1}');
  });

  it('writes names and strings in UTF-8, escaped where JSON requires it', () => {
    expect(text({ 'größe "x"': 'ü\n\u2028' })).toBe(`{${JSON.stringify('größe "x"')}:${JSON.stringify('ü\n\u2028')}}`);
  });

  it('writes fields within fields, with their tensors', () => {
    const values = tensor([1], Float64Array.of(0.5));
    expect(text({ tensors: { x: { dtype: 'float64', shape: [1], values }, none: {} } })).toBe(
      '{"tensors":{"x":{"dtype":"float64","shape":[1],"values":[0.5]},"none":{}}}',
    );
  });
});

describe('negative zero', () => {
  // Python's json, Ruby's JSON and Jackson read -0 as an integer, and integers have one zero.
  it('is written -0.0 wherever a number can occur', () => {
    const x = tensor([2], Float64Array.of(-0, 0));
    const fields = { a: -0, b: [-0, [0, -0]], c: { d: -0 }, list: [{ e: -0, x }], worst: { index: [0], expected: -0 } };
    const zeros =
      '"a":-0.0,"b":[-0.0,[0,-0.0]],"c":{"d":-0.0},"list":[{"e":-0.0,"x":[-0.0,0]}],"worst":{"index":[0],"expected":-0.0}';
    expect(text(fields)).toBe(`{${zeros}}`);
  });

  it('is written 0 as an integer', () => {
    expect(text({ x: tensor([2], Int32Array.of(-0, -10)) })).toBe('{"x":[0,-10]}');
    expect(text({ x: tensor([4], Float32Array.of(-0.5, -10, -1e-30, -0)) })).toBe('{"x":[-0.5,-10,-1e-30,-0.0]}');
  });
});

describe('a tensor', () => {
  it.each([
    [[1], '[0]'],
    [[3], '[0,1,2]'],
    [[1, 1], '[[0]]'],
    [[2, 1], '[[0],[1]]'],
    [[1, 2], '[[0,1]]'],
    [[2, 2, 2], '[[[0,1],[2,3]],[[4,5],[6,7]]]'],
    [[1, 2, 1, 2], '[[[[0,1]],[[2,3]]]]'],
    [[2, 1, 1, 1, 1], '[[[[[0]]]],[[[[1]]]]]'],
  ])('of shape %j is nested row by row', (shape, expected) => {
    const size = shape.reduce((product, axis) => product * axis, 1);
    expect(
      text({
        x: tensor(
          shape,
          Float64Array.from({ length: size }, (_, i) => i),
        ),
      }),
    ).toBe(`{"x":${expected}}`);
  });

  it('is written with the shortest decimals of its own dtype', () => {
    const values = [0.1, 1 / 3, 16777217, -0];
    expect(text({ x: tensor([4], Float64Array.from(values)) })).toBe('{"x":[0.1,0.3333333333333333,16777217,-0.0]}');
    expect(text({ x: tensor([4], Float32Array.from(values)) })).toBe('{"x":[0.1,0.33333334,16777216,-0.0]}');
    expect(text({ x: tensor([3], Int32Array.of(-(2 ** 31), 0, 2 ** 31 - 1)) })).toBe(
      '{"x":[-2147483648,0,2147483647]}',
    );
    expect(text({ x: tensor([2], Uint8Array.of(0, 1)) })).toBe('{"x":[0,1]}');
  });

  it.each([Float64Array, Float32Array])('writes NaN and infinities as strings, in %o', (Data) => {
    expect(text({ x: tensor([1, 4], Data.of(NaN, Infinity, -Infinity, 1)) })).toBe(
      '{"x":[["NaN","Infinity","-Infinity",1]]}',
    );
  });

  it('is written completely when it or its rows are long', () => {
    for (const shape of [[200_000], [200_000, 1], [2, 100_000], [100, 20, 100]]) {
      const data = Float64Array.from({ length: 200_000 }, (_, i) => Math.sin(i));
      const { x } = JSON.parse(text({ x: tensor(shape, data), after: 'the end' })) as { x: unknown };
      const read = decodeFloats(x, 'float64', ['x']);
      expect(read.shape).toEqual(shape);
      expect(read.data.findIndex((value, i) => value !== data[i])).toBe(-1);
    }
  });
});
