import { expect, it } from 'vitest';
import { sharedCopies } from '../../src/tensor/shared.js';
import { tensor } from '../../src/tensor/tensor.js';

it('copies tensors of every dtype into one block of shared memory', () => {
  const tensors = {
    mask: tensor([3], Uint8Array.of(1, 0, 1)),
    x: tensor([1, 2], Float64Array.of(1.5, -0)),
    lengths: tensor([1], Int32Array.of(7)),
    weight: tensor([2], Float32Array.of(0.1, Infinity)),
  };
  const copies = sharedCopies(tensors);
  expect(copies).toEqual(tensors);
  const memories = new Set(Object.values(copies).map(({ data }) => data.buffer));
  expect(memories.size).toBe(1);
  expect([...memories][0]).toBeInstanceOf(SharedArrayBuffer);
  tensors.x.data.fill(9);
  expect([...copies.x.data]).toEqual([1.5, -0]);
});
