/** Limits the requests of each client per minute. */
import type { FastifyInstance } from 'fastify';
import fp from 'fastify-plugin';
import type { Config } from '../../config.js';
import { isShared } from '../../sessions/address.js';
import type { Connection } from '../../sessions/redis-connection.js';
import { isProbe } from '../probes.js';
import { ProblemError } from '../problems.js';

const WINDOW_MS = 60_000;

/**
 * Clients are identified by their keys, or by their addresses if keys are not required. With Redis, all replicas count
 * together; without it, each process counts separately. 0 means no limit.
 */
async function limitRate(
  app: FastifyInstance,
  { RATE_LIMIT_PER_MINUTE: perMinute, SESSION_STORE: address }: Pick<Config, 'RATE_LIMIT_PER_MINUTE' | 'SESSION_STORE'>,
): Promise<void> {
  if (perMinute === 0) return;
  // Loaded only if it is used.
  const { default: rateLimit, normalizeIP } = await import('@fastify/rate-limit');
  const redis = isShared(address) ? await connect(app, address) : undefined;
  await app.register(rateLimit, {
    // Not by route: requests without a route count too.
    global: false,
    max: perMinute,
    timeWindow: WINDOW_MS,
    keyGenerator: ({ key, ip }) => key?.owner ?? normalizeIP(ip),
    allowList: isProbe,
    // While Redis is unreachable, no client is refused.
    skipOnError: true,
    ...(redis === undefined ? {} : { redis, nameSpace: 'layerd:rate:' }),
  });
  const count = app.createRateLimit();
  app.addHook('onRequest', async (request) => {
    const result = await count(request);
    if (result.isAllowed || !result.isExceeded) return;
    const client = request.key ? 'this key' : 'this address';
    throw new ProblemError(
      'too-many-requests',
      `${client} has sent more than ${perMinute} requests in a minute; expected at most ${perMinute}`,
      { 'retry-after': Math.max(1, result.ttlInSeconds) },
    );
  });
}

export default fp(limitRate, { name: 'rate-limit', dependencies: ['authentication'] });

/** A separate connection: that of the sessions may be busy with megabytes. Not awaited: see `skipOnError`. */
async function connect(app: FastifyInstance, address: string): Promise<Connection> {
  const { connectRedis } = await import('../../sessions/redis-connection.js');
  const redis = connectRedis(address);
  // If Redis is unreachable, readiness reports it; no request is refused here.
  redis.on('error', () => undefined);
  app.addHook('onClose', (_app, done) => {
    redis.disconnect();
    done();
  });
  return redis;
}
