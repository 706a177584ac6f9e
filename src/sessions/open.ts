import { isShared } from './address.js';
import { MemoryStore } from './memory-store.js';
import type { RedisStoreOptions } from './redis-store.js';
import type { SessionStore } from './store.js';

/** @param address matches the pattern of `address.ts` */
export async function openStore(address: string, options: RedisStoreOptions): Promise<SessionStore> {
  const { ttlMs, budgetBytes, clock } = options;
  if (!isShared(address)) return new MemoryStore({ ttlMs, budgetBytes, ...(clock ? { clock } : {}) });
  // Imported on demand: most installations do not use Redis.
  const [{ connectRedis }, { RedisStore }] = await Promise.all([
    import('./redis-connection.js'),
    import('./redis-store.js'),
  ]);
  const store = new RedisStore(connectRedis(address), options);
  await store.open();
  return store;
}
