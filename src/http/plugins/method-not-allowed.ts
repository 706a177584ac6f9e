/** 405 with Allow for an existing route that does not have the requested method; Fastify's own answer is 404. */
import type { FastifyInstance } from 'fastify';
import fp from 'fastify-plugin';
import { ProblemError } from '../problems.js';

/** Knows only the routes that are added after it. */
function refuseOtherMethods(app: FastifyInstance, _options: unknown, done: () => void): void {
  const routes = new Map<string, { readonly pattern: RegExp; readonly methods: Set<string> }>();
  app.addHook('onRoute', ({ url, method }) => {
    const route = routes.get(url) ?? { pattern: patternOf(url), methods: new Set() };
    for (const name of [method].flat()) route.methods.add(name);
    routes.set(url, route);
  });
  // Refused before the body is read, even if its type is not supported.
  app.addHook('onRequest', (request, reply, next) => {
    const path = request.url.split('?', 1)[0];
    const route = request.is404 ? [...routes.values()].find(({ pattern }) => pattern.test(path)) : undefined;
    if (!route) {
      next();
      return;
    }
    const allow = [...route.methods].sort().join(', ');
    void reply.header('allow', allow);
    next(new ProblemError('method-not-allowed', `${path} does not support ${request.method}; expected ${allow}`));
  });
  done();
}

export default fp(refuseOtherMethods, { name: 'method-not-allowed', dependencies: ['rate-limit'] });

/** The pattern of a path such as `/layers/:layer` or `/docs/static/*`. */
function patternOf(url: string): RegExp {
  const source = url.replaceAll('.', '\\.').replaceAll(/:\w+/g, '[^/]+').replaceAll('*', '.*');
  return new RegExp(`^${source}$`);
}
