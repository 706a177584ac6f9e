/**
 * Sequences of the Open Inference Protocol: sessions under an id that the client chooses.
 *
 * A sequence is an ordinary session under a random token that is not returned. The store also maps names to tokens. The
 * name of a sequence is a hash of the owner and the id, so an id never leads to a session of another owner, or to one
 * that was not created for a sequence. Names are bound and removed atomically. A session that has lost its name is
 * deleted; if that fails, it expires.
 */
import { createHash } from 'node:crypto';
import type { HeldSession, NewSession, SessionStore } from './store.js';
import type { TokenFormat } from './tokens.js';

/** How a request names its session: a token, or the id of a sequence. */
export type SessionName = string | { readonly sequence: string };

export interface FoundSession extends HeldSession {
  readonly token: string;
}

/** Finds the session that a call needs before it is computed. Throws the store's errors. */
export interface SessionFinder {
  readonly ttlMs: number;
  use(name: SessionName, owner?: string): Promise<FoundSession | undefined>;
}

/** Also keeps and deletes sessions, which a call needs after it has been computed. */
export interface Sessions extends SessionFinder {
  readonly tokens: TokenFormat;
  /** Stores a session. If a sequence is given, it names this session from now on, and its previous session is deleted. */
  keep(token: string, session: NewSession, sequence?: string): Promise<void>;
  /** Deletes the session, and the name of its sequence unless it now refers to another session. */
  delete(token: string, owner?: string, sequence?: string): Promise<boolean>;
}

export class SequencedSessions implements Sessions {
  readonly ttlMs: number;
  readonly tokens: TokenFormat;

  constructor(private readonly store: SessionStore) {
    this.ttlMs = store.ttlMs;
    this.tokens = store.tokens;
  }

  async keep(token: string, session: NewSession, sequence?: string): Promise<void> {
    const { store } = this;
    const { owner } = session;
    await store.keep(token, session);
    if (sequence === undefined) return;
    let before: string | undefined;
    try {
      before = await store.bind(nameOf(sequence, owner), token);
    } catch (error) {
      await store.delete(token, owner).catch(() => undefined);
      throw error;
    }
    // The name is bound to the new session already; if the previous one cannot be deleted now, it expires.
    if (before !== undefined) await store.delete(before, owner).catch(() => undefined);
  }

  async use(name: SessionName, owner?: string): Promise<FoundSession | undefined> {
    const token = typeof name === 'string' ? name : await this.store.tokenOf(nameOf(name.sequence, owner));
    const session = token === undefined ? undefined : await this.store.use(token, owner);
    return session && token !== undefined ? { ...session, token } : undefined;
  }

  async delete(token: string, owner?: string, sequence?: string): Promise<boolean> {
    const deleted = await this.store.delete(token, owner);
    if (sequence !== undefined) await this.store.unbind(nameOf(sequence, owner), token);
    return deleted;
  }
}

function nameOf(sequence: string, owner: string | undefined): string {
  return createHash('sha256')
    .update(JSON.stringify([owner ?? null, sequence]))
    .digest('hex');
}
