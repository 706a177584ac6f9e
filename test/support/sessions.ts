import type { Sessions } from '../../src/sessions/sequences.js';
import { bytesOf, type NewSession } from '../../src/sessions/store.js';
import { createToken } from '../../src/sessions/tokens.js';

/** Stores a session under a new token, as a call does. */
export async function createSession(
  store: Pick<Sessions, 'tokens' | 'keep'>,
  session: NewSession,
  sequence?: string,
): Promise<string> {
  const token = createToken(store.tokens, bytesOf(session));
  await store.keep(token, session, sequence);
  return token;
}
