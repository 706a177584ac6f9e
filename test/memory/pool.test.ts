import { expect, it } from 'vitest';
import { Pool } from '../../src/memory/pool.js';

const MEBIBYTE = 2 ** 20;

it('gives again what it was given back', () => {
  const pool = new Pool();
  const first = pool.take(3 * MEBIBYTE);
  expect(first).toHaveLength(3 * MEBIBYTE);
  const { buffer } = first;
  expect(pool.take(3 * MEBIBYTE).buffer).not.toBe(buffer);
  pool.give(buffer);
  const again = pool.take(3 * MEBIBYTE);
  expect(again.buffer).toBe(buffer);
  // A codec knows a body that it has seen by its identity.
  expect(again).not.toBe(first);
});

it('has one memory for bodies of nearly one length', () => {
  const pool = new Pool();
  const { buffer } = pool.take(5_100_000);
  pool.give(buffer);
  expect(pool.take(5_100_007).buffer).toBe(buffer);
});

it('frees what it has not made', () => {
  const pool = new Pool();
  const { buffer } = new Float64Array(MEBIBYTE);
  pool.give(buffer);
  expect(buffer.byteLength).toBe(0);
});

it('leaves alone what may be in use elsewhere', () => {
  const pool = new Pool();
  const slab = Buffer.from('a small text').buffer;
  pool.give(slab);
  expect(slab.byteLength).toBe(Buffer.poolSize);
  expect(pool.take(Buffer.poolSize).buffer).not.toBe(slab);
});

it('keeps memory that threads share apart from other memory', () => {
  const pool = new Pool();
  const shared = pool.take(MEBIBYTE, true).buffer;
  expect(shared).toBeInstanceOf(SharedArrayBuffer);
  pool.give(shared);
  expect(pool.take(MEBIBYTE).buffer).toBeInstanceOf(ArrayBuffer);
  expect(pool.take(MEBIBYTE, true).buffer).toBe(shared);
});

it('frees what was given back longest ago when it holds too much', () => {
  const pool = new Pool();
  const buffers = [64, 32, 32, 64].map((size) => pool.take(size * MEBIBYTE).buffer as ArrayBuffer);
  for (const buffer of buffers) pool.give(buffer);
  expect(buffers.map(({ byteLength }) => byteLength / MEBIBYTE)).toEqual([64, 0, 0, 64]);
  pool.give(pool.take(MEBIBYTE).buffer);
  expect(buffers.map(({ byteLength }) => byteLength / MEBIBYTE)).toEqual([0, 0, 0, 64]);
});
