/**
 * A session store over several server processes: each keeps the sessions that it made, and asks the others for
 * theirs. A client that stays on its connection stays with its process; for any other the owner is asked.
 */
import type { HeldSession, NewSession, SessionStore, Usage } from '../sessions/store.js';
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
  async create(session: NewSession): Promise<string> {
    return `${this.index}.${await this.local.create(session)}`;
  }

  use(token: string, owner?: string): Promise<HeldSession | undefined> {
    return this.route('use', token, owner) as Promise<HeldSession | undefined>;
  }

  inspect(token: string, owner?: string): Promise<HeldSession | undefined> {
    return this.route('inspect', token, owner) as Promise<HeldSession | undefined>;
  }

  async delete(token: string, owner?: string): Promise<boolean> {
    return (await this.route('delete', token, owner)) === true;
  }

  /** Of this process alone: each reports its own. */
  usage(): Promise<Usage | undefined> {
    return this.local.usage();
  }

  check(): Promise<void> {
    return this.local.check();
  }

  /** Of this process alone, likewise. */
  async expired(): Promise<number> {
    return (await this.local.expired?.()) ?? 0;
  }

  close(): Promise<void> {
    return this.local.close();
  }

  private async route(
    operation: PeerRequest['operation'],
    token: string,
    owner: string | undefined,
  ): Promise<PeerResult> {
    const [maker, rest = ''] = token.split('.', 2);
    const to = Number(maker);
    if (!/^\d+$/.test(maker) || to >= this.count) return undefined;
    return to === this.index ? this.local[operation](rest, owner) : this.ask({ to, operation, token: rest, owner });
  }

  private ask(question: Pick<PeerRequest, 'to' | 'operation' | 'token' | 'owner'>): Promise<PeerResult> {
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
      this.channel.send({ kind: 'peer-request', id, from: this.index, ...question });
    });
  }

  private async serve({ id, from, operation, token, owner }: PeerRequest): Promise<void> {
    const result = await this.local[operation](token, owner);
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
