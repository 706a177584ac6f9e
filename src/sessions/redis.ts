/**
 * Sessions in Redis, where every process and every replica finds them.
 *
 * A session is one value, or several where it is larger than a piece. The first decides whether there is a session:
 * its key has the token and the owner in it, so that each operation on it is one command, atomic by itself, for which
 * another owner's session does not exist. Redis itself ends it. The keys of one session have one hash tag, and so lie on
 * one node of a cluster.
 */
import { randomBytes } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';
import { Cluster } from 'ioredis';
import type { BaseLogger } from 'pino';
import { discard } from '../memory/discard.js';
import { Refusal } from '../refusal.js';
import { PATIENCE_MS, type Connection } from './connection.js';
import { decodeSession, encodeSession } from './encoding.js';
import { bytesOf, full, tooLarge, type HeldSession, type NewSession, type SessionStore } from './store.js';

/** 192 bits, where the contract wants 128 at least: 32 characters. */
const TOKEN_BYTES = 24;

/** A token ends with the number of its session's pieces, where that is not one. */
const TOKEN = /^[\w-]{32}(\d{0,9})$/;

/**
 * Far beneath Redis's limit of 512 MB for a value, and so little that whatever else goes over the connection waits for
 * no more than a few milliseconds.
 */
const PIECE_BYTES = 4 * 2 ** 20;

/** By how much the other pieces outlive the first, which alone decides: more than reading them all may take. */
const MARGIN_MS = 30_000;

/** Redis does not tell when the next session ends. */
const RETRY_WHEN_FULL_SECONDS = 10;

/** As often as the connection is tried again. */
const RETRY_WHEN_AWAY_SECONDS = 1;

export type Log = Pick<BaseLogger, 'info' | 'warn' | 'error'>;

export interface RedisStoreOptions {
  readonly ttlMs: number;
  /** Of one session; all together are bounded by Redis's own `maxmemory`. */
  readonly budgetBytes: number;
  readonly log: Log;
  /** Milliseconds since 1970. */
  readonly clock?: (() => number) | undefined;
  readonly pieceBytes?: number;
}

