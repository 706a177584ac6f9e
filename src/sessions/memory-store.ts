/** Sessions in the memory of this process. */
import type { Refusal } from '../refusal.js';
import { bytesOf, full, tooLarge, type HeldSession, type NewSession, type SessionStore, type Usage } from './store.js';

/** How often expired sessions are deleted even if no request arrives, so that their memory is freed. */
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
  readonly tokens = { prefix: '' };
  private readonly budgetBytes: number;
  private readonly clock: () => number;
  /** All sessions have the same lifetime, and each use moves a session to the end, so the map is in order of expiry. */
  private readonly held = new Map<string, Entry>();
  /** Also in order of expiry. Names need no budget: each was bound to a session, which uses more memory. */
  private readonly names = new Map<string, { readonly token: string; readonly expires: number }>();
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

  keep(token: string, { owner, ...session }: NewSession): Promise<void> {
    this.sweep();
    const bytes = bytesOf(session);
    if (bytes > this.budgetBytes) return Promise.reject(tooLarge(bytes, this.budgetBytes));
    if (this.bytes + bytes > this.budgetBytes) return Promise.reject(this.full(bytes));
    const now = this.clock();
    this.held.set(token, { session: { ...session, created: now, expires: now + this.ttlMs, bytes }, owner });
    this.bytes += bytes;
    return Promise.resolve();
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

  bind(name: string, token: string): Promise<string | undefined> {
    this.sweep();
    const before = this.names.get(name)?.token;
    this.names.delete(name);
    this.names.set(name, { token, expires: this.clock() + this.ttlMs });
    return Promise.resolve(before);
  }

  tokenOf(name: string): Promise<string | undefined> {
    this.sweep();
    const token = this.names.get(name)?.token;
    return token === undefined ? Promise.resolve(undefined) : this.bind(name, token);
  }

  unbind(name: string, token: string): Promise<void> {
    if (this.names.get(name)?.token === token) this.names.delete(name);
    return Promise.resolve();
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
    this.names.clear();
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
    for (const [name, { expires }] of this.names) {
      if (expires > now) break;
      this.names.delete(name);
    }
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
