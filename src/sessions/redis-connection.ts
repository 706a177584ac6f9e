/** A connection to Redis that fails fast: no commands are queued while Redis is unavailable. */
import { Cluster, Redis, type RedisOptions } from 'ioredis';
import { parseRedisAddress } from './address.js';

export type Connection = Redis | Cluster;

/** A Redis that has not answered after this time is considered unavailable. */
export const PATIENCE_MS = 2000;

/** Longest pause between two attempts to reconnect. */
const MOST_PAUSE_MS = 1000;

/** Between attempts to connect: 50 ms more each time. */
function pauseMs(attempts: number): number {
  return Math.min(50 * attempts, MOST_PAUSE_MS);
}

export function connectRedis(address: string): Connection {
  const { kind, tls, username, password, hosts, name, database } = parseRedisAddress(address);
  const options = {
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    ...(tls ? { tls: {} } : {}),
    connectionName: 'layerd',
    connectTimeout: PATIENCE_MS,
    commandTimeout: PATIENCE_MS,
    // Detects a connection whose peer has vanished, which otherwise takes many minutes.
    socketTimeout: PATIENCE_MS,
    enableOfflineQueue: false,
    // A command that may have been executed is not sent again, because its request has failed by then.
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    retryStrategy: pauseMs,
    // A demoted master answers READONLY; reconnecting finds the new one.
    reconnectOnError: ({ message }) => message.startsWith('READONLY'),
  } satisfies RedisOptions;
  if (kind === 'cluster')
    return new Cluster([...hosts], {
      redisOptions: options,
      enableOfflineQueue: false,
      clusterRetryStrategy: pauseMs,
      // Host names that the nodes announce are not resolved, because certificates are issued for names.
      ...(tls
        ? {
            dnsLookup: (host, found) => {
              found(null, host);
            },
          }
        : {}),
    });
  if (kind === 'sentinel')
    return new Redis({
      ...options,
      db: database,
      sentinels: [...hosts],
      name,
      sentinelRetryStrategy: pauseMs,
      // Without this, a Sentinel that accepts the connection but never answers would block the others.
      sentinelCommandTimeout: PATIENCE_MS,
      ...(tls ? { enableTLSForSentinelMode: true, sentinelTLS: {} } : {}),
    });
  return new Redis({ ...options, ...hosts[0], db: database });
}
