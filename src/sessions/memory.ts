/** Sessions in this process's memory. */
import { randomBytes } from 'node:crypto';
import { Refusal } from '../refusal.js';
import { bytesOf, type HeldSession, type Session, type SessionStore } from './store.js';

/** 192 bits, where the contract wants 128 at least. */
const TOKEN_BYTES = 24;

/** Expired sessions that nobody asks for are still forgotten this often, so that their memory comes back. */
const SWEEP_MS = 1000;

export interface MemoryStoreOptions {
  readonly ttlMs: number;
  readonly budgetBytes: number;
  /** Milliseconds since 1970. */
  readonly clock?: () => number;
}

export class MemoryStore implements SessionStore {
  readonly ttlMs: number;
  private readonly budgetBytes: number;
  private readonly clock: () => number;
  /** Every session lives equally long, and each use moves it to the end: the map is in the order of expiry. */
  private readonly held = new Map<string, HeldSession>();
  private bytes = 0;
  private expiredSoFar = 0;
  private readonly sweeper: NodeJS.Timeout;

  constructor({ ttlMs, budgetBytes, clock = Date.now }: MemoryStoreOptions) {
    this.ttlMs = ttlMs;
    this.budgetBytes = budgetBytes;
    this.clock = clock;
    this.sweeper = setInterval(() => {
      this.sweep();
    }, SWEEP_MS).unref();
  }

  create(session: Session): Promise<string> {
    this.sweep();
    const bytes = bytesOf(session);
    if (bytes > this.budgetBytes)
      return Promise.reject(
        new Refusal(
          'session-too-large',
          `the session would take ${bytes} bytes; at most ${this.budgetBytes} can be kept here. Send "session": false, and backward the forward request in the place of the token`,
        ),
      );
    if (this.bytes + bytes > this.budgetBytes) return Promise.reject(this.full(bytes));
    const token = randomBytes(TOKEN_BYTES).toString('base64url');
    const now = this.clock();
    this.held.set(token, { ...session, created: now, expires: now + this.ttlMs, bytes });
    this.bytes += bytes;
    return Promise.resolve(token);
  }

  use(token: string): Promise<HeldSession | undefined> {
    this.sweep();
    const session = this.held.get(token);
    if (!session) return Promise.resolve(undefined);
    const renewed = { ...session, expires: this.clock() + this.ttlMs };
    this.held.delete(token);
    this.held.set(token, renewed);
    return Promise.resolve(renewed);
  }

  inspect(token: string): Promise<HeldSession | undefined> {
    this.sweep();
    return Promise.resolve(this.held.get(token));
  }

  delete(token: string): Promise<boolean> {
    this.sweep();
    return Promise.resolve(this.forget(token));
  }

  usage(): Promise<{ sessions: number; bytes: number }> {
    this.sweep();
    return Promise.resolve({ sessions: this.held.size, bytes: this.bytes });
  }

  expired(): Promise<number> {
    this.sweep();
    return Promise.resolve(this.expiredSoFar);
  }

  close(): Promise<void> {
    clearInterval(this.sweeper);
    this.held.clear();
    this.bytes = 0;
    return Promise.resolve();
  }

  private full(bytes: number): Refusal {
    const first = this.held.values().next().value;
    const waitMs = first ? first.expires - this.clock() : 0;
    return new Refusal(
      'session-store-full',
      `the session would take ${bytes} bytes, and ${this.bytes} of ${this.budgetBytes} are in use by live sessions. Release sessions ("release": true, or DELETE /sessions/{token}), or send "session": false, or wait`,
      [],
      Math.max(1, Math.ceil(waitMs / 1000)),
    );
  }

  private sweep(): void {
    const now = this.clock();
    for (const [token, { expires }] of this.held) {
      if (expires > now) return;
      this.forget(token);
      this.expiredSoFar++;
    }
  }

  private forget(token: string): boolean {
    const session = this.held.get(token);
    if (!session) return false;
    this.bytes -= session.bytes;
    return this.held.delete(token);
  }
}
