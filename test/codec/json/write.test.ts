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

  it('leaves out what is undefined, first and last too', () => {
    expect(text({ a: undefined, b: 1, c: undefined })).toBe('{"b":1}');
  });

  it('writes names and strings in UTF-8, escaped where JSON wants it', () => {
    expect(text({ 'größe "x"': 'ü\n\u2028' })).toBe(`{${JSON.stringify('größe "x"')}:${JSON.stringify('ü\n\u2028')}}`);
  });

  it('writes fields within fields, with their tensors', () => {
    const values = tensor([1], Float64Array.of(0.5));
    expect(text({ tensors: { x: { dtype: 'float64', shape: [1], values }, none: {} } })).toBe(
      '{"tensors":{"x":{"dtype":"float64","shape":[1],"values":[0.5]},"none":{}}}',
    );
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

  it('has its numbers in the shortest decimals of its own dtype', () => {
    const values = [0.1, 1 / 3, 16777217, -0];
    expect(text({ x: tensor([4], Float64Array.from(values)) })).toBe('{"x":[0.1,0.3333333333333333,16777217,-0]}');
    expect(text({ x: tensor([4], Float32Array.from(values)) })).toBe('{"x":[0.1,0.33333334,16777216,-0]}');
    expect(text({ x: tensor([3], Int32Array.of(-(2 ** 31), 0, 2 ** 31 - 1)) })).toBe(
      '{"x":[-2147483648,0,2147483647]}',
    );
    expect(text({ x: tensor([2], Uint8Array.of(0, 1)) })).toBe('{"x":[0,1]}');
  });

  it.each([Float64Array, Float32Array])('writes what is not finite as strings, in %o', (Data) => {
    expect(text({ x: tensor([1, 4], Data.of(NaN, Infinity, -Infinity, 1)) })).toBe(
      '{"x":[["NaN","Infinity","-Infinity",1]]}',
    );
  });

  it('that is long, or whose rows are, is written whole', () => {
    for (const shape of [[200_000], [200_000, 1], [2, 100_000], [100, 20, 100]]) {
      const data = Float64Array.from({ length: 200_000 }, (_, i) => Math.sin(i));
      const { x } = JSON.parse(text({ x: tensor(shape, data), after: 'the end' })) as { x: unknown };
      expect(decodeFloats(x, 'float64', ['x'])).toEqual(tensor(shape, data));
    }
  });
});
