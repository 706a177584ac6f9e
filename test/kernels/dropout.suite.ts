import { afterEach, describe, expect, it } from 'vitest';
import type { Kernels } from '../../src/kernels/kernels.js';
import { randomNumbers } from '../support/random.js';
import { expectBounded, FLOAT_DTYPES, memory, ROUNDOFF } from './memory.js';

const WORD = (1n << 32n) - 1n;

/** Philox4x32-10 as in Salmon et al. (2011), in integers of unlimited width. */
function philox(counter: bigint, seed: bigint): bigint[] {
  let words = [0n, 32n, 64n, 96n].map((shift) => (counter >> shift) & WORD);
  let key = [seed & WORD, seed >> 32n];
  for (let round = 0; round < 10; round++) {
    const [product0, product1] = [0xd2511f53n * words[0], 0xcd9e8d57n * words[2]];
    words = [
      (product1 >> 32n) ^ words[1] ^ key[0],
      product1 & WORD,
      (product0 >> 32n) ^ words[3] ^ key[1],
      product0 & WORD,
    ];
    key = [(key[0] + 0x9e3779b9n) & WORD, (key[1] + 0xbb67ae85n) & WORD];
  }
  return words;
}

/** The definition: element i is kept where word i mod 4 at counter i div 4 is at least rate · 2³². */
function maskOf(seed: number, rate: number, length: number): number[] {
  const blocks = Array.from({ length: Math.ceil(length / 4) }, (_, block) => philox(BigInt(block), BigInt(seed)));
  const kept = blocks.flat().map((word) => (Number(word) >= rate * 2 ** 32 ? 1 : 0));
  return kept.slice(0, length);
}

export function dropoutSuite(kernels: Kernels): void {
  describe('dropoutMask', () => {
    const { output, expectIntact } = memory();
    afterEach(expectIntact);

    function expectMask(seed: number, rate: number, length: number): void {
      const mask = output('uint8', length);
      kernels.dropoutMask(seed, rate, mask);
      expect(Array.from(mask)).toEqual(maskOf(seed, rate, length));
    }

    it.each([0, 1, 7, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 32 + 7, 0x1234567890abc, Number.MAX_SAFE_INTEGER])(
      'is that of Philox4x32-10 under seed %i',
      (seed) => {
        for (const rate of [0, 1e-3, 0.1, 1 / 3, 0.5, 0.9, 1]) expectMask(seed, rate, 101);
      },
    );

    it('is the same for every length, including odd ones', () => {
      for (let length = 0; length <= 40; length++) expectMask(42, 0.5, length);
      expectMask(42, 0.5, 4099);
      // More than an implementation may process at once.
      expectMask(42, 0.5, 70_003);
    });

    it('keeps an element whose word equals the threshold', () => {
      // The first word under seed 0, of Random123's known answers.
      const rate = 0x6627e8d5 / 2 ** 32;
      const mask = output('uint8', 1);
      kernels.dropoutMask(0, rate, mask);
      expect(mask[0]).toBe(1);
      kernels.dropoutMask(0, rate + 2 ** -32, mask);
      expect(mask[0]).toBe(0);
    });

    it('keeps everything at rate 0 and nothing at rate 1', () => {
      const mask = output('uint8', 1003);
      kernels.dropoutMask(5, 0, mask);
      expect(mask.every((kept) => kept === 1)).toBe(true);
      kernels.dropoutMask(5, 1, mask);
      expect(mask.every((kept) => kept === 0)).toBe(true);
    });
  });

  describe.each(FLOAT_DTYPES)('applyMask in %s', (dtype) => {
    const { input, output, expectIntact } = memory();
    const numbers = randomNumbers(5);
    afterEach(expectIntact);

    it('divides kept elements, for every size from 1 to 40 and for two larger ones', () => {
      for (const length of [...Array.from({ length: 40 }, (_, i) => i + 1), 1003, 70_003])
        for (const divisor of [1, 0.5, 0.9]) {
          const x = input(dtype, numbers.array(length));
          const mask = input('uint8', maskOf(length, 0.5, length));
          const out = output(dtype, length);
          kernels.applyMask(x, mask, divisor, out);
          const expected = Array.from(x, (value, i) => {
            const scaled = mask[i] ? value / divisor : 0;
            return { value: scaled, bound: 2 * ROUNDOFF[dtype] * Math.abs(scaled) };
          });
          expectBounded(out, expected);
        }
    });

    it('returns 0 for dropped elements, whatever their value and the divisor', () => {
      const x = input(dtype, [NaN, Infinity, -Infinity, -1, 1]);
      const out = output(dtype, 5);
      for (const divisor of [0, 0.5]) {
        kernels.applyMask(x, input('uint8', [0, 0, 0, 0, 0]), divisor, out);
        expect(Array.from(out)).toEqual([0, 0, 0, 0, 0]);
      }
    });

    it('preserves NaN and ∞ in kept elements', () => {
      const out = output(dtype, 3);
      kernels.applyMask(input(dtype, [NaN, Infinity, -Infinity]), input('uint8', [1, 1, 1]), 0.5, out);
      expect(Array.from(out)).toEqual([NaN, Infinity, -Infinity]);
    });
  });
}
