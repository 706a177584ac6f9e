import type { Path } from '../../refusal.js';
import type { Body, Codec } from '../codec.js';
import { decodeFloats, decodeIntegers, expectJson, parseJson } from './read.js';
import { encodeJson } from './write.js';

function at(values: unknown, path: Path): unknown {
  return path.reduce<unknown>((value, key) => (value as Record<string | number, unknown>)[key], values);
}

export const json: Codec = {
  decode(bytes, names, deepest): Body {
    const values = parseJson(bytes, names, deepest);
    return {
      values,
      floats: (path, dtype) => decodeFloats(at(values, path), dtype, path),
      integers: (path) => decodeIntegers(at(values, path), path),
      readRest: () => {
        expectJson(values);
      },
    };
  },
  encode: (fields) => [encodeJson(fields)],
};
