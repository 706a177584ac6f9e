import { describe, expect, it } from 'vitest';
import { float32ToDecimal, float64ToDecimal } from './plain/decimal.js';
import { randomNumbers } from '../../support/random.js';
import { atScale } from '../../support/scale.js';

/** The number with these bits. */
const words = new Uint32Array(2);
const asFloat32 = new Float32Array(words.buffer);
const asFloat64 = new Float64Array(words.buffer);

function float32(bits: number): number {
  words[0] = bits;
  return asFloat32[0];
}

function float64(high: number, low: number): number {
  words[1] = high;
  words[0] = low;
  return asFloat64[0];
}

/** 32 random bits at a time, the same in every run. */
function randomWords(seed: number): () => number {
  const { next } = randomNumbers(seed);
  return () => next() * 2 ** 32;
}

/** A decimal, digits · 10^exponent, whose digits do not end in zero. */
interface Decimal {
  readonly digits: bigint;
  readonly exponent: number;
}

function decimalOf(text: string): Decimal {
  const match = /^(\d+)(?:\.(\d+))?(?:e([+-]\d+))?$/.exec(text);
  if (!match) throw new Error(`${text} is not a positive decimal`);
  const [, whole = '', fraction = '', exponent = '0'] = match;
  return trimmed(BigInt(whole + fraction), Number(exponent) - fraction.length);
}

function trimmed(digits: bigint, exponent: number): Decimal {
  return digits !== 0n && digits % 10n === 0n ? trimmed(digits / 10n, exponent + 1) : { digits, exponent };
}

/** The sign of a decimal minus m · 2^q, exactly. */
function compare({ digits, exponent }: Decimal, m: bigint, q: number): number {
  const left = digits * 10n ** BigInt(Math.max(exponent, 0)) * 2n ** BigInt(Math.max(-q, 0));
  const right = m * 2n ** BigInt(Math.max(q, 0)) * 10n ** BigInt(Math.max(-exponent, 0));
  return left < right ? -1 : left > right ? 1 : 0;
}

/**
 * The slow definition: of all decimals that read back to a float32, those with the fewest digits. They lie between the
 * midpoints to its two neighbours; a midpoint itself counts if the last bit of the float32 is 0.
 */
function shortest(bits: number): Decimal[] {
  const biased = bits >>> 23;
  const fraction = bits & 0x7fffff;
  const m = BigInt(biased === 0 ? fraction : fraction + 2 ** 23);
  const q = Math.max(biased, 1) - 150 - 2;
  const low = 4n * m - (fraction === 0 && biased > 1 ? 1n : 2n);
  const high = 4n * m + 2n;
  const slack = m % 2n === 0n ? 0 : 1;
  const value = float32(bits);
  for (let length = 1; ; length++) {
    const exponent = Math.floor(Math.log10(value)) - length + 1;
    const near = decimalOf(value.toPrecision(length));
    const around = near.digits * 10n ** BigInt(near.exponent - exponent);
    const candidates = [-2n, -1n, 0n, 1n, 2n]
      .map((step) => around + step)
      .filter((digits) => digits > 0n)
      .map((digits) => trimmed(digits, exponent))
      .filter((decimal) => compare(decimal, low, q) >= slack && compare(decimal, high, q) <= -slack);
    if (candidates.length > 0) return candidates;
  }
}

describe('a float64', () => {
  it('is written as ECMAScript writes it, and reads back to the same bits', () => {
    const random = randomWords(1);
    for (let i = 0; i < atScale({ all: 20_000, quick: 4000 }); i++) {
      const value = float64(random(), random());
      if (!Number.isFinite(value)) continue;
      expect(float64ToDecimal(value)).toBe(String(value));
      expect(Number(float64ToDecimal(value))).toBe(value);
    }
  });

  it.each([
    [0, '0'],
    [-0, '-0.0'],
    [1, '1'],
    [0.1, '0.1'],
    [-1.5, '-1.5'],
    [5e-324, '5e-324'],
    [2.2250738585072014e-308, '2.2250738585072014e-308'],
    [1.7976931348623157e308, '1.7976931348623157e+308'],
    [1e21, '1e+21'],
    [1e-7, '1e-7'],
    [2 ** 53, '9007199254740992'],
  ])('%d is written %s', (value, text) => {
    expect(float64ToDecimal(value)).toBe(text);
    expect(JSON.parse(text)).toBe(value);
  });
});

describe('a float32', () => {
  it.each([
    ['0', 0, '0'],
    ['minus zero', -0, '-0.0'],
    ['a tenth', float32(0x3dcccccd), '0.1'],
    ['a third', float32(0x3eaaaaab), '0.33333334'],
    ['minus a third', -float32(0x3eaaaaab), '-0.33333334'],
    ['the smallest', float32(0x00000001), '1e-45'],
    ['the largest subnormal', float32(0x007fffff), '1.1754942e-38'],
    ['the smallest normal', float32(0x00800000), '1.1754944e-38'],
    ['the largest', float32(0x7f7fffff), '3.4028235e+38'],
    ['2^24', 2 ** 24, '16777216'],
    ['the next after 2^24', 2 ** 24 + 2, '16777218'],
    ['2^-24, whose decimal is on its wide side', 2 ** -24, '5.9604645e-8'],
    ['2^90, whose decimal is on its wide side', 2 ** 90, '1.2379401e+27'],
    ['one that is a middle away from its decimal', 33554448, '33554450'],
    ['one beside the classic', float32(0x15ae43fd), '7.0385307e-26'],
    ['the classic, which rounds to its neighbour on the way through float64', float32(0x15ae43fe), '7.038531e-26'],
  ])('is written with the fewest digits: %s', (_name, value, text) => {
    expect(float32ToDecimal(value)).toBe(text);
  });

  function expectShortest(bits: number): void {
    const value = float32(bits);
    const text = float32ToDecimal(value);
    const written = decimalOf(text);
    const candidates = shortest(bits);
    expect(candidates, `${text} for bits ${bits.toString(16)}`).toContainEqual(written);
    // Of equally short decimals, the nearest, where float64 can distinguish them: at a tie, both sides differ in their
    // last bits.
    const errors = candidates.map(({ digits, exponent }) => Math.abs(Number(`${digits}e${exponent}`) - value));
    expect(Math.abs(Number(text) - value)).toBeLessThanOrEqual(Math.min(...errors) * (1 + 1e-6));
    expect(float32ToDecimal(-value)).toBe(`-${text}`);
  }

  it('has the fewest digits that read back, and of those the nearest, for random bit patterns', () => {
    const random = randomWords(2);
    for (let i = 0; i < atScale({ all: 4000, quick: 1000 }); i++) expectShortest((random() % 0x7f7fffff) + 1);
  });

  it('has the fewest digits for every power of two and its neighbours', () => {
    for (let exponent = 1; exponent < 255; exponent++)
      for (const step of [-1, 0, 1]) expectShortest(exponent * 2 ** 23 + step);
  });

  it('has the fewest digits for subnormals', () => {
    const random = randomWords(3);
    for (let bit = 0; bit < 23; bit++) expectShortest(2 ** bit);
    for (let i = 0; i < 500; i++) expectShortest((random() % 0x7fffff) + 1);
  });

  it('has the fewest digits for integers beyond 2^24, where decimals are often halfway between two values', () => {
    const random = randomWords(4);
    for (let i = 0; i < 1000; i++) expectShortest(0x4b800000 + (random() % 0x2000000));
  });
});
