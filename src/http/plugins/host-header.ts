/**
 * Refuses a repeated or invalid Host header (RFC 9112, 3.2), because a proxy may have routed by another one.
 * A missing one is refused too, except in HTTP/1.0.
 */
import type { FastifyInstance } from 'fastify';
import fp from 'fastify-plugin';
import { ProblemError } from '../problems.js';

/** A name or an address, with an optional port; or empty (RFC 9110, 7.2; RFC 3986, 3.2.2). */
const HOST = /^(\[[\da-f:.]+\]|([\w.~!$&'()*+,;=-]|%[\da-f]{2})*)(:\d*)?$/i;

function expectHost(app: FastifyInstance, _options: unknown, done: () => void): void {
  app.addHook('onRequest', ({ raw }, _reply, next) => {
    const names = raw.rawHeaders.filter((_, i) => i % 2 === 0).map((name) => name.toLowerCase());
    const hosts = names.flatMap((name, i) => (name === 'host' ? [raw.rawHeaders[2 * i + 1]] : []));
    const came = fault(hosts, raw.httpVersion);
    next(came === undefined ? undefined : new ProblemError('malformed-request', `${came}; expected one host`));
  });
  done();
}

export default fp(expectHost, { name: 'host-header', dependencies: ['request-log'] });

function fault(hosts: readonly string[], httpVersion: string): string | undefined {
  if (hosts.length > 1) return `Host occurs ${hosts.length} times`;
  if (hosts.length === 0) return httpVersion === '1.0' ? undefined : 'Host is absent';
  return HOST.test(hosts[0]) ? undefined : `Host is ${JSON.stringify(hosts[0])}`;
}
