/** Fastify checks that a plugin comes after those that it depends on. */
import fastify from 'fastify';
import { expect, it } from 'vitest';
import hostHeader from '../../../src/http/plugins/host-header.js';
import rateLimit from '../../../src/http/plugins/rate-limit.js';
import { serve } from '../../support/service.js';

it('the order of plugins is checked: the rate limit counts by key, and requires authentication before it', async () => {
  const options = { RATE_LIMIT_PER_MINUTE: 1, SESSION_STORE: 'memory' };
  await expect(fastify().register(rateLimit, options).ready()).rejects.toThrow(
    "The dependency 'authentication' of plugin 'rate-limit' is not registered",
  );
});

it('the order of plugins is checked: the refusal of a Host header requires a request id', async () => {
  await expect(fastify().register(hostHeader).ready()).rejects.toThrow(
    "The dependency 'request-log' of plugin 'host-header' is not registered",
  );
});

it('the order of plugins is right in the service, for any configuration', async () => {
  const { app } = await serve({ CORS_ORIGINS: '*', RATE_LIMIT_PER_MINUTE: '1000' });
  for (const name of ['cors', 'authentication', 'rate-limit', 'not-found', 'openapi'])
    expect(app.hasPlugin(name)).toBe(true);
});
