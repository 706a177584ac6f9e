/** A route that exists, asked with a method that it has not: 405 with Allow, where Fastify by itself says 404. */
import type { FastifyInstance, HTTPMethods } from 'fastify';
import { ProblemError } from './errors.js';
import { problem } from './problems.js';

const METHODS: readonly HTTPMethods[] = ['DELETE', 'GET', 'HEAD', 'OPTIONS', 'PATCH', 'POST', 'PUT'];

/** To be called before the first route; answers for all that have been added once the app is loaded. */
export function refuseOtherMethods(app: FastifyInstance): { complete: () => void } {
  const known = new Map<string, Set<string>>();
  let completing = false;
  app.addHook('onRoute', ({ url, method }) => {
    // The documentation's page and its files answer for themselves.
    if (completing || url.startsWith('/docs')) return;
    const methods = known.get(url) ?? new Set();
    for (const name of [method].flat()) methods.add(name);
    known.set(url, methods);
  });
  return {
    complete() {
      completing = true;
      for (const [url, methods] of known) {
        const allow = [...methods].sort().join(', ');
        app.route({
          method: METHODS.filter((method) => !methods.has(method)),
          url,
          schema: { hide: true },
          // Answered before the body is read, whatever its type.
          onRequest: (request, reply, done) => {
            void reply.header('allow', allow);
            done(new ProblemError(problem('method-not-allowed', `${url} has no ${request.method}; expected ${allow}`)));
          },
          handler: () => undefined,
        });
      }
    },
  };
}
