/** Layout of the memory. It never grows: bodies and tensors pass through it in pieces of bounded size. */

/** A request's text is read in windows of this many bytes: text and results together fit in the cache of a core. */
export const WINDOW: i32 = 128 << 10;

/** The read of a block may start at a window's last byte, and another may follow it; writes may run over as far. */
const SLACK: i32 = 64;

/** A tensor is written in pieces of this many elements. */
export const PIECE: i32 = 4096;

/** Text to read, or elements to write. */
export const INPUT = memory.data(WINDOW + SLACK, 16);

/** Elements read, each from at least two bytes of text; or text written, at most 89 bytes per element with 32 axes. */
export const OUTPUT = memory.data((WINDOW / 2) * 8 + SLACK, 16);

/** HIGHEST_RANK of `nested.ts`. */
export const MOST_AXES: i32 = 32;
export const SHAPE = memory.data(4 * 33, 16);

/** Ends a window's text with zeros, which continue no token. */
export function closeWindow(length: i32): usize {
  const end = INPUT + length;
  for (let at = end; at < end + SLACK; at += 16) v128.store(at, i64x2.splat(0));
  return end;
}
