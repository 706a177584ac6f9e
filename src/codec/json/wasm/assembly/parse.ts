/** Parses a tensor's text into elements and a shape. Gives up on anything but a well-formed tensor. */
import { block, countDigits, countEight, eight, firstDigits, firstOfEight, ten } from './digits';
import { closeWindow, INPUT, MOST_AXES, OUTPUT, SHAPE } from './layout';
import { nearest32, nearest64 } from './nearest';
import { DONE, GIVE_UP, MORE, stopAt } from './status';

/**
 * Exact arithmetic outside, for a number whose first 19 digits do not decide, in the window's bytes [start, end).
 */
declare function exactly64(start: i32, end: i32): f64;
declare function exactly32(start: i32, end: i32): f32;

/**
 * Integers up to 2^53 and powers up to 10^22 are exact in float64 (2^24 and 10^10 in float32), so one operation rounds
 * once: William Clinger, "How to Read Floating Point Numbers Accurately" (1990).
 */
const EXACT_POWERS = memory.data<f64>([
  1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20,
  1e21, 1e22,
]);
/**
 * Below 2^53 and 2^24, and below the digits of nearly all shortest decimals of random numbers, so that these take the
 * same branch and it is predicted well: with 2^24 itself, reading random float32 takes 26 ns a number instead of 19.
 */
const FEW_DIGITS_64: u64 = 1000000000000000;
const FEW_DIGITS_32: u64 = 1000000;

/** Any number of this many digits fits in 64 bits. */
const MOST_DIGITS = 19;
/** A number below this still fits in 64 bits with seven more digits. */
const ROOM_FOR_SEVEN: u64 = 1000000000000;
/** Larger exponents all have the same effect; up to this one, adding the digits of a window cannot overflow. */
const MOST_EXPONENT = 10000000;

const NAN: u32 = 0x224e614e; // NaN"
const INFINITY_8: u64 = 0x7974696e69666e49; // Infinity
const NEGATIVE_INFINITY_8: u64 = 0x74696e69666e492d; // -Infinit
const Y_QUOTE: u16 = 0x2279; // y"
const LONGEST_STRING = 11;

/** Entries read so far of the open array at each depth. */
const COUNTS = memory.data(4 * 33, 16);

let depth: i32 = 0;
/** Nesting depth of the numbers; 0 until the first one is read. */
let rank: i32 = 0;
let afterValue: bool = false;
/** Elements that the last call left in the output. */
export let produced: i32 = 0;

export function shapeRank(): i32 {
  return rank;
}

export function beginParse(): void {
  depth = 0;
  rank = 0;
  afterValue = false;
  memory.fill(SHAPE, 0, 4 * (MOST_AXES + 1));
}

export function parse64(from: i32, length: i32, last: bool): i32 {
  return parse<f64>(from, length, last);
}
export function parse32(from: i32, length: i32, last: bool): i32 {
  return parse<f32>(from, length, last);
}
export function parseInt32(from: i32, length: i32, last: bool): i32 {
  return parse<i32>(from, length, last);
}

/** Set by a number that the dtype cannot hold. */
let failed: bool = false;
/** Address of the first byte that cannot continue the number. */
let failedAt: usize = 0;

