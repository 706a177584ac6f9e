/**
 * Sessions in Redis, shared by all processes and replicas.
 *
 * A session is one value, or several if it is larger than a piece. The first piece determines whether the session
 * exists. Its key contains the token and the owner, so each operation is a single atomic command that cannot reach a
 * session of another owner. Redis expires it. The keys of one session share a hash tag, so they are on the same node of
 * a cluster. The name of a sequence is a separate value that contains the token. It may outlive the session, but has no
 * effect without it.
 */
import { setTimeout } from 'node:timers/promises';
import { Cluster } from 'ioredis';
import type { BaseLogger } from 'pino';
import { discard } from '../platform/discard.js';
import { Refusal } from '../refusal.js';
import { PATIENCE_MS, type Connection } from './redis-connection.js';
import { decodeSession, encodeSession } from './encoding.js';
import { bytesOf, full, tooLarge, type HeldSession, type NewSession, type SessionStore } from './store.js';
import type { TokenFormat } from './tokens.js';

/** Version of the stored format. Releases with different formats do not see each other's sessions. */
const FORMAT = 2;

/** A token of `tokens.ts`, followed by the number of pieces of its session unless there is only one. */
const TOKEN = /^[\w-]{32}(\d{0,9})$/;

/**
 * Far below Redis's limit of 512 MB for a value, and small enough that other commands on the connection wait only a few
 * milliseconds.
 */
const PIECE_BYTES = 4 * 2 ** 20;

/** How much longer the other pieces live than the first: longer than reading all of them can take. */
const MARGIN_MS = 30_000;

/** Redis does not report when the next session expires. */
const RETRY_WHEN_FULL_SECONDS = 10;

/** The interval at which reconnecting is tried. */
const RETRY_WHEN_AWAY_SECONDS = 1;

export type Log = Pick<BaseLogger, 'info' | 'warn' | 'error'>;

export interface RedisStoreOptions {
  readonly ttlMs: number;
  /** Largest size of one session. Redis's `maxmemory` limits the total. */
  readonly budgetBytes: number;
  readonly log: Log;
  /** Milliseconds since 1970. */
  readonly clock?: (() => number) | undefined;
  readonly pieceBytes?: number;
}

export class RedisStore implements SessionStore {
  readonly ttlMs: number;
  readonly tokens: TokenFormat;
  private readonly budgetBytes: number;
  private readonly log: Log;
  private readonly clock: () => number;
  /** Redis's `maxmemory` when the connection was established; in a cluster, the smallest. */
  private memoryBytes = Infinity;
  /** Why Redis is unavailable, in a few words; undefined while it is available. */
  private away: string | undefined = 'not yet connected';
  private reported = false;
  private readonly opened: Promise<void>;

  constructor(
    private readonly redis: Connection,
    { ttlMs, budgetBytes, log, clock = Date.now, pieceBytes = PIECE_BYTES }: RedisStoreOptions,
  ) {
    this.ttlMs = ttlMs;
    this.budgetBytes = budgetBytes;
    this.log = log;
    this.clock = clock;
    this.tokens = { prefix: '', pieceBytes };
    this.opened = new Promise((resolve) => {
      redis.on('ready', () => {
        this.away = undefined;
        this.reported = false;
        log.info('connected to the session store');
        void this.lookAtSettings().finally(resolve);
      });
      redis.on('error', (error: Error) => {
        this.lost(reasonOf(error));
        resolve();
      });
    });
    redis.on('close', () => {
      this.away ??= 'connection closed';
    });
  }

  /** Waits until Redis answers or proves to be unavailable; the service also starts without it. */
  async open(): Promise<void> {
    await Promise.race([this.opened, setTimeout(PATIENCE_MS, undefined, { ref: false })]);
  }

