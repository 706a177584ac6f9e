import { describe, expect, it } from 'vitest';
import { philox } from '../../src/kernels/plain/dropout.js';
import { plain } from '../../src/kernels/plain/plain.js';
import { randomNumbers } from '../support/random.js';
import { kernelSuite } from './suite.js';

describe('the plain kernels', () => {
  kernelSuite(plain);

  it('round a float32 product only once, at the end', () => {
    const numbers = randomNumbers(7);
    const K = 1000;
    const a = Float32Array.from(numbers.array(K));
    const b = Float32Array.from(numbers.array(K));
    const [rounded, exact] = [new Float32Array(1), new Float64Array(1)];
    plain.matmul(a, b, rounded, { M: 1, N: 1, K });
    plain.matmul(Float64Array.from(a), Float64Array.from(b), exact, { M: 1, N: 1, K });
    expect(rounded[0]).toBe(Math.fround(exact[0]));
  });
});

describe('philox', () => {
  /** Known answers of Random123 1.14.0, kat_vectors, philox4x32 with 10 rounds. */
  it.each([
    {
      counter: [0, 0, 0, 0],
      key: [0, 0],
      words: [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8],
    },
    {
      counter: [0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff],
      key: [0xffffffff, 0xffffffff],
      words: [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd],
    },
    {
      counter: [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344],
      key: [0xa4093822, 0x299f31d0],
      words: [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1],
    },
  ])('gives the known answer for counter $counter', ({ counter, key, words }) => {
    const answer = new Uint32Array(4);
    philox(counter, key, answer);
    expect(Array.from(answer)).toEqual(words);
  });
});
