/** Where sessions are kept, as one address: the forms of `SESSION_STORE`. */

export const IN_MEMORY = 'memory:';

/** Whether every process and replica that has this address finds the same sessions. */
export function isShared(address: string): boolean {
  return address !== IN_MEMORY;
}

const CREDENTIAL = String.raw`(?:[^:@/\s%]|%[\dA-Fa-f]{2})*`;
const CREDENTIALS = `(?:${CREDENTIAL}(?::${CREDENTIAL})?@)?`;
const HOST = String.raw`(?:\[[\dA-Fa-f:.]+\]|[\w.\-]+)(?::\d{1,5})?`;
const HOSTS = `${HOST}(?:,${HOST})*`;

/** For the configuration's schema. */
export const STORE_ADDRESS_PATTERN = `^(?:${[
  IN_MEMORY,
  String.raw`rediss?://${CREDENTIALS}${HOST}(?:/\d*)?`,
  String.raw`rediss?-sentinel://${CREDENTIALS}${HOSTS}/[\w.\-]+(?:/\d+)?`,
  String.raw`rediss?-cluster://${CREDENTIALS}${HOSTS}/?`,
].join('|')})$`;

/** The same for people; `rediss` in the place of `redis` is TLS. */
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
  /** Of the group that sentinels watch. */
  readonly name: string;
  readonly database: number;
}

const PARTS = /^redis(s?)(?:-(sentinel|cluster))?:\/\/(?:([^:@/]*)(?::([^@/]*))?@)?([^/]+)\/?(.*)$/;

/**
 * @param address one that keeps to {@link STORE_ADDRESS_PATTERN}, and is not in memory
 * @throws {Error} where it does not
 */
export function parseRedisAddress(address: string): RedisAddress {
  const match = PARTS.exec(address);
  if (!match || !new RegExp(STORE_ADDRESS_PATTERN).test(address))
    throw new Error(
      `not the address of a Redis: ${withoutPassword(address)}; expected ${STORE_ADDRESS_FORMS.join(' or ')}`,
    );
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

/** An address as a message may show it. */
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
