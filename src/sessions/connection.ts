/** A connection to Redis that fails soon rather than waits: nothing is queued for a Redis that is away. */
import { Cluster, Redis, type RedisOptions } from 'ioredis';
import { parseRedisAddress } from './address.js';

export type Connection = Redis | Cluster;

/** A Redis that has not answered by then is away. */
export const PATIENCE_MS = 2000;

/** Longest pause between two attempts to connect again. */
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
    // A connection whose other end has vanished: without this it would look alive for many minutes.
    socketTimeout: PATIENCE_MS,
    enableOfflineQueue: false,
    // A command that may have been executed is not sent again: its request has failed by then.
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    retryStrategy: pauseMs,
    // What a master becomes when another is promoted: connecting again finds the other.
    reconnectOnError: ({ message }) => message.startsWith('READONLY'),
  } satisfies RedisOptions;
  if (kind === 'cluster')
    return new Cluster([...hosts], {
      redisOptions: options,
      enableOfflineQueue: false,
      clusterRetryStrategy: pauseMs,
      // Of addresses that the nodes give each other, names stay names: certificates are made for those.
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
      ...(tls ? { enableTLSForSentinelMode: true, sentinelTLS: {} } : {}),
    });
  return new Redis({ ...options, ...hosts[0], db: database });
}
