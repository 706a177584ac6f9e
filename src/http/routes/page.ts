/** The page at `/` and those at `/docs/layers/`: files that `npm run build` made from `web/` and `docs/layers/`. */
import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import fastifyStatic from '@fastify/static';
import type { FastifyInstance } from 'fastify';
import type { Layer } from '../../layers/definition.js';
import { referencePath } from '../catalogue-entry.js';

/** Only the page's own origin. */
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

/** Files in this folder have a hash of their content in their names. */
const HASHED = /[\\/]assets[\\/]/;

/** @throws {Error} if the page has not been built */
export async function pageRoutes(app: FastifyInstance, { layers }: { layers: readonly Layer[] }): Promise<void> {
  // `#web/` resolves to the package's own folder from any build folder.
  const root = dirname(createRequire(import.meta.url).resolve('#web/index.html'));
  await app.register(fastifyStatic, {
    root,
    // A route per existing file, so that a missing one is a 404 with problem details.
    wildcard: false,
    decorateReply: false,
    preCompressed: true,
    cacheControl: false,
    setHeaders(reply, path) {
      reply.setHeader('cache-control', HASHED.test(path) ? 'public, max-age=31536000, immutable' : 'no-cache');
      // The same URL returns compressed or plain bytes.
      reply.setHeader('vary', 'accept-encoding');
      reply.setHeader('content-security-policy', POLICY);
      reply.setHeader('x-content-type-options', 'nosniff');
      reply.setHeader('referrer-policy', 'no-referrer');
    },
  });
  for (const { name } of layers) {
    const path = referencePath(name);
    // The path without its slash; the plugin's own option for this fails at `/`. Relative, to work behind a prefix.
    app.get(path.slice(0, -1), { schema: { hide: true } }, (_request, reply) => reply.redirect(`${name}/`, 301));
  }
}
