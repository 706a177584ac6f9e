/**
 * Decimals, to the last bit. `npm run verify:codec` runs the same tests over ten million patterns per dtype (PATTERNS).
 */
import { expect, it } from 'vitest';
import { float32ToDecimal } from './json/plain/decimal.js';
import { exactFloat32 } from '../../src/codec/json/wasm/exact.js';
import { parseTensor, printTensor, skipTensor } from '../../src/codec/json/wasm/numbers.js';
import { tensor, type FloatDtype, type Tensor } from '../../src/tensor/tensor.js';
import {
  exactly,
  fillBits,
  halfway,
  hardFloat32,
  hardFloat64,
  randomBits,
  step32,
  writeDecimal,
} from '../support/decimals.js';
import { atScale } from '../support/scale.js';

const PATTERNS = Number(process.env.PATTERNS ?? atScale({ all: 100_000, quick: 5000 }));
const TIME = { timeout: 300_000 + PATTERNS / 10 };
const BLOCK = 10_000;

function print(tensor: Tensor): string {
  const pieces: string[] = [];
  printTensor(tensor, (piece) => pieces.push(Buffer.from(piece).toString('latin1')));
  return pieces.join('');
}

function parse(text: string, dtype: FloatDtype | 'int32'): Tensor | undefined {
  const body = Buffer.from(text);
  const found = skipTensor(body, 0);
  return found && parseTensor({ bytes: body, start: 0, ...found }, dtype);
}

/** Expects every number of `data` to be written as `decimal` writes it, and to read back to the same bits. */
function expectDecimals(data: Float64Array | Float32Array, decimal: (value: number) => string): void {
  const text = print(tensor([data.length], data));
  const entries = text.slice(1, -1).split(',');
  if (entries.length !== data.length) throw new Error(`${entries.length} entries for ${data.length}`);
  for (let i = 0; i < data.length; i++) {
    const expected = Number.isFinite(data[i]) ? decimal(data[i]) : `"${data[i]}"`;
    if (entries[i] !== expected) throw new Error(`${data[i]} is written ${entries[i]}; expected ${expected}`);
  }
  const read = parse(text, data instanceof Float64Array ? 'float64' : 'float32');
  for (let i = 0; i < data.length; i++)
    if (!Object.is(read?.data[i], data[i])) throw new Error(`${entries[i]} is read as ${read?.data[i]}`);
}

const float64 = (value: number) => (Object.is(value, -0) ? '-0.0' : String(value));

it('writes difficult float64 values as String does, and reads them back', () => {
  expectDecimals(Float64Array.from(hardFloat64()), float64);
});

it('writes random bit patterns of float64 as String does, and reads them back', TIME, () => {
  const next = randomBits(64);
  const data = new Float64Array(BLOCK);
  for (let done = 0; done < PATTERNS; done += BLOCK) {
    fillBits(data, next);
    expectDecimals(data, float64);
  }
});

it('writes doubles in the range of a layer as String does, and reads them back', TIME, () => {
  const next = randomBits(1);
  const data = new Float64Array(BLOCK);
  for (let done = 0; done < PATTERNS; done += BLOCK) {
    // 53 random bits, with magnitudes over up to 40 binary orders below 16.
    for (let i = 0; i < BLOCK; i++)
      data[i] = ((next() * 2 ** 21 + (next() >>> 11)) / 2 ** 53 - 0.5) * 2 ** (5 - (next() % 40));
    expectDecimals(data, float64);
  }
});

it('writes difficult float32 values as their shortest decimals, and reads them back', () => {
  expectDecimals(Float32Array.from(hardFloat32()), float32ToDecimal);
});

it('writes random bit patterns of float32 as their shortest decimals, and reads them back', TIME, () => {
  const next = randomBits(32);
  const data = new Float32Array(BLOCK);
  for (let done = 0; done < PATTERNS; done += BLOCK) {
    fillBits(data, next);
    expectDecimals(data, float32ToDecimal);
  }
});

/** Expects every decimal to be read as `expected` reads it, and decimals beyond the range to be refused. */
function expectRead(texts: string[], dtype: FloatDtype, expected: (text: string) => number): void {
  const signed = texts.flatMap((text) => [text, `-${text}`]);
  const inRange = signed.filter((text) => Number.isFinite(expected(text)));
  const read = parse(`[${inRange.join(' , ')}]`, dtype);
  inRange.forEach((text, i) => {
    if (!Object.is(read?.data[i], expected(text)))
      throw new Error(`${text} is read as ${read?.data[i]}; expected ${expected(text)}`);
  });
  for (const text of signed.filter((text) => !Number.isFinite(expected(text))).slice(0, 100))
    expect(parse(`[${text}]`, dtype), text).toBeUndefined();
}

