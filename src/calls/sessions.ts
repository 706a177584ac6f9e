/** Keeps and releases the sessions of calls, with advice in the words of a call's format if the store refuses. */
import { inferenceAdvice } from '../codec/inference/inference.js';
import { Refusal } from '../refusal.js';
import type { Sessions } from '../sessions/sequences.js';
import { jsonWords, type Words } from '../validation/words.js';
import type { Answer, CallHead, Outcome, Released } from './call.js';

/** Keeps and releases the session of an outcome. The answer must not be sent until this has succeeded. */
export async function settle(
  { keep, release, ...answer }: Outcome,
  call: CallHead,
  sessions: Sessions,
): Promise<Answer> {
  const { owner } = call;
  if (keep) {
    const advice = 'protocol' in call ? inferenceAdvice : jsonWords.advice;
    await advising(sessions.keep(keep.token, { ...keep.session, owner }, keep.sequence), advice);
  }
  if (release) await forget(release, owner, sessions);
  return answer;
}

/** Adds to a refusal of the session store what the client can do about it. */
export async function advising<Result>(asked: Promise<Result>, advice: Words['advice']): Promise<Result> {
  try {
    return await asked;
  } catch (error) {
    const advised = error instanceof Refusal ? advice[error.kind] : undefined;
    if (!(error instanceof Refusal) || advised === undefined) throw error;
    throw new Refusal(error.kind, `${error.message}. ${advised}`, error.places, error.retryAfterSeconds);
  }
}

/**
 * Ignores a store that is unavailable: the session expires anyway, and a client that was told to repeat the call might
 * find it deleted.
 */
async function forget({ token, sequence }: Released, owner: string | undefined, sessions: Sessions): Promise<void> {
  try {
    await sessions.delete(token, owner, sequence);
  } catch (error) {
    if (!(error instanceof Refusal && error.kind === 'session-store-unavailable')) throw error;
  }
}
