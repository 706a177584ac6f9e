/** Memory that is used again: fresh pages cost more than the copy into them. */
import { discard } from './discard.js';

/** Beneath this size fresh memory is as fast; and smaller buffers may be a slab that `Buffer` shares out. */
export const LEAST_BYTES = 2 * Buffer.poolSize;

/** Most that lies idle in one pool: bodies of the default limit for two clients. */
const MOST_IDLE_BYTES = 128 * 2 ** 20;

/**
 * The size of the buffer that holds `bytes`: a power of two in quarters, so that bodies of nearly one length share
 * buffers. Pages over the length are never touched, and so never there.
 */
function roomFor(bytes: number): number {
  const quarter = 2 ** Math.max(0, Math.ceil(Math.log2(bytes)) - 3);
  return Math.max(LEAST_BYTES, Math.ceil(bytes / quarter) * quarter);
}

/** Buffers of one size are either shared with other threads or not. */
function keyOf(bytes: number, shared: boolean): string {
  return `${bytes}${shared ? ' shared' : ''}`;
}

export class Pool {
  /** By size and kind; those that were longest not given back come first. */
  private readonly idle = new Map<string, ArrayBufferLike[]>();
  private idleBytes = 0;
  private readonly own = new WeakSet<ArrayBufferLike>();

  /** Memory with anything in it; of a kind that other threads can read too where it is `shared`. */
  take(bytes: number, shared = false): Buffer {
    const room = roomFor(bytes);
    const idle = this.idle.get(keyOf(room, shared))?.pop();
    if (idle) this.idleBytes -= room;
    const buffer = idle ?? allocate(room, shared);
    this.own.add(buffer);
    return Buffer.from(buffer, 0, bytes);
  }

  /** Takes back memory that nobody reads any more, and frees what it has not made itself. */
  give(buffer: ArrayBufferLike): void {
    const room = buffer.byteLength;
    if (room < LEAST_BYTES) return;
    if (!this.own.has(buffer) || room > MOST_IDLE_BYTES) {
      free(buffer);
      return;
    }
    const key = keyOf(room, buffer instanceof SharedArrayBuffer);
    const list = this.idle.get(key) ?? [];
    this.idle.delete(key);
    this.idle.set(key, list);
    list.push(buffer);
    this.idleBytes += room;
    while (this.idleBytes > MOST_IDLE_BYTES) this.forget();
  }

  private forget(): void {
    for (const [key, list] of this.idle) {
      const buffer = list.shift();
      if (!buffer) this.idle.delete(key);
      else {
        this.idleBytes -= buffer.byteLength;
        free(buffer);
        return;
      }
    }
  }
}

function allocate(bytes: number, shared: boolean): ArrayBufferLike {
  return shared ? new SharedArrayBuffer(bytes) : Buffer.allocUnsafeSlow(bytes).buffer;
}

/** Shared memory goes when the last thread has let go of it. */
function free(buffer: ArrayBufferLike): void {
  if (buffer instanceof ArrayBuffer) discard(buffer);
}
