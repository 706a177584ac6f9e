/** Maps every way in which a request can fail to a problem. */
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { finished } from 'node:stream/promises';
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import fp from 'fastify-plugin';
import { jsonPointer, Refusal } from '../../refusal.js';
import { unsupportedMediaType } from '../negotiation.js';
import { holdsBack } from './expect-continue.js';
import { formatProblem, sendProblem, type Head } from '../problem-response.js';
import { problem, ProblemError, type Problem } from '../problems.js';

function problemOf(error: FastifyError | Refusal | ProblemError, request: FastifyRequest): Problem {
  if (error instanceof Refusal) {
    const places = error.places.map(({ path, detail }) => ({ pointer: jsonPointer(path), detail }));
    return problem(error.kind, error.message, places);
  }
  if (error instanceof ProblemError) return error.problem;
  if (error.code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE') return unsupportedMediaType(request).problem;
  // The client disconnected while its body was read, and never sees this response.
  if (request.raw.destroyed && !request.raw.complete)
    return problem('malformed-request', 'the connection was closed before the body was complete');
  if (error.statusCode !== undefined && error.statusCode < 500) return problem('malformed-request', error.message);
  return problem('internal-error', `the service failed; its log has the reason under request id ${request.id}`);
}

function handleErrors(app: FastifyInstance, _options: unknown, done: () => void): void {
  app.server.on('request', (request) => latest.set(request.socket, request));
  app.setErrorHandler<FastifyError | Refusal | ProblemError>(async (error, request, reply) => {
    const answer = problemOf(error, request);
    if (answer.status === 500) request.log.error(error);
    request.problemType = answer.type;
    if (error instanceof ProblemError) void reply.headers(error.headers);
    // A problem must not be saved as a file.
    void reply.removeHeader('content-disposition');
    // Fastify closes the connection if a body has not been read to its end, which happens below.
    if (answer.status === 413 && !holdsBack(request.raw)) void reply.removeHeader('connection');
    if (!request.raw.complete && !holdsBack(request.raw)) await drain(request, reply);
    return sendProblem(reply, answer, error instanceof Refusal ? error.retryAfterSeconds : undefined);
  });
  done();
}

export default fp(handleErrors, { name: 'error-handler' });

/**
 * Reads and discards the rest of a refused body: few clients read a response while they are still sending, and a
 * connection that is closed meanwhile looks broken to them. If it will be closed, the response waits for the end.
 */
async function drain({ raw }: FastifyRequest, reply: FastifyReply): Promise<void> {
  raw.resume();
  // A client that disconnects meanwhile needs no response.
  if (!reply.raw.shouldKeepAlive) await finished(raw, { writable: false }).catch(() => undefined);
}

/** Has the bytes that could not be parsed, which may still contain the target of the request. */
type ClientError = NodeJS.ErrnoException & { readonly rawPacket?: unknown };

/** The latest request of each connection: that of an error after its head has arrived, such as a timeout. */
const latest = new WeakMap<Socket, IncomingMessage>();

/** From the bytes that could not be parsed, if they start with a request line; otherwise from the latest request. */
function headOf({ rawPacket }: ClientError, socket: Socket): Head {
  const packet = Buffer.isBuffer(rawPacket) ? rawPacket.toString('latin1') : '';
  const line = /^\S+ (\S+) HTTP\//.exec(packet);
  if (line) return { url: line[1], accept: /^accept:(.*)$/im.exec(packet)?.[1] };
  const request = latest.get(socket);
  return { url: request?.url ?? '/', accept: request?.headers.accept };
}

/** Responds to errors of the connection, which have no reply object: bytes that are not HTTP, or a late request. */
export function handleClientError(headerLimitBytes: number, error: ClientError, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  let answer: Problem;
  if (error.code === 'HPE_HEADER_OVERFLOW')
    answer = problem('header-too-large', `the header has over ${headerLimitBytes} bytes; expected fewer`);
  else if (error.code === 'ERR_HTTP_REQUEST_TIMEOUT')
    answer = problem('request-timeout', 'the request did not arrive in time; expected it within the time limit');
  else answer = problem('malformed-request', 'the bytes are not an HTTP/1.1 request');
  const { type, body } = formatProblem(answer, headOf(error, socket));
  socket.end(
    `HTTP/1.1 ${answer.status} ${answer.title}\r\nContent-Type: ${type}\r\n` +
      `Content-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  );
}

declare module 'fastify' {
  interface FastifyRequest {
    /** Type of the problem that was sent, for the log. */
    problemType?: string;
  }
}
