/** How many requests a client may send in a minute. */
import rateLimit, { normalizeIP } from '@fastify/rate-limit';
import type { FastifyInstance } from 'fastify';
import type { Config } from '../config.js';
import { isShared } from '../sessions/address.js';
import type { Connection } from '../sessions/connection.js';
import { ProblemError } from './errors.js';
import { problem } from './problems.js';
import { isProbe } from './probes.js';

const WINDOW_MS = 60_000;

/**
 * To be called after the hook that tells clients apart: by their keys, where they have some. Over a Redis all replicas
 * count together; without one each process counts by itself.
 */
export async function limitRate(
  app: FastifyInstance,
  { RATE_LIMIT_PER_MINUTE: perMinute, SESSION_STORE: address }: Pick<Config, 'RATE_LIMIT_PER_MINUTE' | 'SESSION_STORE'>,
): Promise<void> {
  const redis = isShared(address) ? await connected(app, address) : undefined;
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

/** A connection of its own: the sessions' may be busy with megabytes. */
async function connected(app: FastifyInstance, address: string): Promise<Connection> {
  const { connectRedis } = await import('../sessions/connection.js');
  const redis = connectRedis(address);
  // Readiness says that it is away; here nobody is refused for that.
  redis.on('error', () => undefined);
  await new Promise<unknown>((resolve) => redis.once('ready', resolve).once('error', resolve));
  app.addHook('onClose', (_app, done) => {
    redis.disconnect();
    done();
  });
  return redis;
}
