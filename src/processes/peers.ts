/**
 * A session store over several server processes: each keeps the sessions that it made, and asks the others for
 * theirs. A client that stays on its connection stays with its process; for any other the owner is asked.
 */
import type { HeldSession, Session, SessionStore } from '../sessions/store.js';
import type { Channel } from './channel.js';
import { isPeerMessage, type PeerReply, type PeerRequest, type PeerResult } from './messages.js';

/** A process that does not answer in this time has died, and its sessions with it. */
const PATIENCE_MS = 5000;

export class PeerStore implements SessionStore {
  readonly ttlMs: number;
  private readonly waiting = new Map<number, (result: PeerResult) => void>();
  private last = 0;

  constructor(
    private readonly local: SessionStore,
    private readonly index: number,
    private readonly count: number,
    private readonly channel: Channel<PeerRequest | PeerReply>,
  ) {
    this.ttlMs = local.ttlMs;
    channel.receive((message) => {
      if (!isPeerMessage(message)) return;
      if (message.kind === 'peer-request') void this.serve(message);
      else {
        this.waiting.get(message.id)?.(message.result);
        this.waiting.delete(message.id);
      }
    });
  }

  /** A token begins with the index of the process that made it. */
  async create(session: Session): Promise<string> {
    return `${this.index}.${await this.local.create(session)}`;
  }

  use(token: string): Promise<HeldSession | undefined> {
    return this.route('use', token) as Promise<HeldSession | undefined>;
  }

  inspect(token: string): Promise<HeldSession | undefined> {
    return this.route('inspect', token) as Promise<HeldSession | undefined>;
  }

  async delete(token: string): Promise<boolean> {
    return (await this.route('delete', token)) === true;
  }

  /** Of this process alone: each reports its own. */
  usage(): Promise<{ sessions: number; bytes: number }> {
    return this.local.usage();
  }

  /** Of this process alone, likewise. */
  async expired(): Promise<number> {
    return (await this.local.expired?.()) ?? 0;
  }

  close(): Promise<void> {
    return this.local.close();
  }

  private async route(operation: PeerRequest['operation'], token: string): Promise<PeerResult> {
    const [owner, rest = ''] = token.split('.', 2);
    const to = Number(owner);
    if (!/^\d+$/.test(owner) || to >= this.count) return undefined;
    return to === this.index ? this.local[operation](rest) : this.ask(to, operation, rest);
  }

  private ask(to: number, operation: PeerRequest['operation'], token: string): Promise<PeerResult> {
    const id = ++this.last;
    return new Promise((resolve) => {
      const giveUp = setTimeout(() => {
        this.waiting.delete(id);
        resolve(undefined);
      }, PATIENCE_MS);
      this.waiting.set(id, (result) => {
        clearTimeout(giveUp);
        resolve(result);
      });
      this.channel.send({ kind: 'peer-request', id, from: this.index, to, operation, token });
    });
  }

  private async serve({ id, from, operation, token }: PeerRequest): Promise<void> {
    const result = await this.local[operation](token);
    this.channel.send({ kind: 'peer-reply', id, to: from, result: movable(result) });
  }
}

/** Shared memory ends at the process: what crosses is a copy in memory of its own. */
function movable(result: PeerResult): PeerResult {
  if (typeof result !== 'object') return result;
  const tensors = Object.entries(result.tensors).map(([name, tensor]) => [
    name,
    { ...tensor, data: tensor.data.slice() },
  ]);
  return { ...result, tensors: Object.fromEntries(tensors) as HeldSession['tensors'] };
}