function parse<T extends number>(from: i32, length: i32, last: bool): i32 {
  const end = closeWindow(length);
  let at = INPUT + from;
  let out = OUTPUT;
  failed = false;
  let status = GIVE_UP;
  // Entries of the innermost array; those of the others are in COUNTS.
  let entries = load<i32>(COUNTS + (depth << 2));
  for (;;) {
    let byte = load<u8>(at);
    if (!afterValue) {
      while (isSpace(byte)) byte = load<u8>(++at);
      if (byte - 0x30 <= 9 || byte == 0x2d) {
        const next = number<T>(at, out);
        // Cut off at the window's end: what follows decides what it is.
        if ((next == 0 ? failedAt : next) >= end) {
          if (!last) status = MORE;
          break;
        }
        if (next == 0) break;
        if (depth != rank) {
          if (rank != 0 || depth == 0) break;
          rank = depth;
        }
        out += sizeof<T>();
        entries++;
        at = next;
        byte = load<u8>(at);
        // The common case: a comma follows at once.
        if (byte == 0x2c) {
          at++;
          continue;
        }
      } else if (byte == 0x5b) {
        if (depth == MOST_AXES || (rank != 0 && depth >= rank)) break;
        store<i32>(COUNTS + (depth << 2), entries);
        depth++;
        entries = 0;
        at++;
        continue;
      } else if (byte == 0x22) {
        if (at + LONGEST_STRING > end && !last) {
          status = MORE;
          break;
        }
        if (isInteger<T>()) break;
        const next = nonFinite<T>(at + 1, out);
        if (next == 0) break;
        if (depth != rank) {
          if (rank != 0 || depth == 0) break;
          rank = depth;
        }
        out += sizeof<T>();
        entries++;
        at = next;
      } else {
        if (at >= end && !last) status = MORE;
        break;
      }
      afterValue = true;
      continue;
    }
    while (isSpace(byte)) byte = load<u8>(++at);
    if (byte == 0x2c) {
      at++;
      afterValue = false;
    } else if (byte == 0x5d) {
      const size = load<i32>(SHAPE + (depth << 2));
      if (size == 0) store<i32>(SHAPE + (depth << 2), entries);
      else if (size != entries) break;
      depth--;
      at++;
      if (depth == 0) {
        status = DONE;
        break;
      }
      entries = load<i32>(COUNTS + (depth << 2)) + 1;
    } else {
      if (at >= end && !last) status = MORE;
      break;
    }
  }
  store<i32>(COUNTS + (depth << 2), entries);
  produced = i32(out - OUTPUT) / sizeof<T>();
  stopAt(at, INPUT);
  return status;
}

function isSpace(byte: u8): bool {
  return byte <= 0x20 && (byte == 0x20 || byte == 0x0a || byte == 0x0d || byte == 0x09);
}

/**
 * @param at after the opening quote
 * @returns the address after the closing quote, or 0 if the string is none of the three
 */
function nonFinite<T extends number>(at: usize, out: usize): usize {
  if (load<u32>(at) == NAN) {
    store<T>(out, <T>NaN);
    return at + 4;
  }
  if (load<u64>(at) == INFINITY_8 && load<u8>(at, 8) == 0x22) {
    store<T>(out, <T>Infinity);
    return at + 9;
  }
  if (load<u64>(at) == NEGATIVE_INFINITY_8 && load<u16>(at, 8) == Y_QUOTE) {
    store<T>(out, <T>-Infinity);
    return at + 10;
  }
  return 0;
}

/**
 * Parses a number by JSON's grammar, and stores it. The zeros after the window's end stop every loop.
 * @returns the address after it, or 0 if it is not a number or the dtype cannot hold it
 */
function number<T extends number>(start: usize, out: usize): usize {
  let at = start;
  const negative = load<u8>(at) == 0x2d;
  at += usize(negative);
  let w = u64(load<u8>(at)) - 0x30;
  if (w > 9) return fail(at);
  at++;
  let digits = i32(w != 0);
  let digit = u32(load<u8>(at)) - 0x30;
  if (digit <= 9) {
    if (w == 0) return fail(at);
    // Up to seven more digits without a branch, because their number is hard to predict.
    const more = eight(at);
    const count = min(countEight(more), 7);
    w = w * ten(count) + firstOfEight(more, count);
    at += count;
    digits += count;
    if (count == 7) {
      for (digit = u32(load<u8>(at)) - 0x30; digit <= 9; digit = u32(load<u8>(++at)) - 0x30) {
        w = w * 10 + digit;
        digits++;
      }
    }
  }

  // An integer that every dtype holds.
  if (digits < 7 && load<u8>(at) == 0x2c) {
    store<T>(out, negative ? -(<T>w) : <T>w);
    return at;
  }
  let power = 0;
  let sure = digits <= MOST_DIGITS;
  if (load<u8>(at) == 0x2e) {
    at++;
    const bytes = block(at);
    const count = countDigits(bytes);
    if (count == 0) return fail(at);
    const fraction = firstDigits(bytes, count);
    w = w * ten(count) + fraction;
    power = -count;
    at += count;
    digits += count;
    if (count == 16) {
      const more = eight(at);
      const moreCount = countEight(more);
      if (moreCount < 8) {
        sure = sure && (digits + moreCount <= MOST_DIGITS || (digits == 16 && w < ROOM_FOR_SEVEN));
        w = w * ten(moreCount) + firstOfEight(more, moreCount);
        power -= moreCount;
        at += moreCount;
      } else {
        sure = false;
        while (u32(load<u8>(at)) - 0x30 <= 9) at++;
      }
    } else sure = sure && digits <= MOST_DIGITS;
  }
  if ((load<u8>(at) | 0x20) == 0x65) {
    at++;
    const sign = load<u8>(at);
    if (sign == 0x2d || sign == 0x2b) at++;
    digit = u32(load<u8>(at)) - 0x30;
    if (digit > 9) return fail(at);
    let exponent = 0;
    do {
      if (exponent < MOST_EXPONENT) exponent = exponent * 10 + digit;
      digit = u32(load<u8>(++at)) - 0x30;
    } while (digit <= 9);
    power += sign == 0x2d ? -exponent : exponent;
  }
  store<T>(out, sure ? decided<T>(w, power, negative) : long<T>(start, at, negative));
  return failed ? fail(at) : at;
}

