import { isShared } from './address.js';
import { MemoryStore } from './memory.js';
import type { RedisStoreOptions } from './redis.js';
import type { SessionStore } from './store.js';

/** @param address one that keeps to the pattern of `address.ts` */
export async function openStore(address: string, options: RedisStoreOptions): Promise<SessionStore> {
  const { ttlMs, budgetBytes, clock } = options;
  if (!isShared(address)) return new MemoryStore({ ttlMs, budgetBytes, ...(clock ? { clock } : {}) });
  // Not at the top: most have no Redis, and no use for its client.
  const [{ connectRedis }, { RedisStore }] = await Promise.all([import('./connection.js'), import('./redis.js')]);
  const store = new RedisStore(connectRedis(address), options);
  await store.open();
  return store;
}