export class RedisStore implements SessionStore {
  readonly ttlMs: number;
  private readonly budgetBytes: number;
  private readonly log: Log;
  private readonly clock: () => number;
  private readonly pieceBytes: number;
  /** Redis's `maxmemory`, the least of a cluster's, as it was when the connection was made. */
  private memoryBytes = Infinity;
  /** Why Redis is away, in a word; undefined while it is there. */
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
    this.pieceBytes = pieceBytes;
    this.opened = new Promise((resolve) => {
      redis.on('ready', () => {
        this.away = undefined;
        this.reported = false;
        log.info('connected to the session store');
        void this.lookAtSettings().finally(resolve);
      });
      redis.on('error', (error: Error) => {
        this.lost(reasonOf(error) ?? 'connection failed');
        resolve();
      });
    });
    redis.on('close', () => {
      this.away ??= 'connection closed';
    });
  }

  /** Until Redis has answered for the first time, or has turned out to be away: the service starts without it. */
  async open(): Promise<void> {
    await Promise.race([this.opened, setTimeout(PATIENCE_MS, undefined, { ref: false })]);
  }

  async create({ owner, ...session }: NewSession): Promise<string> {
    const bytes = bytesOf(session);
    const largest = Math.min(this.budgetBytes, this.memoryBytes);
    if (bytes > largest) throw tooLarge(bytes, largest);
    const value = encodeSession(session, this.clock());
    const count = Math.ceil(value.byteLength / this.pieceBytes);
    const token = randomBytes(TOKEN_BYTES).toString('base64url') + (count === 1 ? '' : String(count));
    const keys = Array.from({ length: count }, (_, i) => keyOf(token, owner, i));
    try {
      // The first comes last: a session is there when all of it is.
      for (let i = count - 1; i >= 0; i--)
        await this.redis.set(
          keys[i],
          value.subarray(i * this.pieceBytes, (i + 1) * this.pieceBytes),
          'PX',
          this.lifeOf(i),
        );
      discard(value.buffer as ArrayBuffer);
    } catch (error) {
      // What has come to be there nobody can ask for. Should this fail as well, it expires.
      if (count > 1) this.redis.unlink(...keys).catch(() => undefined);
      throw this.refusalOf(error, bytes);
    }
    return token;
  }

  async use(token: string, owner?: string): Promise<HeldSession | undefined> {
    const pieces = await this.read(token, owner, (key, i) => this.redis.getexBuffer(key, 'PX', this.lifeOf(i)));
    return pieces && this.heldOf(pieces, this.ttlMs);
  }

  async inspect(token: string, owner?: string): Promise<HeldSession | undefined> {
    const pieces = await this.read(token, owner, (key) => this.redis.getBuffer(key));
    if (!pieces) return undefined;
    const leftMs = await this.asked(() => this.redis.pttl(keyOf(token, owner, 0)));
    // It may have come to its end since.
    return leftMs > 0 ? this.heldOf(pieces, leftMs) : undefined;
  }

  async delete(token: string, owner?: string): Promise<boolean> {
    const count = piecesOf(token);
    if (count === 0) return false;
    if ((await this.asked(() => this.redis.unlink(keyOf(token, owner, 0)))) === 0) return false;
    const others = Array.from({ length: count - 1 }, (_, i) => keyOf(token, owner, i + 1));
    // Nobody finds them any more: should this fail, they expire.
    if (others.length > 0) await this.redis.unlink(...others).catch(() => undefined);
    return true;
  }

  /** Every process would report the same sessions: Redis has figures of its own. */
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
      // A later one is missing where the session was deleted meanwhile.
      if (!piece) return undefined;
      pieces.push(piece);
    }
    return pieces.length > 0 ? pieces : undefined;
  }

  /** @param pieces are copied and freed */
  private heldOf(pieces: readonly Buffer[], leftMs: number): HeldSession {
    const session = decodeSession(pieces);
    for (const { buffer, byteLength } of pieces)
      // A small one is a part of memory that others are in as well.
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
    if (reason === 'OOM') return full(bytes, 'the session store is filled', RETRY_WHEN_FULL_SECONDS);
    if (this.away === undefined) this.log.warn({ reason }, 'the session store failed a command');
    return new Refusal(
      'session-store-unavailable',
      `the session store does not answer (${reason}). Try again, or send "session": false, and backward the forward request in the place of the token`,
      [],
      RETRY_WHEN_AWAY_SECONDS,
    );
  }

  /** Logged once, not at each attempt to connect again. */
  private lost(reason: string): void {
    this.away = reason;
    if (!this.reported) this.log.error({ reason }, 'the session store is away; trying again until it is back');
    this.reported = true;
  }

  /** Live sessions must never be thrown away, nor the machine's memory be filled: that is for Redis's settings. */
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
          'Redis may throw live sessions away; expected the setting maxmemory-policy noeviction',
        );
      if (limits.length < nodes.length)
        this.log.warn('Redis fills all memory that there is; expected the setting maxmemory to bound it');
    } catch (error) {
      // Some hosts keep INFO to themselves.
      this.log.warn({ reason: reasonOf(error as Error) }, 'the settings of Redis are not to be seen');
    }
  }
}

/** As a token of ours says, and 0 for what is none. */
function piecesOf(token: string): number {
  const match = TOKEN.exec(token);
  return match ? Number(match[1] || 1) : 0;
}

function keyOf(token: string, owner: string | undefined, piece: number): string {
  return `layerd:session:{${token}}:${piece}${owner === undefined ? '' : `:${owner}`}`;
}

/** A line of what `INFO` answers. */
function field(info: string, name: string): string | undefined {
  return new RegExp(`^${name}:(\\S*)`, 'm').exec(info)?.[1];
}

/**
 * In a word: the code of a reply or of the system. Nothing else of the error is for a log or a client, since it has
 * the command with it, and so a token.
 */
function reasonOf(error: Error & { code?: unknown; lastNodeError?: Error }): string | undefined {
  if (error.lastNodeError) return reasonOf(error.lastNodeError);
  if (typeof error.code === 'string') return error.code;
  if (error.name === 'ReplyError') return error.message.split(' ', 1)[0];
  return /time(d )?out/i.test(error.message) ? 'no answer in time' : undefined;
}
