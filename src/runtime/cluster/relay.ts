/** The primary's part in `protocol.ts`: forwards requests between servers, and answers for servers that have died. */
import { isOfKind, type PeerReply, type PeerRequest } from './protocol.js';

/** A server process: a `Worker` of `node:cluster`. */
export interface Peer {
  send(message: PeerRequest | PeerReply, done: (error: Error | null) => void): unknown;
}

interface Asked {
  readonly asker: Peer;
  /** The asker's number of the request. */
  readonly id: number;
  readonly asked: Peer;
}

export class Relay<Server extends Peer = Peer> {
  /** Listening servers by index; only these have sessions. */
  private readonly serving = new Map<number, Server>();
  /** Open requests, by the number under which they were forwarded. */
  private readonly open = new Map<number, Asked>();
  private last = 0;

  /** The server listens and may create sessions. */
  serves(index: number, server: Server): void {
    this.serving.set(index, server);
  }

  /** The server has died: requests to it find no session. */
  died(index: number, server: Server): void {
    if (this.serving.get(index) === server) this.serving.delete(index);
    for (const [number, { asker, asked }] of this.open)
      if (asker === server) this.open.delete(number);
      else if (asked === server) this.answer(number, undefined);
  }

  /** @returns whether the message belongs to this protocol */
  pass(from: Server, message: unknown): boolean {
    if (isOfKind<PeerRequest>(message, 'peer-request')) this.ask(from, message);
    else if (isOfKind<PeerReply>(message, 'peer-reply')) this.answer(message.id, message.result);
    else return false;
    return true;
  }

  private ask(asker: Server, request: PeerRequest): void {
    const asked = this.serving.get(request.to);
    const number = ++this.last;
    this.open.set(number, { asker, id: request.id, asked: asked ?? asker });
    if (!asked) this.answer(number, undefined);
    else
      asked.send({ ...request, id: number }, (error) => {
        if (error) this.answer(number, undefined);
      });
  }

  /** Does nothing if the asker has died, or the request has been answered already. */
  private answer(number: number, result: PeerReply['result']): void {
    const open = this.open.get(number);
    this.open.delete(number);
    // If the reply cannot be delivered, the asker has died.
    open?.asker.send({ kind: 'peer-reply', id: open.id, result }, () => undefined);
  }
}
