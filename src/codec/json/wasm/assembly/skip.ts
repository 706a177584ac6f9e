/** Finds the end of a nested array of numbers without reading the numbers, and counts its commas. */
import { closeWindow, INPUT, MOST_AXES } from './layout';
import { DONE, GIVE_UP, MORE, stopAt } from './status';

/** Strings of a tensor are "NaN", "Infinity" and "-Infinity". */
const LONGEST_STRING: i32 = 11;

let depth: i32 = 0;
export let commas: i32 = 0;

export function beginSkip(): void {
  depth = 0;
  commas = 0;
}

/** @param from where in the window to begin: at the array's first bracket, or where the last call stopped */
export function skip(from: i32, length: i32, last: bool): i32 {
  const end = closeWindow(length);
  let at = INPUT + from;
  while (at < end) {
    const bytes = v128.load(at);
    // Finds '[' and ']', and also 'Y' and '_', which a tensor does not contain outside of strings.
    const brackets = i8x16.eq(v128.or(bytes, i8x16.splat(6)), i8x16.splat(0x5f));
    let marks = i8x16.bitmask(v128.or(brackets, i8x16.eq(bytes, i8x16.splat(0x22))));
    const separators = i8x16.bitmask(i8x16.eq(bytes, i8x16.splat(0x2c)));
    let next = at + 16;
    let counted = separators;
    while (marks != 0) {
      const i = ctz(marks);
      const mark = load<u8>(at + i);
      if (mark == 0x5d) {
        if (--depth == 0) {
          commas += popcnt(separators & ((1 << i) - 1));
          stopAt(at + i + 1, INPUT);
          return DONE;
        }
      } else if (mark == 0x5b) {
        if (++depth > MOST_AXES) return GIVE_UP;
      } else if (mark == 0x22) {
        counted = separators & ((1 << i) - 1);
        next = afterString(at + i + 1, end);
        if (next == 0) {
          if (last || end > at + i + LONGEST_STRING) return GIVE_UP;
          commas += popcnt(counted);
          stopAt(at + i, INPUT);
          return MORE;
        }
        break;
      } else return GIVE_UP;
      marks &= marks - 1;
    }
    commas += popcnt(counted);
    at = next;
  }
  if (last) return GIVE_UP;
  stopAt(end, INPUT);
  return MORE;
}

/** @returns the address after the string; 0 if it has an escape, or does not end in time or in the window */
function afterString(at: usize, end: usize): usize {
  const most = min(end, at + LONGEST_STRING);
  for (; at < most; at++) {
    const byte = load<u8>(at);
    if (byte == 0x22) return at + 1;
    if (byte == 0x5c) return 0;
  }
  return 0;
}
