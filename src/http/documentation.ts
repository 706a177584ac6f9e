/** The OpenAPI document, made from the routes' schemas, and a page to read and try it. */
import { createRequire } from 'node:module';
import helmet from '@fastify/helmet';
import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import type { FastifyInstance } from 'fastify';
import { Problem } from '../../schemas/problem.js';
import { Tensor } from '../../schemas/tensor.js';
import { referencePath } from './catalogue.js';
import { PROBLEM_JSON, problemKinds } from './problems.js';

/** No key, too many requests, too much to do: what every route but the probes may answer with. */
const ANYWHERE = [401, 429, 503];

/** A route's answers: those of success, and the statuses of the problems that it may answer with. */
export function responses(success: Record<number, object>, ...problems: number[]): Record<number, object> {
  return probeResponses(success, ...new Set([...problems, ...ANYWHERE]));
}

/** Of a route that is served whatever the load and whoever asks. */
export function probeResponses(success: Record<number, object>, ...problems: number[]): Record<number, object> {
  const refused = Object.fromEntries(
    problems.map((status) => {
      const titles = Object.values(problemKinds)
        .filter((kind) => kind.status === status)
        .map(({ title }) => title);
      return [
        status,
        { description: titles.join('; '), content: { [PROBLEM_JSON]: { schema: { $ref: `${Problem.$id ?? ''}#` } } } },
      ];
    }),
  );
  return { ...success, ...refused };
}

/**
 * Its own files, its own origin: a page that works where there is no other host. The plugin's own policy names other
 * hosts, and would have browsers ask for the page's files over https.
 */
const PAGE_POLICY = {
  'default-src': "'self'",
  'img-src': "'self' data:",
  'style-src': "'self' 'unsafe-inline'",
  'object-src': "'none'",
  'base-uri': "'self'",
  'frame-ancestors': "'self'",
};

export async function document(
  app: FastifyInstance,
  layers: readonly { name: string; reference: { summary: string } }[],
  wantsKeys: boolean,
) {
  app.addSchema(Tensor);
  app.addSchema(Problem);
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'layerd',
        description: 'Neural-network layers, forward and backward, over HTTP.',
        version: version(),
      },
      ...(wantsKeys
        ? { components: { securitySchemes: { key: { type: 'http', scheme: 'bearer' } } }, security: [{ key: [] }] }
        : {}),
      tags: [
        ...layers.map(({ name, reference }) => ({
          name,
          description: reference.summary,
          externalDocs: { description: 'In words', url: referencePath(name) },
        })),
        { name: 'catalogue', description: 'What there is, for machines to read.' },
        {
          name: 'inference',
          description: 'Layers as models of the Open Inference Protocol, which KServe and Triton speak.',
        },
        { name: 'sessions', description: 'What forward leaves for backward.' },
        { name: 'operation', description: 'Probes and metrics.' },
      ],
    },
    refResolver: { buildLocalReference: ({ $id }) => $id as string },
  });
  await app.register(async (pages) => {
    // The policy is the page's own, above; whether there is TLS, and so HSTS, the balancer knows.
    await pages.register(helmet, { contentSecurityPolicy: false, strictTransportSecurity: false });
    await pages.register(swaggerUi, {
      routePrefix: '/docs',
      staticCSP: PAGE_POLICY,
      uiConfig: { validatorUrl: null },
    });
  });
  app.get('/openapi.json', { schema: { hide: true } }, () => app.swagger());
}

/** `#package.json` is the package's own file, wherever the code has been built to. */
export function version(): string {
  return (createRequire(import.meta.url)('#package.json') as { version: string }).version;
}
