/** How a worker thread asks for sessions through a port, and how the event loop answers. */
import type { MessagePort } from 'node:worker_threads';
import { Refusal } from '../../refusal.js';
import type { FoundSession, SessionFinder, SessionName } from '../../sessions/sequences.js';
import { refusalData, refusalOf, type SessionQuestion, type SessionReply } from './protocol.js';

/** Uses one port for the lifetime of the thread: a channel for each call leaked 1 kB, until the heap was full. */
export class RemoteSessions implements SessionFinder {
  private readonly open = new Map<number, (reply: SessionReply) => void>();
  private last = 0;

  constructor(
    readonly ttlMs: number,
    private readonly port: MessagePort,
  ) {
    port.on('message', (reply: SessionReply) => {
      this.open.get(reply.id)?.(reply);
      this.open.delete(reply.id);
    });
  }

  async use(name: SessionName, owner?: string): Promise<FoundSession | undefined> {
    const id = ++this.last;
    const reply = await new Promise<SessionReply>((resolve) => {
      this.open.set(id, resolve);
      this.port.postMessage({ id, name, owner } satisfies SessionQuestion);
    });
    if (reply.refusal) throw refusalOf(reply.refusal);
    if (reply.failed) throw new Error('the session store failed');
    return reply.session;
  }
}

/** Answers a thread's questions from the store. Its port closes with the thread. */
export function serveSessions(port: MessagePort, store: SessionFinder): void {
  const reply = (message: SessionReply) => {
    port.postMessage(message);
  };
  port.on('message', ({ id, name, owner }: SessionQuestion) => {
    void store.use(name, owner).then(
      (session) => {
        reply({ id, session });
      },
      (error: unknown) => {
        // Any other error is a failure of the store, whose details are not for clients.
        reply(error instanceof Refusal ? { id, refusal: refusalData(error) } : { id, failed: true });
      },
    );
  });
  // The port must not keep the process running.
  port.unref();
}
