/** CORS: the origins whose pages may call the service; by default none. */
import type { FastifyInstance } from 'fastify';
import fp from 'fastify-plugin';
import { JSON_LENGTH_HEADER } from '../negotiation.js';

/** How long browsers may cache a preflight answer. */
const PREFLIGHT_SECONDS = 600;

/** Registered before authentication, because a preflight request carries no key. */
async function allowOrigins(app: FastifyInstance, { origins }: { origins: readonly string[] }): Promise<void> {
  if (origins.length === 0) return;
  // Loaded only if an origin is allowed.
  const { default: cors } = await import('@fastify/cors');
  await app.register(cors, {
    origin: origins.includes('*') ? '*' : [...origins],
    methods: ['GET', 'HEAD', 'POST', 'DELETE'],
    allowedHeaders: [
      'authorization',
      'content-type',
      'content-encoding',
      'accept',
      'x-request-id',
      'traceparent',
      JSON_LENGTH_HEADER,
    ],
    exposedHeaders: ['retry-after', 'www-authenticate', 'x-request-id', JSON_LENGTH_HEADER],
    maxAge: PREFLIGHT_SECONDS,
    strictPreflight: false,
  });
  // Static files set Vary on the raw response. The reply's own Vary would replace that one, so the two are merged.
  app.addHook('onSend', (_request, reply, payload, done) => {
    const own = reply.raw.getHeader('vary');
    if (own !== undefined) {
      const fields = [own, reply.getHeader('vary') ?? []].flat().flatMap((field) => String(field).split(/ *, */));
      void reply.header('vary', [...new Set(fields)].join(', '));
    }
    done(null, payload);
  });
}

export default fp(allowOrigins, { name: 'cors', dependencies: ['graceful-shutdown'] });
