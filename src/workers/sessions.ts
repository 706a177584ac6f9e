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

interface Question {
  readonly resolve: (reply: SessionReply) => void;
  readonly reject: (error: Error) => void;
}

/** A thread runs one call at a time, and each call brings the port that its questions go through. */
export class RemoteSessions implements Sessions {
  private port: MessagePort | undefined;
  private open = new Map<number, Question>();
  private last = 0;

  constructor(readonly ttlMs: number) {}

  connect(port: MessagePort): void {
    // Of this port alone: one that closes late must not end the questions of the next call.
    const open = new Map<number, Question>();
    port.on('message', (reply: SessionReply) => {
      open.get(reply.id)?.resolve(reply);
      open.delete(reply.id);
    });
    port.on('close', () => {
      for (const { reject } of open.values()) reject(new Error('the session store failed'));
    });
    this.port = port;
    this.open = open;
  }

  create(session: NewSession): Promise<string> {
    return this.ask({ operation: 'create', session }) as Promise<string>;
  }

  use(token: string, owner?: string): Promise<HeldSession | undefined> {
    return this.ask({ operation: 'use', token, owner }) as Promise<HeldSession | undefined>;
  }

  delete(token: string, owner?: string): Promise<boolean> {
    return this.ask({ operation: 'delete', token, owner }) as Promise<boolean>;
  }

  private async ask(request: Asked<SessionRequest>): Promise<SessionReply['result']> {
    const id = ++this.last;
    const reply = await new Promise<SessionReply>((resolve, reject) => {
      this.open.set(id, { resolve, reject });
      this.port?.postMessage({ ...request, id });
    });
    if (reply.refusal) throw refusalOf(reply.refusal);
    return reply.result;
  }
}

/**
 * Answers a thread's questions from the store.
 * @param found the session of the thread's call, where it has been read from the store already
 */
export function serveSessions(port: MessagePort, store: Sessions, found?: HeldSession): void {
  const answer = (request: SessionRequest): Promise<SessionReply['result']> => {
    switch (request.operation) {
      case 'create':
        return store.create(request.session);
      case 'use':
        return found ? Promise.resolve(found) : store.use(request.token, request.owner);
      case 'delete':
        return store.delete(request.token, request.owner);
    }
  };
  port.on('message', (request: SessionRequest) => {
    void answer(request).then(
      (result) => {
        port.postMessage({ id: request.id, result } satisfies SessionReply);
      },
      (error: unknown) => {
        // Anything but a refusal is a failure of the store: closing the port fails this request, and it alone.
        if (error instanceof Refusal)
          port.postMessage({ id: request.id, refusal: refusalData(error) } satisfies SessionReply);
        else port.close();
      },
    );
  });
}
