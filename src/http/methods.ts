/** A route that exists, asked with a method that it has not: 405 with Allow, where Fastify by itself says 404. */
import type { FastifyInstance } from 'fastify';
import { ProblemError } from './errors.js';
import { problem } from './problems.js';

/** To be called before the first route. */
export function refuseOtherMethods(app: FastifyInstance): void {
  const routes = new Map<string, { readonly pattern: RegExp; readonly methods: Set<string> }>();
  app.addHook('onRoute', ({ url, method }) => {
    // Of CORS, which answers before this: no route of its own.
    if (url === '*') return;
    const route = routes.get(url) ?? { pattern: patternOf(url), methods: new Set() };
    for (const name of [method].flat()) route.methods.add(name);
    routes.set(url, route);
  });
  // Answered before the body is read, whatever its type.
  app.addHook('onRequest', (request, reply, done) => {
    const path = request.url.split('?', 1)[0];
    const route = request.is404 ? [...routes.values()].find(({ pattern }) => pattern.test(path)) : undefined;
    if (!route) {
      done();
      return;
    }
    const allow = [...route.methods].sort().join(', ');
    void reply.header('allow', allow);
    done(new ProblemError(problem('method-not-allowed', `${path} has no ${request.method}; expected ${allow}`)));
  });
}

/** Of a path such as `/layers/:layer` or `/docs/static/*`. */
function patternOf(url: string): RegExp {
  const source = url.replaceAll('.', '\\.').replaceAll(/:\w+/g, '[^/]+').replaceAll('*', '.*');
  return new RegExp(`^${source}$`);
}
