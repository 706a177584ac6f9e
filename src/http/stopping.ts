/**
 * How the service stops: what is in flight is answered to its last byte, what comes after is refused, and connections
 * over which nothing has come are dropped. Node's own `close` would cut off answers that are written but not yet sent,
 * and wait for connections that are kept alive or have asked for nothing.
 */
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { FastifyInstance } from 'fastify';
import { ProblemError } from './errors.js';
import { problem } from './problems.js';

/** By then a balancer has noticed, or the next process has started. */
const RETRY_SECONDS = 1;

/** To be called after the hook that gives a request its id. */
export function stopGracefully(app: FastifyInstance): void {
  let stopping = false;
  const silent = new Set<Socket>();
  const inFlight = new Set<ServerResponse>();
  app.server.on('connection', (socket) => {
    silent.add(socket);
    socket.once('close', () => silent.delete(socket));
  });
  app.server.on('request', ({ socket }, response) => {
    silent.delete(socket);
    inFlight.add(response);
    response.once('close', () => inFlight.delete(response));
  });

  app.addHook('onRequest', (_request, reply, done) => {
    if (!stopping) {
      done();
      return;
    }
    void reply.header('retry-after', RETRY_SECONDS);
    done(new ProblemError(problem('shutting-down', 'this replica is stopping; expected a request to another one')));
  });
  app.addHook('onSend', (_request, reply, payload, done) => {
    if (stopping) void reply.header('connection', 'close');
    done(null, payload);
  });
  app.addHook('preClose', async () => {
    stopping = true;
    await Promise.all([...inFlight].map((response) => once(response, 'close')));
    for (const socket of silent) socket.destroy();
  });
}
