/** The session store, seen from a worker thread through a port, and the other end of that port. */
import type { MessagePort } from 'node:worker_threads';
import type { Sessions } from '../compute/computation.js';
import { Refusal } from '../refusal.js';
import type { HeldSession, NewSession } from '../sessions/store.js';
import type { RefusalData, SessionReply, SessionRequest } from './messages.js';

export function refusalData({ kind, message, places, retryAfterSeconds }: Refusal): RefusalData {
  return { kind, detail: message, places, retryAfterSeconds };
}

export function refusalOf({ kind, detail, places, retryAfterSeconds }: RefusalData): Refusal {
  return new Refusal(kind, detail, places, retryAfterSeconds);
}

type Asked<Request> = Request extends unknown ? Omit<Request, 'id'> : never;

/** Asks through one port for as long as the thread lives: a channel for each call left 1 kB behind it, until the heap was full. */
export class RemoteSessions implements Sessions {
  private readonly open = new Map<number, (reply: SessionReply) => void>();
  private last = 0;
  /** The session of the present call, where it has been read from the store already: a thread runs one call at a time. */
  found: HeldSession | undefined;

  constructor(
    readonly ttlMs: number,
    private readonly port: MessagePort,
  ) {
    port.on('message', (reply: SessionReply) => {
      this.open.get(reply.id)?.(reply);
      this.open.delete(reply.id);
    });
  }

  create(session: NewSession): Promise<string> {
    return this.ask({ operation: 'create', session }) as Promise<string>;
  }

  use(token: string, owner?: string): Promise<HeldSession | undefined> {
    if (this.found) return Promise.resolve(this.found);
    return this.ask({ operation: 'use', token, owner }) as Promise<HeldSession | undefined>;
  }

  delete(token: string, owner?: string): Promise<boolean> {
    return this.ask({ operation: 'delete', token, owner }) as Promise<boolean>;
  }

  private async ask(request: Asked<SessionRequest>): Promise<SessionReply['result']> {
    const id = ++this.last;
    const reply = await new Promise<SessionReply>((resolve) => {
      this.open.set(id, resolve);
      this.port.postMessage({ ...request, id });
    });
    if (reply.refusal) throw refusalOf(reply.refusal);
    if (reply.failed) throw new Error('the session store failed');
    return reply.result;
  }
}

/** Answers a thread's questions from the store. Its port closes with the thread. */
export function serveSessions(port: MessagePort, store: Sessions): void {
  const answer = (request: SessionRequest): Promise<SessionReply['result']> => {
    switch (request.operation) {
      case 'create':
        return store.create(request.session);
      case 'use':
        return store.use(request.token, request.owner);
      case 'delete':
        return store.delete(request.token, request.owner);
    }
  };
  const reply = (answered: SessionReply) => {
    port.postMessage(answered);
  };
  port.on('message', (request: SessionRequest) => {
    const { id } = request;
    void answer(request).then(
      (result) => {
        reply({ id, result });
      },
      (error: unknown) => {
        // Anything but a refusal is a failure of the store, of which a client is told no more.
        reply(error instanceof Refusal ? { id, refusal: refusalData(error) } : { id, failed: true });
      },
    );
  });
  // A process that has nothing else to do may end.
  port.unref();
}