function fail(at: usize): usize {
  failedAt = at;
  return 0;
}

/** w * 10^power, where w has all of the digits. */
function decided<T extends number>(w: u64, power: i32, negative: bool): T {
  if (isInteger<T>()) return <T>int32(w, power, negative);
  return sizeof<T>() == 8 ? <T>float64(w, power, negative) : <T>float32(w, power, negative);
}

/** Exactly: rounded to float64, 2.000000000000000001 would be an integer. */
function int32(w: u64, power: i32, negative: bool): i32 {
  const most: u64 = 0x7fffffff + u64(negative);
  if (w == 0) return 0;
  for (; power > 0 && w <= most; power--) w *= 10;
  for (; power < 0 && w % 10 == 0; power++) w /= 10;
  if (power != 0 || w > most) failed = true;
  return negative ? -i32(w) : i32(w);
}

function float64(w: u64, power: i32, negative: bool): f64 {
  if (w < FEW_DIGITS_64 && abs(power) <= 22) {
    const value = f64(w);
    const ten = load<f64>(EXACT_POWERS + (abs(power) << 3));
    const scaled = power < 0 ? value / ten : value * ten;
    return negative ? -scaled : scaled;
  }
  const bits = w == 0 ? 0 : nearest64(w, power);
  if (bits == 0x7ff0000000000000) failed = true;
  return reinterpret<f64>(bits | (u64(negative) << 63));
}

function float32(w: u64, power: i32, negative: bool): f32 {
  if (w < FEW_DIGITS_32 && abs(power) <= 10) {
    const value = f32(w);
    const ten = f32(load<f64>(EXACT_POWERS + (abs(power) << 3)));
    const scaled = power < 0 ? value / ten : value * ten;
    return negative ? -scaled : scaled;
  }
  const bits = w == 0 ? 0 : nearest32(w, power);
  if (bits == 0x7f800000) failed = true;
  return reinterpret<f32>(bits | (u32(negative) << 31));
}

/** A number in [start, end) with more digits than always fit in 64 bits. */
function long<T extends number>(start: usize, end: usize, negative: bool): T {
  let w: u64 = 0;
  let digits = 0;
  let power = 0;
  let left = false;
  let point = false;
  let at = start + usize(negative);
  for (; at < end; at++) {
    const byte = load<u8>(at);
    if (byte == 0x2e) {
      point = true;
      continue;
    }
    const digit = u32(byte) - 0x30;
    if (digit > 9) break;
    if (digits < MOST_DIGITS) {
      w = w * 10 + digit;
      digits += i32(w != 0);
      power -= i32(point);
    } else {
      left = left || digit != 0;
      power += i32(!point);
    }
  }
  if (at < end) {
    let exponent = 0;
    const sign = load<u8>(++at);
    if (sign == 0x2d || sign == 0x2b) at++;
    for (; at < end; at++) if (exponent < MOST_EXPONENT) exponent = exponent * 10 + (load<u8>(at) - 0x30);
    power += sign == 0x2d ? -exponent : exponent;
  }
  if (!left) return decided<T>(w, power, negative);
  // More digits than 64 bits hold: with digits behind the point it is no integer, without it is beyond 32 bits.
  if (isInteger<T>()) {
    failed = true;
    return <T>0;
  }
  // The value is between w and w + 1: if both round to the same number, so does it.
  if (sizeof<T>() == 8) {
    if (nearest64(w, power) == nearest64(w + 1, power)) return decided<T>(w, power, negative);
    const value = exactly64(i32(start - INPUT), i32(end - INPUT));
    if (abs(value) == Infinity) failed = true;
    return <T>value;
  }
  if (nearest32(w, power) == nearest32(w + 1, power)) return decided<T>(w, power, negative);
  const value = exactly32(i32(start - INPUT), i32(end - INPUT));
  if (abs(value) == Infinity) failed = true;
  return <T>value;
}
