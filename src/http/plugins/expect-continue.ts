/**
 * `Expect: 100-continue` (RFC 9110, 10.1.1): the client sends its body once it is told to. It is told when the body is
 * read, so that a refusal from the head comes instead, and the body never does. Node closes the connection after it.
 * Any other expectation is refused from the head, too.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { FastifyInstance } from 'fastify';
import fp from 'fastify-plugin';
import { preview } from '../../validation/preview.js';
import { ProblemError } from '../problems.js';

/** Responses to requests whose client waits. */
const waiting = new WeakMap<IncomingMessage, ServerResponse>();

function waitForReaders(app: FastifyInstance, _options: unknown, done: () => void): void {
  const receive = (request: IncomingMessage, response: ServerResponse) => {
    waiting.set(request, response);
    app.server.emit('request', request, response);
  };
  app.server.on('checkContinue', receive);
  app.server.on('checkExpectation', (request: IncomingMessage, response: ServerResponse) => {
    response.shouldKeepAlive = false;
    receive(request, response);
  });
  app.addHook('onRequest', ({ raw }, _reply, next) => {
    const { expect = '' } = raw.headers;
    if (!waiting.has(raw) || expect.split(',').every(isKnown)) next();
    else {
      // Some clients send the body without waiting.
      raw.resume();
      next(new ProblemError('expectation-failed', `Expect is ${preview(expect)}; expected 100-continue`));
    }
  });
  done();
}

export default fp(waitForReaders, { name: 'expect-continue', dependencies: ['request-log'] });

/** A list may have empty entries (RFC 9110, 5.6.1). */
function isKnown(expectation: string): boolean {
  return ['', '100-continue'].includes(expectation.trim().toLowerCase());
}

/** Whether the client holds back the body of its request. */
export function holdsBack(request: IncomingMessage): boolean {
  return waiting.has(request);
}

/** Tells the client to send the body, if it waits for that. */
export function askForBody(request: IncomingMessage): void {
  waiting.get(request)?.writeContinue();
  waiting.delete(request);
}
