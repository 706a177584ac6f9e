/** Every way in which a request can fail, to problem details. */
import type { Socket } from 'node:net';
import { finished } from 'node:stream/promises';
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { jsonPointer, Refusal } from '../refusal.js';
import { problem, PROBLEM_JSON, type Problem } from './problems.js';

/** A problem that only HTTP knows, thrown. */
export class ProblemError extends Error {
  override readonly name = 'ProblemError';

  constructor(
    readonly problem: Problem,
    /** Of the answer, beside those that every problem has. */
    readonly headers: Readonly<Record<string, string | number>> = {},
  ) {
    super(problem.detail);
  }
}

export function sendProblem(reply: FastifyReply, answer: Problem, retryAfterSeconds?: number): FastifyReply {
  if (retryAfterSeconds !== undefined) void reply.header('retry-after', retryAfterSeconds);
  const written = isInference(reply.request.url) ? { ...answer, error: answer.detail } : answer;
  // Bytes, so that no serializer or charset is added to them.
  return reply
    .code(answer.status)
    .type(PROBLEM_JSON)
    .send(Buffer.from(JSON.stringify(written)));
}

/** Whether a path is one of the Open Inference Protocol. */
function isInference(url: string): boolean {
  return /^\/v2(?![^/?])/.test(url);
}

function problemOf(
  error: FastifyError | Refusal | ProblemError,
  request: FastifyRequest,
  bodyLimitBytes: number,
): Problem {
  if (error instanceof Refusal) {
    const places = error.places.map(({ path, detail }) => ({ pointer: jsonPointer(path), detail }));
    return problem(error.kind, error.message, places);
  }
  if (error instanceof ProblemError) return error.problem;
  switch (error.code) {
    case 'FST_ERR_CTP_BODY_TOO_LARGE': {
      const length = request.headers['content-length'];
      const came = length === undefined ? 'more' : `${length} bytes`;
      return problem('body-too-large', `the body has ${came}; at most ${bodyLimitBytes} bytes are read here`);
    }
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
      return problem(
        'unsupported-media-type',
        `the body's Content-Type is ${request.headers['content-type'] ?? 'absent'}; expected application/json`,
      );
  }
  // The client went away while its body was read: nobody sees this answer.
  if (request.raw.destroyed && !request.raw.complete)
    return problem('malformed-request', 'the connection was closed before the body was complete');
  if (error.statusCode !== undefined && error.statusCode < 500) return problem('malformed-request', error.message);
  return problem('internal-error', `the service failed; its log has the reason under request id ${request.id}`);
}

export function handleErrors(app: FastifyInstance, bodyLimitBytes: number, layerNames: readonly string[]): void {
  app.setErrorHandler<FastifyError | Refusal | ProblemError>(async (error, request, reply) => {
    const answer = problemOf(error, request, bodyLimitBytes);
    if (answer.status === 500) request.log.error(error);
    request.problemType = answer.type;
    if (error instanceof ProblemError) void reply.headers(error.headers);
    // Fastify closes the connection where it has not read a body to its end; here it will be.
    if (answer.status === 413) void reply.removeHeader('connection');
    if (!request.raw.complete) await takeIn(request, reply);
    return sendProblem(reply, answer, error instanceof Refusal ? error.retryAfterSeconds : undefined);
  });
  app.setNotFoundHandler((request) => {
    throw new ProblemError(
      problem(
        'not-found',
        `there is no ${request.method} ${request.url.split('?', 1)[0]}; the layers are ${layerNames.join(', ')}, and GET /docs lists the routes`,
      ),
    );
  });
}

/**
 * Has the rest of a refused body read and thrown away: few clients read an answer while they are still sending, and a
 * connection that is closed meanwhile looks broken to them. Where it will be closed, the answer waits for the end.
 */
async function takeIn({ raw }: FastifyRequest, reply: FastifyReply): Promise<void> {
  raw.resume();
  // A client that goes away meanwhile gets no answer, and needs none.
  if (!reply.raw.shouldKeepAlive) await finished(raw, { writable: false }).catch(() => undefined);
}

/** Refuses what is not even HTTP, where there is no request to answer yet. */
export function handleClientError(headerLimitBytes: number, error: NodeJS.ErrnoException, socket: Socket): void {
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
  const body = JSON.stringify(answer);
  socket.end(
    `HTTP/1.1 ${answer.status} ${answer.title}\r\nContent-Type: ${PROBLEM_JSON}\r\n` +
      `Content-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  );
}

declare module 'fastify' {
  interface FastifyRequest {
    /** Type of the problem that was answered with, for the log. */
    problemType?: string;
  }
}
