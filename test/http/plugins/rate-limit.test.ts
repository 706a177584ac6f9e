import fastify from 'fastify';
import fp from 'fastify-plugin';
import { Redis } from 'ioredis';
import { expect, it, onTestFinished, vi } from 'vitest';
import rateLimit from '../../../src/http/plugins/rate-limit.js';

it('does not wait for an unresponsive Redis', async () => {
  const silent = vi.spyOn(Redis.prototype, 'connect').mockReturnValue(new Promise(() => undefined));
  const app = fastify();
  onTestFinished(async () => {
    await app.close();
    silent.mockRestore();
  });
  await app.register(
    fp(
      (_app, _options, done) => {
        done();
      },
      { name: 'authentication' },
    ),
  );
  await app.register(rateLimit, { RATE_LIMIT_PER_MINUTE: 1, SESSION_STORE: 'redis://127.0.0.1:1' });
  app.get('/', { config: { probe: false } }, () => 'served');
  for (let i = 0; i < 3; i++) expect((await app.inject('/')).body).toBe('served');
  expect(silent).toHaveBeenCalled();
});
