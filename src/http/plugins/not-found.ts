/** 404 for paths without a route. */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import fp from 'fastify-plugin';
import { isInference } from '../problem-response.js';
import { ProblemError } from '../problems.js';

function refuseUnknownPaths(
  app: FastifyInstance,
  { layerNames }: { layerNames: readonly string[] },
  done: () => void,
): void {
  const refuse = ({ method, url }: FastifyRequest) => {
    const known = isInference(url) ? 'GET /v2/models lists the models' : `the layers are ${layerNames.join(', ')}`;
    const detail = `there is no ${method} ${url.split('?', 1)[0]}; ${known}, and GET /docs lists the routes`;
    return new ProblemError('not-found', detail);
  };
  // Refused when the head has arrived: Fastify calls the handler for unknown paths only after it has read the body.
  app.addHook('onRequest', (request, _reply, next) => {
    next(request.is404 ? refuse(request) : undefined);
  });
  // For missing files under a static route.
  app.setNotFoundHandler((request) => {
    throw refuse(request);
  });
  done();
}

export default fp(refuseUnknownPaths, { name: 'not-found', dependencies: ['error-handler', 'method-not-allowed'] });
