import { describe, expect, it } from 'vitest';
import { decodeSession, encodeSession } from '../../src/sessions/encoding.js';
import type { Session } from '../../src/sessions/store.js';
import { tensor } from '../../src/tensor/tensor.js';

const session: Session = {
  layer: 'pooling',
  dtype: 'float32',
  plan: { outputs: { out: [1, 2] }, mode: 'max', label: 'é😀', rate: 0.1 },
  tensors: {
    mask: tensor([3], Uint8Array.of(0, 1, 1)),
    doubles: tensor([1, 2], Float64Array.of(0.1, 5e-324)),
    floats: tensor([2, 2], Float32Array.of(0.1, NaN, -Infinity, -0)),
    indices: tensor([1, 1, 3], Int32Array.of(-1, 2 ** 31 - 1, 0)),
  },
};

describe('a session as bytes', () => {
  it('is restored bit for bit, however it was split', () => {
    const bytes = encodeSession(session, 1234.5);
    for (const size of [1, 3, 4, 7, 64, bytes.byteLength]) {
      const pieces = Array.from({ length: Math.ceil(bytes.byteLength / size) }, (_, i) =>
        bytes.subarray(i * size, (i + 1) * size),
      );
      expect(decodeSession(pieces)).toEqual({ ...session, created: 1234.5 });
    }
  });

  it('may contain no tensors', () => {
    const empty: Session = { layer: 'dropout', dtype: 'float64', plan: {}, tensors: {} };
    expect(decodeSession([encodeSession(empty, 1)])).toEqual({ ...empty, created: 1 });
  });

  it('has its tensors aligned for views of any dtype, in shared memory', () => {
    for (const { data } of Object.values(decodeSession([encodeSession(session, 1)]).tensors)) {
      expect(data.buffer).toBeInstanceOf(SharedArrayBuffer);
      expect(data.byteOffset % 8).toBe(0);
    }
  });

  it('is hardly larger than its tensors', () => {
    const N = 2 ** 16;
    const large = { ...session, tensors: { x: tensor([N], new Float64Array(N)) } };
    expect(encodeSession(large, Date.now()).byteLength).toBeLessThan(8 * N + 512);
  });
});
