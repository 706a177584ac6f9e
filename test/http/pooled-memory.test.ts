import { expect, it } from 'vitest';
import { readSafetensors } from '../../src/codec/safetensors/read.js';
import { writeSafetensors } from '../../src/codec/safetensors/write.js';
import type { Fields } from '../../src/codec/fields.js';
import { tensor, type Tensor } from '../../src/tensor/tensor.js';
import { serveAll } from '../support/service.js';

/** Large enough that the next body of the same size reuses pooled memory. */
const N = 64;
const C = 64;
const service = serveAll();

const filled = (value: (i: number) => number): Tensor =>
  tensor(
    [N, C],
    Float64Array.from({ length: N * C }, (_, i) => value(i)),
  );

async function post(path: string, fields: Fields) {
  const response = await fetch(`${service().url}/${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/vnd.safetensors' },
    body: Buffer.concat(writeSafetensors(fields)),
  });
  expect(response.status).toBe(200);
  return readSafetensors(Buffer.from(await response.arrayBuffer()));
}

it('pooled memory is never shared by a session and a later body', async () => {
  const x = filled(Math.sin);
  const dout = filled(Math.cos);
  const { tensors: alone } = await post('batchnorm/backward', { 'forward.x': x, dout });
  const { metadata } = await post('batchnorm', { x });
  for (let i = 0; i < 4; i++) await post('batchnorm', { x: filled(() => i), session: false });
  const { tensors: later } = await post('batchnorm/backward', { session: metadata.session as string, dout });
  expect(later).toEqual(alone);
});

it('pooled memory is never shared by an answer that is still being sent and another request', async () => {
  // In inference, the answer consists of the body's own bytes.
  const answers = await Promise.all(
    Array.from({ length: 16 }, (_, i) => post('dropout', { x: filled(() => i), training: false, session: false })),
  );
  answers.forEach(({ tensors }, i) => {
    expect(tensors.out).toEqual(filled(() => i));
  });
});
