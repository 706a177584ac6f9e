/**
 * A session store over several server processes. Each process keeps the sessions it created; a token starts with its
 * index. A client that keeps its connection stays with one process. Any other session is requested from the process
 * that created it, as `protocol.ts` describes.
 */
import { Refusal } from '../../refusal.js';
import type { HeldSession, NewSession, SessionStore, Usage } from '../../sessions/store.js';
import type { TokenFormat } from '../../sessions/tokens.js';
import type { Channel } from './channel.js';
import { isOfKind, type PeerReply, type PeerRequest, type PeerResult } from './protocol.js';

/** Five times the default of `EVENT_LOOP_DELAY_LIMIT_MS`: a process that takes longer is overloaded. */
export const PATIENCE_MS = 5000;

const RETRY_SECONDS = 2;

export class PeerStore implements SessionStore {
  readonly ttlMs: number;
  readonly tokens: TokenFormat;
  private readonly waiting = new Map<number, (result: PeerResult) => void>();
  private last = 0;

  constructor(
    private readonly local: SessionStore,
    private readonly index: number,
    private readonly count: number,
    private readonly channel: Channel<PeerRequest | PeerReply>,
  ) {
    this.ttlMs = local.ttlMs;
    this.tokens = { ...local.tokens, prefix: `${index}.` };
    channel.receive((message) => {
      if (isOfKind<PeerRequest>(message, 'peer-request')) void this.serve(message);
      else if (isOfKind<PeerReply>(message, 'peer-reply')) this.waiting.get(message.id)?.(message.result);
    });
  }

  keep(token: string, session: NewSession): Promise<void> {
    return this.local.keep(token.slice(this.tokens.prefix.length), session);
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

  /**
   * The name, a hash, determines the process that keeps it, its home; all processes ask the home.
   * @throws {Refusal} session-store-unavailable if the home has died and its successor is not listening yet
   */
  async bind(name: string, token: string): Promise<string | undefined> {
    const previous = (await this.askHome('bind', name, token)) as string | undefined;
    if (previous === undefined) throw unavailable('the process that keeps the sequence is starting; try again');
    return previous === NONE ? undefined : previous;
  }

  tokenOf(name: string): Promise<string | undefined> {
    return this.askHome('tokenOf', name) as Promise<string | undefined>;
  }

  async unbind(name: string, token: string): Promise<void> {
    await this.askHome('unbind', name, token);
  }

  /** Only of this process: each process reports its own usage. */
  usage(): Promise<Usage | undefined> {
    return this.local.usage();
  }

  check(): Promise<void> {
    return this.local.check();
  }

  /** Only of this process, like `usage`. */
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
    return this.at(to, { operation, about: rest, argument: owner });
  }

  private askHome(operation: PeerRequest['operation'], name: string, argument?: string): Promise<PeerResult> {
    return this.at(Number.parseInt(name.slice(0, 8), 16) % this.count, { operation, about: name, argument });
  }

  private at(to: number, question: Question): Promise<PeerResult> {
    return to === this.index ? operate(this.local, question) : this.ask({ to, ...question });
  }

  private async ask(question: Question & Pick<PeerRequest, 'to'>): Promise<PeerResult> {
    const id = ++this.last;
    let giveUp: NodeJS.Timeout | undefined;
    try {
      return await new Promise<PeerResult>((resolve, reject) => {
        this.waiting.set(id, resolve);
        giveUp = setTimeout(() => {
          // If this process was too busy to read a reply that has arrived, it reads the reply before the immediate.
          setImmediate(() => {
            reject(
              unavailable(
                `the process that keeps the session has not answered within ${PATIENCE_MS / 1000} s; try again`,
              ),
            );
          });
        }, PATIENCE_MS);
        this.channel.send({ kind: 'peer-request', id, ...question });
      });
    } finally {
      clearTimeout(giveUp);
      this.waiting.delete(id);
    }
  }

  private async serve({ id, ...question }: PeerRequest): Promise<void> {
    const result = await operate(this.local, question);
    this.channel.send({ kind: 'peer-reply', id, result: movable(result) });
  }
}

/** The result of `bind` for a name that was not bound: undefined means that the process asked has died. */
const NONE = '';

type Question = Pick<PeerRequest, 'operation' | 'about' | 'argument'>;

async function operate(store: SessionStore, { operation, about, argument }: Question): Promise<PeerResult> {
  if (operation === 'bind') return (await store.bind(about, argument ?? '')) ?? NONE;
  if (operation === 'tokenOf') return store.tokenOf(about);
  if (operation !== 'unbind') return store[operation](about, argument);
  await store.unbind(about, argument ?? '');
  return undefined;
}

function unavailable(detail: string): Refusal {
  return new Refusal('session-store-unavailable', detail, [], RETRY_SECONDS);
}

/** Shared memory cannot cross processes, so tensors are copied. */
function movable(result: PeerResult): PeerResult {
  if (typeof result !== 'object') return result;
  const tensors = Object.entries(result.tensors).map(([name, tensor]) => [
    name,
    { ...tensor, data: tensor.data.slice() },
  ]);
  return { ...result, tensors: Object.fromEntries(tensors) as HeldSession['tensors'] };
}
