/**
 * How the service stops. First it reports that it is not ready, and keeps serving until balancers have noticed. Then
 * requests in flight are answered to the last byte, new ones are refused, and connections on which nothing has arrived
 * are closed. Node's own `close` would cut off responses that are written but not yet sent, and wait for connections
 * that are kept alive or have sent no request.
 */
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { FastifyInstance } from 'fastify';
import fp from 'fastify-plugin';
import { isProbe, shuttingDown } from '../probes.js';

function stopGracefully(app: FastifyInstance, _options: unknown, done: () => void): void {
  let announced = false;
  let stopping = false;
  app.decorate('isStopping', () => announced);
  app.decorate('announceStop', () => {
    announced = true;
  });
  /** Connections that have sent no request yet. */
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

  app.addHook('onRequest', (request, _reply, next) => {
    // The readiness probe reports it itself, and the process is live until it exits.
    if (stopping && !isProbe(request)) next(shuttingDown());
    else next();
  });
  app.addHook('onSend', (_request, reply, payload, next) => {
    // From the announcement on, so that clients with a kept-alive connection go elsewhere too.
    if (announced) void reply.header('connection', 'close');
    next(null, payload);
  });
  app.addHook('preClose', async () => {
    announced = true;
    stopping = true;
    await Promise.all([...inFlight].map((response) => once(response, 'close')));
    for (const socket of silent) socket.destroy();
  });
  done();
}

export default fp(stopGracefully, { name: 'graceful-shutdown', dependencies: ['request-log'] });

declare module 'fastify' {
  interface FastifyInstance {
    /** Makes the readiness probe fail; requests are still served until `close`. */
    announceStop(): void;
    isStopping(): boolean;
  }
}
