/** How many requests a client may send in a minute. */
import rateLimit, { normalizeIP } from '@fastify/rate-limit';
import type { FastifyInstance } from 'fastify';
import { ProblemError } from './errors.js';
import { problem } from './problems.js';
import { isProbe } from './probes.js';

const WINDOW_MS = 60_000;

export interface RateOptions {
  readonly perMinute: number;
  /** A client of `ioredis`, with which every replica counts alike; without one each process counts by itself. */
  readonly redis?: unknown;
}

/** To be called after the hook that tells clients apart: by their keys, where they have some. */
export async function limitRate(app: FastifyInstance, { perMinute, redis }: RateOptions): Promise<void> {
  await app.register(rateLimit, {
    // Not by route: what finds none counts too.
    global: false,
    max: perMinute,
    timeWindow: WINDOW_MS,
    keyGenerator: ({ key, ip }) => key?.owner ?? normalizeIP(ip),
    allowList: isProbe,
    // A Redis that is away refuses nobody.
    skipOnError: true,
    ...(redis === undefined ? {} : { redis, nameSpace: 'layerd:rate:' }),
  });
  const count = app.createRateLimit();
  app.addHook('onRequest', async (request) => {
    const result = await count(request);
    if (result.isAllowed || !result.isExceeded) return;
    const client = request.key ? 'this key' : 'this address';
    throw new ProblemError(
      problem('too-many-requests', `${client} has sent over ${perMinute} requests within a minute; expected no more`),
      { 'retry-after': Math.max(1, result.ttlInSeconds) },
    );
  });
}
