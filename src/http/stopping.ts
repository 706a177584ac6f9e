/**
 * How the service stops: first it says that it is not ready, and serves on until balancers know. Then what is in flight
 * is answered to its last byte, what comes after is refused, and connections over which nothing has come are dropped.
 * Node's own `close` would cut off answers that are written but not yet sent, and wait for connections that are kept
 * alive or have asked for nothing.
 */
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { FastifyInstance } from 'fastify';
import { ProblemError } from './errors.js';
import { isProbe } from './probes.js';
import { problem } from './problems.js';

/** By then a balancer has noticed, or the next process has started. */
const RETRY_SECONDS = 1;

export function shuttingDown(): ProblemError {
  const detail = 'this replica is stopping; expected a request to another one';
  return new ProblemError(problem('shutting-down', detail), { 'retry-after': RETRY_SECONDS });
}

/** To be called after the hook that gives a request its id. */
export function stopGracefully(app: FastifyInstance): void {
  let announced = false;
  let stopping = false;
  app.decorate('isStopping', () => announced);
  app.decorate('announceStop', () => {
    announced = true;
  });
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

  app.addHook('onRequest', (request, _reply, done) => {
    // Readiness refuses by itself; and the process lives until it ends.
    if (stopping && !isProbe(request)) done(shuttingDown());
    else done();
  });
  app.addHook('onSend', (_request, reply, payload, done) => {
    // From the announcement on, so that clients who stay on their connection go elsewhere too.
    if (announced) void reply.header('connection', 'close');
    done(null, payload);
  });
  app.addHook('preClose', async () => {
    announced = true;
    stopping = true;
    await Promise.all([...inFlight].map((response) => once(response, 'close')));
    for (const socket of silent) socket.destroy();
  });
}

declare module 'fastify' {
  interface FastifyInstance {
    /** Turns readiness off; everything is served on until `close`. */
    announceStop(): void;
    isStopping(): boolean;
  }
}
