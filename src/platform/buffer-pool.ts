/** Reuses memory: fresh pages cost more than copying into them. */
import { discard } from './discard.js';

/** Below this size, fresh memory is as fast, and a buffer may be part of a slab that `Buffer` shares. */
export const LEAST_BYTES = 2 * Buffer.poolSize;

/** Most idle memory in one pool: two request bodies of the default limit. */
const MOST_IDLE_BYTES = 128 * 2 ** 20;

/**
 * The size of the buffer for `bytes`: each power of two is divided into four sizes, so that bodies of similar length
 * share buffers. Pages past the length are never touched, so they take no physical memory.
 */
function roomFor(bytes: number): number {
  const quarter = 2 ** Math.max(0, Math.ceil(Math.log2(bytes)) - 3);
  return Math.max(LEAST_BYTES, Math.ceil(bytes / quarter) * quarter);
}

/** Shared and unshared buffers of the same size are kept separately. */
function keyOf(bytes: number, shared: boolean): string {
  return `${bytes}${shared ? ' shared' : ''}`;
}

export class Pool {
  /** By size and kind, the least recently returned first. */
  private readonly idle = new Map<string, ArrayBufferLike[]>();
  private idleBytes = 0;
  private readonly own = new WeakSet<ArrayBufferLike>();

  /** Returns uninitialised memory; if `shared`, other threads can read it too. */
  take(bytes: number, shared = false): Buffer {
    const room = roomFor(bytes);
    const idle = this.idle.get(keyOf(room, shared))?.pop();
    if (idle) this.idleBytes -= room;
    const buffer = idle ?? allocate(room, shared);
    this.own.add(buffer);
    return Buffer.from(buffer, 0, bytes);
  }

  /** Takes back memory that is no longer in use. Frees it if it is too large, or not from this pool. */
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

/** Shared memory is freed when no thread references it any more. */
function free(buffer: ArrayBufferLike): void {
  if (buffer instanceof ArrayBuffer) discard(buffer);
}
