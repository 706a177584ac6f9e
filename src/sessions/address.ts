/** The address of the session store: the forms of `SESSION_STORE`. */

export const IN_MEMORY = 'memory:';

/** Whether all processes and replicas with this address share their sessions. */
export function isShared(address: string): boolean {
  return address !== IN_MEMORY;
}

const CREDENTIAL = String.raw`(?:[^:@/\s%]|%[\dA-Fa-f]{2})*`;
const CREDENTIALS = `(?:${CREDENTIAL}(?::${CREDENTIAL})?@)?`;
const HOST = String.raw`(?:\[[\dA-Fa-f:.]+\]|[\w.\-]+)(?::\d{1,5})?`;
const HOSTS = `${HOST}(?:,${HOST})*`;

/** For the schema of the configuration. */
export const STORE_ADDRESS_PATTERN = `^(?:${[
  IN_MEMORY,
  String.raw`rediss?://${CREDENTIALS}${HOST}(?:/\d*)?`,
  String.raw`rediss?-sentinel://${CREDENTIALS}${HOSTS}/[\w.\-]+(?:/\d+)?`,
  String.raw`rediss?-cluster://${CREDENTIALS}${HOSTS}/?`,
].join('|')})$`;

/** The same in readable form; `rediss` instead of `redis` means TLS. */
export const STORE_ADDRESS_FORMS = [
  IN_MEMORY,
  'redis[s]://[user:password@]host[:port][/database]',
  'redis[s]-sentinel://[user:password@]host[:port],…/name[/database]',
  'redis[s]-cluster://[user:password@]host[:port],…',
];

export interface RedisAddress {
  readonly kind: 'single' | 'sentinel' | 'cluster';
  readonly tls: boolean;
  readonly username: string | undefined;
  readonly password: string | undefined;
  readonly hosts: readonly { readonly host: string; readonly port: number }[];
  /** Name of the group that the Sentinels monitor. */
  readonly name: string;
  readonly database: number;
}

const PARTS = /^redis(s?)(?:-(sentinel|cluster))?:\/\/(?:([^:@/]*)(?::([^@/]*))?@)?([^/]+)\/?(.*)$/;

/**
 * @param address matches {@link STORE_ADDRESS_PATTERN} and is not in memory
 * @throws {Error} if it does not match
 */
export function parseRedisAddress(address: string): RedisAddress {
  const match = PARTS.exec(address);
  if (!match || !new RegExp(STORE_ADDRESS_PATTERN).test(address))
    throw new Error(`not a Redis address: ${withoutPassword(address)}; expected ${STORE_ADDRESS_FORMS.join(' or ')}`);
  const [, tls, given, username, password, hosts, path] = match as (string | undefined)[];
  const kind = (given ?? 'single') as RedisAddress['kind'];
  const [name, database] = kind === 'sentinel' ? (path ?? '').split('/') : ['', path];
  return {
    kind,
    tls: tls === 's',
    username: decoded(username),
    password: decoded(password),
    hosts: (hosts ?? '').split(',').map((host) => hostAndPort(host, kind === 'sentinel' ? 26379 : 6379)),
    name,
    database: Number(database ?? 0),
  };
}

/** The address without its credentials, for messages. */
export function withoutPassword(address: string): string {
  return address.replace(/:\/\/.*@/, '://…@');
}

function decoded(credential: string | undefined): string | undefined {
  return credential === undefined || credential === '' ? undefined : decodeURIComponent(credential);
}

function hostAndPort(text: string, defaultPort: number) {
  const match = /^(?:\[(.+)\]|([^:]+))(?::(\d+))?$/.exec(text);
  const [, ipv6, name, port] = (match ?? []) as (string | undefined)[];
  return { host: ipv6 ?? name ?? '', port: Number(port ?? defaultPort) };
}
