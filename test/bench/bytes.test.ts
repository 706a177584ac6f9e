import { describe, expect, it } from 'vitest';
import { bytesOfStep, formatBytes } from '../../bench/bytes.js';
import { cases } from '../../bench/cases.js';

const bytes = (name: string, dtype: 'float32' | 'float64') => {
  const given = cases.find((candidate) => candidate.name === name);
  if (!given) throw new Error(`no case ${name}`);
  return bytesOfStep(given, dtype);
};

describe('the bytes of a step', () => {
  it('count the x and weight that a linear layer keeps, and its four bodies', () => {
    // x [64, 256], weight [256, 256]; dout and out have x's shape, and there is a gradient for each.
    const { session, http } = bytes('linear 64-256-256', 'float32');
    expect(session).toBe(4 * (64 * 256 + 256 * 256));
    const numbers = 2 * session + 2 * 4 * 64 * 256;
    expect(http['application/vnd.safetensors']).toBeGreaterThan(numbers);
    expect(http['application/vnd.safetensors']).toBeLessThan(numbers + 2048);
    // At least 10 characters per number, although float32 has at most 9 digits.
    expect(http['application/json']).toBeGreaterThan(10 * (numbers / 4));
  });

  it('double in float64, except those that are not floats', () => {
    expect(bytes('linear 1-3-2', 'float64').session).toBe(2 * bytes('linear 1-3-2', 'float32').session);
    // A mask takes one byte per element.
    expect(bytes('dropout 1024-256', 'float64').session).toBe(1024 * 256);
    expect(bytes('dropout 1024-256', 'float32').session).toBe(1024 * 256);
  });

  it.each([
    [0, '0 B'],
    [999, '999 B'],
    [1000, '1.00 kB'],
    [39_936, '39.9 kB'],
    [327_680, '328 kB'],
    [12_345_678, '12.3 MB'],
    [211_000_000, '211 MB'],
  ])('of %d are written %s', (value, text) => {
    expect(formatBytes(value)).toBe(text);
  });
});
