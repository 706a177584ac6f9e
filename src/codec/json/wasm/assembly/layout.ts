/** Where bytes stand in the memory. It never grows: bodies and tensors pass through in pieces of bounded size. */

/** Text of a request is read in windows of this many bytes: with what it becomes, it stays in a core's own cache. */
export const WINDOW: i32 = 128 << 10;

/** Reads of a block may start at a window's last byte, twice in a row; and what is written may run over as far. */
const SLACK: i32 = 64;

/** A tensor is written in pieces of this many elements. */
export const PIECE: i32 = 4096;

/** Text to read, or elements to write. */
export const INPUT = memory.data(WINDOW + SLACK, 16);

/** Elements read: one takes two bytes of text at least. Or text written: a piece in 32 axes of size 1 takes 89 * 4096. */
export const OUTPUT = memory.data((WINDOW / 2) * 8 + SLACK, 16);

/** As deep as the plain codec goes. */
export const MOST_AXES: i32 = 32;
export const SHAPE = memory.data(4 * 33, 16);

/** Ends a window's text with zeros, which no token goes on with. */
export function closeWindow(length: i32): usize {
  const end = INPUT + length;
  for (let at = end; at < end + SLACK; at += 16) v128.store(at, i64x2.splat(0));
  return end;
}
