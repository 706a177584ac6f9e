/** What pages of other origins may do with this service: nothing, unless they are named. */
import cors from '@fastify/cors';
import type { FastifyInstance } from 'fastify';

/** Browsers ask again after this long whether they may. */
const PREFLIGHT_SECONDS = 600;

/** To be called before the hooks that refuse: a browser shows no key when it asks whether it may. */
export async function allowOrigins(app: FastifyInstance, origins: readonly string[]): Promise<void> {
  await app.register(cors, {
    origin: origins.includes('*') ? '*' : [...origins],
    methods: ['GET', 'HEAD', 'POST', 'DELETE'],
    allowedHeaders: ['authorization', 'content-type', 'content-encoding', 'accept', 'x-request-id'],
    exposedHeaders: ['retry-after', 'www-authenticate', 'x-request-id'],
    maxAge: PREFLIGHT_SECONDS,
    strictPreflight: false,
  });
}
