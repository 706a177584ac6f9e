/** How long clients may take: over the head of a request, over all of it, over its answer, and between two requests. */
import type { FastifyHttpOptions, FastifyInstance } from 'fastify';
import type { Server } from 'node:http';
import type { Config } from '../config.js';

type Times = Pick<
  Config,
  | 'HEADERS_TIMEOUT_SECONDS'
  | 'REQUEST_TIMEOUT_SECONDS'
  | 'KEEP_ALIVE_TIMEOUT_SECONDS'
  | 'SEND_TIMEOUT_SECONDS'
  | 'HEADER_LIMIT_BYTES'
>;

/** Node looks for connections that are late this often; its own 30 s would make 40 of a limit of 10. */
const CHECK_MS = 1000;

/** What the server is made with. */
export function serverLimits(
  config: Times,
): Pick<FastifyHttpOptions<Server>, 'http' | 'requestTimeout' | 'keepAliveTimeout'> {
  return {
    requestTimeout: config.REQUEST_TIMEOUT_SECONDS * 1000,
    keepAliveTimeout: config.KEEP_ALIVE_TIMEOUT_SECONDS * 1000,
    http: {
      maxHeaderSize: config.HEADER_LIMIT_BYTES,
      // Here too: Node compares the two as the server is made, which Fastify tells only afterwards.
      requestTimeout: config.REQUEST_TIMEOUT_SECONDS * 1000,
      // Node refuses a head that may take longer than its request.
      headersTimeout: Math.min(config.HEADERS_TIMEOUT_SECONDS, config.REQUEST_TIMEOUT_SECONDS) * 1000,
      connectionsCheckingInterval: CHECK_MS,
    },
  };
}

/**
 * Ends connections whose client reads nothing of an answer that waits for it. A connection over which nothing goes
 * because its answer is being computed, or its request still comes, lives on.
 */
export function endStalledAnswers(app: FastifyInstance, config: Times): void {
  const patienceMs = config.SEND_TIMEOUT_SECONDS * 1000;
  // Of the answer and not of the server: with a listener of that Node would no longer end idle connections itself.
  app.server.on('request', (_request, response) => {
    response.setTimeout(patienceMs, () => {
      const { socket } = response;
      if (socket && socket.writableLength > 0) socket.destroy();
      else socket?.setTimeout(patienceMs);
    });
  });
}
