import { expect, it } from 'vitest';
import { LEAST_BYTES, Pool } from '../../src/platform/buffer-pool.js';

const MEBIBYTE = 2 ** 20;

it('reuses a buffer that was given back', () => {
  const pool = new Pool();
  const first = pool.take(3 * MEBIBYTE);
  expect(first).toHaveLength(3 * MEBIBYTE);
  const { buffer } = first;
  expect(pool.take(3 * MEBIBYTE).buffer === buffer).toBe(false);
  pool.give(buffer);
  const again = pool.take(3 * MEBIBYTE);
  expect(again.buffer).toBe(buffer);
  // A codec recognises a body by its identity, so each body must be a new buffer.
  expect(again === first).toBe(false);
});

it('uses the same memory for bodies of similar length', () => {
  const pool = new Pool();
  const { buffer } = pool.take(5_100_000);
  pool.give(buffer);
  expect(pool.take(5_100_007).buffer).toBe(buffer);
});

it('frees buffers that it did not create', () => {
  const pool = new Pool();
  const { buffer } = new Float64Array(MEBIBYTE);
  pool.give(buffer);
  expect(buffer.byteLength).toBe(0);
});

it('does not touch buffers that may be in use elsewhere', () => {
  const pool = new Pool();
  // The slab is a few bytes longer than `Buffer.poolSize` in some releases of Node.js.
  const slab = Buffer.from('a small text').buffer;
  const { byteLength } = slab;
  expect(byteLength).toBeLessThan(LEAST_BYTES);
  pool.give(slab);
  expect(slab.byteLength).toBe(byteLength);
  expect(pool.take(byteLength).buffer).not.toBe(slab);
});

it('keeps shared memory apart from other memory', () => {
  const pool = new Pool();
  const shared = pool.take(MEBIBYTE, true).buffer;
  expect(shared).toBeInstanceOf(SharedArrayBuffer);
  pool.give(shared);
  expect(pool.take(MEBIBYTE).buffer).toBeInstanceOf(ArrayBuffer);
  expect(pool.take(MEBIBYTE, true).buffer).toBe(shared);
});

it('frees the buffers that were given back longest ago when it holds too much', () => {
  const pool = new Pool();
  const buffers = [64, 32, 32, 64].map((size) => pool.take(size * MEBIBYTE).buffer as ArrayBuffer);
  for (const buffer of buffers) pool.give(buffer);
  expect(buffers.map(({ byteLength }) => byteLength / MEBIBYTE)).toEqual([64, 0, 0, 64]);
  pool.give(pool.take(MEBIBYTE).buffer);
  expect(buffers.map(({ byteLength }) => byteLength / MEBIBYTE)).toEqual([0, 0, 0, 64]);
});
