/** Sessions in this process's memory. */
import { randomBytes } from 'node:crypto';
import type { Refusal } from '../refusal.js';
import { bytesOf, full, tooLarge, type HeldSession, type NewSession, type SessionStore, type Usage } from './store.js';

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

interface Entry {
  readonly session: HeldSession;
  readonly owner: string | undefined;
}

export class MemoryStore implements SessionStore {
  readonly ttlMs: number;
  private readonly budgetBytes: number;
  private readonly clock: () => number;
  /** Every session lives equally long, and each use moves it to the end: the map is in the order of expiry. */
  private readonly held = new Map<string, Entry>();
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

  create({ owner, ...session }: NewSession): Promise<string> {
    this.sweep();
    const bytes = bytesOf(session);
    if (bytes > this.budgetBytes) return Promise.reject(tooLarge(bytes, this.budgetBytes));
    if (this.bytes + bytes > this.budgetBytes) return Promise.reject(this.full(bytes));
    const token = randomBytes(TOKEN_BYTES).toString('base64url');
    const now = this.clock();
    this.held.set(token, { session: { ...session, created: now, expires: now + this.ttlMs, bytes }, owner });
    this.bytes += bytes;
    return Promise.resolve(token);
  }

  use(token: string, owner?: string): Promise<HeldSession | undefined> {
    const session = this.find(token, owner);
    if (!session) return Promise.resolve(undefined);
    const renewed = { ...session, expires: this.clock() + this.ttlMs };
    this.held.delete(token);
    this.held.set(token, { session: renewed, owner });
    return Promise.resolve(renewed);
  }

  inspect(token: string, owner?: string): Promise<HeldSession | undefined> {
    return Promise.resolve(this.find(token, owner));
  }

  delete(token: string, owner?: string): Promise<boolean> {
    const session = this.find(token, owner);
    if (session) this.forget(token, session);
    return Promise.resolve(session !== undefined);
  }

  usage(): Promise<Usage> {
    this.sweep();
    return Promise.resolve({ sessions: this.held.size, bytes: this.bytes });
  }

  check(): Promise<void> {
    return Promise.resolve();
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
    const first = this.held.values().next().value?.session;
    const waitMs = first ? first.expires - this.clock() : 0;
    const seconds = Math.max(1, Math.ceil(waitMs / 1000));
    return full(bytes, `${this.bytes} of ${this.budgetBytes} are in use`, seconds);
  }

  private find(token: string, owner: string | undefined): HeldSession | undefined {
    this.sweep();
    const entry = this.held.get(token);
    return entry?.owner === owner ? entry?.session : undefined;
  }

  private sweep(): void {
    const now = this.clock();
    for (const [token, { session }] of this.held) {
      if (session.expires > now) return;
      this.forget(token, session);
      this.expiredSoFar++;
    }
  }

  private forget(token: string, { bytes }: HeldSession): void {
    this.bytes -= bytes;
    this.held.delete(token);
  }
}
