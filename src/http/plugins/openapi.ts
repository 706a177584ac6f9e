/** The OpenAPI document, generated from the routes' schemas, and a page to read it and try requests. */
import fastify, {
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  type FastifySchema,
  type RouteOptions,
} from 'fastify';
import fp from 'fastify-plugin';
import { Problem } from '../../../schemas/problem.js';
import { tensorSchemas } from '../../../schemas/tensor.js';
import { JSON_TYPE } from '../negotiation.js';
import { version } from '../version.js';

/**
 * Only the page's own files and origin, so that it works offline. The plugin's own policy names other hosts, and would
 * make browsers request the page's files over https.
 */
const PAGE_POLICY = {
  'default-src': "'self'",
  'img-src': "'self' data:",
  'style-src': "'self' 'unsafe-inline'",
  'object-src': "'none'",
  'base-uri': "'self'",
  'frame-ancestors': "'self'",
};

/** Headers of the page's responses that belong to their connection, and ranges, which are not served. */
const NOT_FORWARDED = new Set(['accept-ranges', 'connection', 'date', 'keep-alive', 'transfer-encoding']);

interface DocumentOptions {
  readonly layers: readonly { readonly name: string; readonly reference: { readonly summary: string } }[];
  readonly requiresKey: boolean;
  /** Examples of request bodies that must be computed, by operation id. */
  readonly examples: () => Promise<ReadonlyMap<string, object>>;
}

/**
 * Knows only the routes that are added after it. The document is written on the first request for it, and the packages
 * that write it are loaded then: loading them took a third of the startup time.
 */
function document(app: FastifyInstance, options: DocumentOptions, done: () => void): void {
  for (const schema of tensorSchemas) app.addSchema(schema);
  app.addSchema(Problem);
  const routes: RouteOptions[] = [];
  app.addHook('onRoute', (route) => {
    routes.push(route);
  });
  let pages: Promise<FastifyInstance> | undefined;
  const written = () => (pages ??= write(app, routes, options));

  const hidden = { config: { constant: true }, schema: { hide: true } };
  app.get('/openapi.json', hidden, async () => (await written()).swagger());
  const show = async (request: FastifyRequest, reply: FastifyReply) => {
    const { url } = request;
    const { range: _, ...headers } = request.headers;
    const answer = await (await written()).inject({ method: 'GET', url, headers });
    if (answer.statusCode === 404) {
      reply.callNotFound();
      return reply;
    }
    for (const [name, value] of Object.entries(answer.headers))
      if (!NOT_FORWARDED.has(name) && value !== undefined) void reply.header(name, value);
    return reply.code(answer.statusCode).send(answer.rawPayload);
  };
  app.get('/docs', hidden, show);
  app.get('/docs/*', hidden, show);
  done();
}

export default fp(document, { name: 'openapi', dependencies: ['not-found', 'constant-responses'] });

/** Builds an app that serves the document and the page, and has the routes only for their schemas. */
async function write(
  app: FastifyInstance,
  routes: readonly RouteOptions[],
  { layers, requiresKey, examples: make }: DocumentOptions,
): Promise<FastifyInstance> {
  const [examples, { default: helmet }, { default: swagger }, { default: swaggerUi }] = await Promise.all([
    make(),
    import('@fastify/helmet'),
    import('@fastify/swagger'),
    import('@fastify/swagger-ui'),
  ]);
  const written = fastify();
  written.setValidatorCompiler(() => () => true);
  written.setSerializerCompiler(() => JSON.stringify);
  for (const schema of Object.values(app.getSchemas())) written.addSchema(schema);
  await written.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'layerd',
        description: 'Neural-network layers, forward and backward, over HTTP.',
        version,
      },
      security: [],
      ...(requiresKey
        ? { components: { securitySchemes: { key: { type: 'http', scheme: 'bearer' } } }, security: [{ key: [] }] }
        : {}),
      tags: [
        ...layers.map(({ name, reference }) => ({ name, description: reference.summary })),
        { name: 'catalogue', description: 'Machine-readable descriptions of layers and mistakes.' },
        {
          name: 'inference',
          description: 'Layers as models of the Open Inference Protocol, for clients of KServe and Triton.',
        },
        { name: 'sessions', description: 'What forward keeps for backward.' },
        { name: 'operation', description: 'Probes and metrics.' },
      ],
    },
    refResolver: { buildLocalReference: ({ $id }) => $id as string },
    transformObject: (transformed) =>
      'openapiObject' in transformed ? { ...transformed.openapiObject, ...servedFrom('.') } : transformed.swaggerObject,
  });
  for (const { method, url, schema } of routes)
    if (method !== 'HEAD' && schema?.hide !== true)
      written.route({ method, url, schema: withExample(schema ?? {}, examples), handler: () => undefined });
  await written.register(async (pages) => {
    // The policy is set above; HSTS is left to the proxy that terminates TLS.
    await pages.register(helmet, { contentSecurityPolicy: false, strictTransportSecurity: false });
    // Without the slash the page would request its files from the root, which behind a proxy may be another service.
    pages.addHook('onRequest', (request, reply, done) => {
      if (request.url.split('?', 1)[0] === '/docs') void reply.redirect('docs/', 301);
      else done();
    });
    await pages.register(swaggerUi, {
      routePrefix: '/docs',
      staticCSP: PAGE_POLICY,
      uiConfig: { validatorUrl: null },
      transformSpecification: (specification) => ({ ...specification, ...servedFrom('..') }),
      transformSpecificationClone: false,
    });
  });
  await written.ready();
  return written;
}

/** The schema of a route with the example of its body in JSON, if it has one. */
function withExample(schema: FastifySchema, examples: ReadonlyMap<string, object>): FastifySchema {
  const example = examples.get(schema.operationId ?? '');
  if (!example) return schema;
  const { description, content } = schema.body as { description: string; content: Record<string, { schema: object }> };
  const json = { schema: { ...content[JSON_TYPE].schema, examples: [example] } };
  return { ...schema, body: { description, content: { ...content, [JSON_TYPE]: json } } };
}

/** The address of the service, relative to the document: behind a proxy it may have any prefix. */
const servedFrom = (url: string) => ({ servers: [{ url }] });
