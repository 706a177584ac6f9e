/** Time limits: for sending a request's head and all of it, for reading a response, and between requests. */
import type { FastifyHttpOptions, FastifyInstance } from 'fastify';
import fp from 'fastify-plugin';
import type { Server } from 'node:http';
import type { Config } from '../../config.js';

type Timeouts = Pick<
  Config,
  | 'HEADERS_TIMEOUT_SECONDS'
  | 'REQUEST_TIMEOUT_SECONDS'
  | 'KEEP_ALIVE_TIMEOUT_SECONDS'
  | 'SEND_TIMEOUT_SECONDS'
  | 'HEADER_LIMIT_BYTES'
>;

/** How often Node checks for late requests; with its default, 30 s, a limit of 10 s could take 40 s. */
const CHECK_MS = 1000;

/** The timeouts and limits that the server is created with. */
export function serverLimits(
  config: Timeouts,
): Pick<FastifyHttpOptions<Server>, 'http' | 'requestTimeout' | 'keepAliveTimeout'> {
  return {
    requestTimeout: config.REQUEST_TIMEOUT_SECONDS * 1000,
    keepAliveTimeout: config.KEEP_ALIVE_TIMEOUT_SECONDS * 1000,
    http: {
      maxHeaderSize: config.HEADER_LIMIT_BYTES,
      // Set here too: Node compares the two when the server is created, and Fastify sets its own only afterwards.
      requestTimeout: config.REQUEST_TIMEOUT_SECONDS * 1000,
      // Node rejects a timeout for the head that is longer than the one for the request.
      headersTimeout: Math.min(config.HEADERS_TIMEOUT_SECONDS, config.REQUEST_TIMEOUT_SECONDS) * 1000,
      connectionsCheckingInterval: CHECK_MS,
      // Refused in `host-header.ts`, as problem details.
      requireHostHeader: false,
    },
  };
}

/**
 * Closes a connection whose client has stopped reading a pending response. A connection that is idle because its
 * response is being computed, or its request is still arriving, stays open.
 */
function endStalledResponses(
  app: FastifyInstance,
  { SEND_TIMEOUT_SECONDS }: Pick<Timeouts, 'SEND_TIMEOUT_SECONDS'>,
  done: () => void,
): void {
  const timeoutMs = SEND_TIMEOUT_SECONDS * 1000;
  // Set on the response, not on the server: with a timeout listener there, Node no longer closes idle connections.
  app.server.on('request', (_request, response) => {
    response.setTimeout(timeoutMs, () => {
      const { socket } = response;
      if (socket && socket.writableLength > 0) socket.destroy();
      else socket?.setTimeout(timeoutMs);
    });
  });
  done();
}

export default fp(endStalledResponses, { name: 'timeouts' });