it('reads decimals of any length and exponent as Number does', TIME, () => {
  const next = randomBits(3);
  for (let done = 0; done < PATTERNS; done += BLOCK) {
    const texts = Array.from({ length: BLOCK / 2 }, () => {
      let digits = 0n;
      const words = 1 + (next() % 4);
      for (let word = 0; word < words; word++) digits = digits * 10n ** BigInt(next() % 10) + BigInt(next() >>> 2);
      const wide = next() % 2 === 0 ? (next() % 700) - 370 : (next() % 60) - 40;
      return writeDecimal(digits, wide, next());
    });
    expectRead(texts, 'float64', Number);
    expectRead(texts, 'float32', exactFloat32);
  }
});

it('reads decimals at or very close to the midpoint of two float64 values as Number does', TIME, () => {
  const next = randomBits(5);
  const data = new Float64Array(Math.max(2000, PATTERNS / 1000));
  fillBits(data, next);
  const values = [...data, ...hardFloat64().slice(0, 6000)].map(Math.abs).filter((value) => value < Number.MAX_VALUE);
  for (let i = 0; i < values.length; i += 500)
    expectRead(
      values.slice(i, i + 500).flatMap((value) => halfway(value, next())),
      'float64',
      Number,
    );
});

it('rounds midpoints of two float32 values to even, and decimals very close to them to the nearest', TIME, () => {
  const next = randomBits(7);
  const data = new Float32Array(Math.max(4000, PATTERNS / 100));
  fillBits(data, next);
  const values = [...data, ...hardFloat32().slice(0, 6000)]
    .map(Math.abs)
    .filter((value) => value < 3.4028234663852886e38);
  for (let i = 0; i < values.length; i += 500) {
    const expected = new Map<string, number>();
    for (const value of values.slice(i, i + 500)) {
      const above = step32(value, 1);
      const { digits, power } = exactly((value + above) / 2);
      const way = next();
      expected.set(writeDecimal(digits * 10n - 1n, power - 1, way), value);
      expected.set(writeDecimal(digits * 10n + 1n, power - 1, way), above);
      expected.set(writeDecimal(digits, power, way), Math.fround((value + above) / 2));
      // So far behind the first digits that float64 cannot distinguish it from the midpoint.
      expected.set(writeDecimal(digits * 10n ** 40n + 1n, power - 40, way), above);
      expected.set(writeDecimal(digits * 10n ** 40n - 1n, power - 40, way), value);
    }
    expectRead([...expected.keys()], 'float32', (text) =>
      text.startsWith('-') ? -(expected.get(text.slice(1)) ?? NaN) : (expected.get(text) ?? NaN),
    );
  }
});

it('reads very long decimals and decimals at the limits of the range as Number does', () => {
  const nines = '9'.repeat(800);
  expectRead(
    [
      ...['1e-400', '1e400', '0e400', '0.0e-99999999999', '1e-99999999999', '1e99999999999', '0', '0.0', '0e0'],
      ...['2.4703282292062327e-324', '2.4703282292062328e-324', '4.9e-324', '2.2250738585072011e-308'],
      ...['1.7976931348623157e308', '1.7976931348623158e308', '1.7976931348623159e308', '179769313486231580793e289'],
      ...['9007199254740993', '9007199254740993.0000000000000000000001', '9007199254740992.9999999999999999999999'],
      ...[
        nines,
        `0.${nines}`,
        `${nines}e-800`,
        `0.${'0'.repeat(799)}1`,
        `1${'0'.repeat(400)}e-400`,
        `1${nines}.${nines}e-1000`,
      ],
      ...['18446744073709551615', '18446744073709551616', '9999999999999999999', '99999999999999999999'],
      ...[
        '12345678',
        '123456789',
        '1234567890123456789012',
        '1.12345678901234567890123456',
        '0.00000000000000000000012345678901234567',
      ],
    ],
    'float64',
    Number,
  );
  expectRead(
    ['3.4028235e38', '3.4028235677973366e38', '3.4028236e38', '1e-45', '7e-46', '7.1e-46', '1e-60'],
    'float32',
    (text) => exactFloat32(text),
  );
});

it('reads 32-bit integers in every notation, and nothing else', () => {
  const good = [
    '0',
    '-0',
    '1',
    '-1',
    '2147483647',
    '-2147483648',
    '1.0',
    '1e2',
    '120e-1',
    '0.5e1',
    '2147483647.000000000000000000000',
  ];
  expect([...(parse(`[${good.join()}]`, 'int32')?.data ?? [])]).toEqual(good.map((text) => Number(text) | 0));
  for (const bad of ['2147483648', '-2147483649', '0.5', '1e-1', '1e400', '"NaN"', '1.0000000000000000000000000001e20'])
    expect(parse(`[${bad}]`, 'int32'), bad).toBeUndefined();
});

it('writes integers and masks', () => {
  const integers = Int32Array.from([0, 1, -1, 9, 10, 99, 100, 12345678, 123456789, 2147483647, -2147483648]);
  expect(print(tensor([integers.length], integers))).toBe(`[${integers.join()}]`);
  expect(print(tensor([2, 2], Uint8Array.from([0, 1, 10, 255])))).toBe('[[0,1],[10,255]]');
});