  async keep(token: string, { owner, ...session }: NewSession): Promise<void> {
    const bytes = bytesOf(session);
    const largest = Math.min(this.budgetBytes, this.memoryBytes);
    if (bytes > largest) throw tooLarge(bytes, largest);
    const value = encodeSession(session, this.clock());
    const count = piecesOf(token);
    const size = Math.ceil(value.byteLength / count);
    const keys = Array.from({ length: count }, (_, i) => keyOf(token, owner, i));
    try {
      // The first piece is written last, so that a session exists only once it is complete.
      for (let i = count - 1; i >= 0; i--)
        await this.redis.set(keys[i], value.subarray(i * size, (i + 1) * size), 'PX', this.lifeOf(i));
      discard(value.buffer as ArrayBuffer);
    } catch (error) {
      // The pieces already written are unreachable. If deleting them fails too, they expire.
      if (count > 1) this.redis.unlink(...keys).catch(() => undefined);
      throw this.refusalOf(error, bytes);
    }
  }

  async use(token: string, owner?: string): Promise<HeldSession | undefined> {
    const pieces = await this.read(token, owner, (key, i) => this.redis.getexBuffer(key, 'PX', this.lifeOf(i)));
    return pieces && this.heldOf(pieces, this.ttlMs);
  }

  async inspect(token: string, owner?: string): Promise<HeldSession | undefined> {
    const pieces = await this.read(token, owner, (key) => this.redis.getBuffer(key));
    if (!pieces) return undefined;
    const leftMs = await this.asked(() => this.redis.pttl(keyOf(token, owner, 0)));
    // The session may have expired since.
    return leftMs > 0 ? this.heldOf(pieces, leftMs) : undefined;
  }

  async delete(token: string, owner?: string): Promise<boolean> {
    const count = piecesOf(token);
    if (count === 0) return false;
    if ((await this.asked(() => this.redis.unlink(keyOf(token, owner, 0)))) === 0) return false;
    const others = Array.from({ length: count - 1 }, (_, i) => keyOf(token, owner, i + 1));
    // The other pieces are unreachable now; if deleting them fails, they expire.
    if (others.length > 0) await this.redis.unlink(...others).catch(() => undefined);
    return true;
  }

  async bind(name: string, token: string): Promise<string | undefined> {
    const life = this.ttlMs + MARGIN_MS;
    return (await this.asked(() => this.redis.set(nameKeyOf(name), token, 'PX', life, 'GET'))) ?? undefined;
  }

  async tokenOf(name: string): Promise<string | undefined> {
    return (await this.asked(() => this.redis.getex(nameKeyOf(name), 'PX', this.ttlMs + MARGIN_MS))) ?? undefined;
  }

  async unbind(name: string, token: string): Promise<void> {
    await this.asked(() => this.redis.eval(UNBIND, 1, nameKeyOf(name), token));
  }

  /** Not reported: every process would count the same sessions. Redis has its own metrics. */
  usage(): Promise<undefined> {
    return Promise.resolve(undefined);
  }

  async check(): Promise<void> {
    await this.asked(() => this.redis.ping());
  }

  close(): Promise<void> {
    this.redis.removeAllListeners('close');
    this.redis.disconnect();
    return Promise.resolve();
  }

  private lifeOf(piece: number): number {
    return piece === 0 ? this.ttlMs : this.ttlMs + MARGIN_MS;
  }

  private async read(
    token: string,
    owner: string | undefined,
    get: (key: string, piece: number) => Promise<Buffer | null>,
  ): Promise<readonly Buffer[] | undefined> {
    const pieces: Buffer[] = [];
    for (let i = 0, count = piecesOf(token); i < count; i++) {
      const piece = await this.asked(() => get(keyOf(token, owner, i), i));
      // A later piece is missing if the session was deleted in the meantime.
      if (!piece) return undefined;
      pieces.push(piece);
    }
    return pieces.length > 0 ? pieces : undefined;
  }

  /** @param pieces copied, and then freed */
  private heldOf(pieces: readonly Buffer[], leftMs: number): HeldSession {
    const session = decodeSession(pieces);
    for (const { buffer, byteLength } of pieces)
      // A small buffer is a slice of a pool that other buffers share.
      if (buffer.byteLength === byteLength) discard(buffer as ArrayBuffer);
    return { ...session, expires: this.clock() + leftMs, bytes: bytesOf(session) };
  }

