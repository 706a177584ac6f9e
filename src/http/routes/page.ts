/** The page at `/` and those at `/docs/layers/`: files that `npm run build` has made of `web/` and `docs/layers/`. */
import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import fastifyStatic from '@fastify/static';
import type { FastifyInstance } from 'fastify';
import type { Layer } from '../../layers/definition.js';
import { referencePath } from '../catalogue.js';

/** Its own files and its own service, and no other host. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

/** Files below here bear a hash of what is in them in their names. */
const HASHED = /[\\/]assets[\\/]/;

/** @throws where the page has not been built */
export async function page(app: FastifyInstance, layers: readonly Layer[]): Promise<void> {
  // `#web/` is the package's own folder, wherever the code has been built to.
  const root = dirname(createRequire(import.meta.url).resolve('#web/index.html'));
  await app.register(fastifyStatic, {
    root,
    // A route for each file that is there: what is not stays a 404 with the problem's words.
    wildcard: false,
    decorateReply: false,
    preCompressed: true,
    cacheControl: false,
    setHeaders(reply, path) {
      reply.setHeader('cache-control', HASHED.test(path) ? 'public, max-age=31536000, immutable' : 'no-cache');
      // The same address gives compressed bytes or plain ones.
      reply.setHeader('vary', 'accept-encoding');
      reply.setHeader('content-security-policy', POLICY);
      reply.setHeader('x-content-type-options', 'nosniff');
      reply.setHeader('referrer-policy', 'no-referrer');
    },
  });
  for (const { name } of layers) {
    const path = referencePath(name);
    // As people type it. The plugin's own option for this fails on the page at `/`.
    app.get(path.slice(0, -1), { schema: { hide: true } }, (_request, reply) => reply.redirect(path, 301));
  }
}
