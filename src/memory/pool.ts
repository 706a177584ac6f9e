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

export class Pool {
  /** By size; the size that was longest not given back comes first. */
  private readonly idle = new Map<number, ArrayBuffer[]>();
  private idleBytes = 0;

  /** Memory with anything in it. */
  take(bytes: number): Buffer {
    const room = roomFor(bytes);
    const buffer = this.idle.get(room)?.pop();
    if (!buffer) return Buffer.from(Buffer.allocUnsafeSlow(room).buffer, 0, bytes);
    this.idleBytes -= room;
    return Buffer.from(buffer, 0, bytes);
  }

  /** Takes back memory that nobody reads any more, whoever made it. */
  give(buffer: ArrayBufferLike): void {
    const room = buffer.byteLength;
    if (!(buffer instanceof ArrayBuffer) || room < LEAST_BYTES) return;
    if (room !== roomFor(room) || room > MOST_IDLE_BYTES) {
      discard(buffer);
      return;
    }
    const list = this.idle.get(room) ?? [];
    this.idle.delete(room);
    this.idle.set(room, list);
    list.push(buffer);
    this.idleBytes += room;
    while (this.idleBytes > MOST_IDLE_BYTES) this.forget();
  }

  private forget(): void {
    for (const [room, list] of this.idle) {
      const buffer = list.shift();
      if (!buffer) this.idle.delete(room);
      else {
        this.idleBytes -= room;
        discard(buffer);
        return;
      }
    }
  }
}
