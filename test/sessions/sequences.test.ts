import { expect, it } from 'vitest';
import { MemoryStore } from '../../src/sessions/memory-store.js';
import { SequencedSessions } from '../../src/sessions/sequences.js';
import { tensor } from '../../src/tensor/tensor.js';
import { createSession } from '../support/sessions.js';

const session = {
  layer: 'dropout',
  dtype: 'float64',
  plan: {},
  tensors: { mask: tensor([1], Float64Array.of(1)) },
} as const;

it('keep the new session of a sequence, even if the previous one cannot be deleted', async () => {
  const store = new MemoryStore({ ttlMs: 60_000, budgetBytes: 2 ** 20 });
  const sessions = new SequencedSessions(store);
  await createSession(sessions, session, 'a');
  store.delete = () => Promise.reject(new Error('the store does not answer'));
  const token = await createSession(sessions, session, 'a');
  expect((await sessions.use({ sequence: 'a' }))?.token).toBe(token);
});