  private async asked<Reply>(command: () => Promise<Reply>): Promise<Reply> {
    try {
      return await command();
    } catch (error) {
      throw this.refusalOf(error, 0);
    }
  }

  private refusalOf(error: unknown, bytes: number): Refusal {
    const reason = reasonOf(error as Error) ?? this.away ?? 'connection closed';
    if (reason === 'OOM') return full(bytes, 'all memory of the session store is in use', RETRY_WHEN_FULL_SECONDS);
    if (this.away === undefined) this.log.warn({ reason }, 'the session store failed a command');
    return new Refusal(
      'session-store-unavailable',
      `the session store does not answer (${reason}); try again`,
      [],
      RETRY_WHEN_AWAY_SECONDS,
    );
  }

  /**
   * Logged once, not at each attempt to reconnect.
   * @param reason undefined for an error of the client itself, such as a write to a connection that it has just closed:
   *   a known reason is then kept
   */
  private lost(reason: string | undefined): void {
    if (this.reported && reason === undefined) return;
    this.away = reason ?? 'connection failed';
    if (!this.reported) this.log.error({ reason: this.away }, 'the session store is unavailable; reconnecting');
    this.reported = true;
  }

  /** Warns if Redis's settings allow it to evict live sessions or to exhaust the memory of its machine. */
  private async lookAtSettings(): Promise<void> {
    const nodes = this.redis instanceof Cluster ? this.redis.nodes('master') : [this.redis];
    try {
      const infos = await Promise.all(nodes.map((node) => node.info('memory')));
      const settings = infos.map((info) => ({
        policy: field(info, 'maxmemory_policy'),
        most: field(info, 'maxmemory'),
      }));
      const limits = settings.map(({ most }) => Number(most ?? 0)).filter((bytes) => bytes > 0);
      this.memoryBytes = Math.min(Infinity, ...limits);
      const policy = settings.map((each) => each.policy).find((each) => each !== 'noeviction');
      if (policy !== undefined)
        this.log.warn(
          { maxmemoryPolicy: policy },
          'Redis may evict live sessions; expected the setting maxmemory-policy noeviction',
        );
      if (limits.length < nodes.length)
        this.log.warn('Redis may use all memory of its machine; expected the setting maxmemory to limit it');
    } catch (error) {
      // Some hosting providers disable INFO.
      this.log.warn({ reason: reasonOf(error as Error) }, 'the settings of Redis could not be read');
    }
  }
}

/** The number of pieces that a token states, or 0 if it is not a valid token. */
function piecesOf(token: string): number {
  const match = TOKEN.exec(token);
  return match ? Number(match[1] || 1) : 0;
}

function keyOf(token: string, owner: string | undefined, piece: number): string {
  return `layerd:session:${FORMAT}:{${token}}:${piece}${owner === undefined ? '' : `:${owner}`}`;
}

function nameKeyOf(name: string): string {
  return `layerd:sequence:${name}`;
}

/** Atomic: between a GET and a deletion, the name could be bound to another session. */
const UNBIND = "if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('UNLINK', KEYS[1]) end";

/** The value of a field in the reply to `INFO`. */
function field(info: string, name: string): string | undefined {
  return new RegExp(`^${name}:(\\S*)`, 'm').exec(info)?.[1];
}

/**
 * The error in one word: the code of a reply or of the system. The rest of the error must not reach a log or a client,
 * because it contains the command, and so a token.
 */
function reasonOf(error: Error & { code?: unknown; lastNodeError?: Error }): string | undefined {
  if (error.lastNodeError) return reasonOf(error.lastNodeError);
  if (typeof error.code === 'string') return error.code;
  if (error.name === 'ReplyError') return error.message.split(' ', 1)[0];
  return /time(d )?out/i.test(error.message) ? 'no answer in time' : undefined;
}
