/** Prints a tensor. Numbers are printed as by ECMAScript's Number::toString, except that negative zero is -0.0. */
import { ASCII, toEight } from './digits';
import { INPUT, OUTPUT, SHAPE } from './layout';
import { digits, exponent, shortest32, shortest64 } from './shortest';

/** Position of the next entry along each axis. */
const COUNTERS = memory.data(4 * 33, 16);

let rank: i32 = 0;
let started: bool = false;

/** The shape is in SHAPE, from its second word on. */
export function beginPrint(axes: i32): void {
  rank = axes;
  started = false;
  memory.fill(COUNTERS, 0, 4 * 33);
}

/** Prints the next `count` elements, which are in the input. @returns the length of the text */
export function print64(count: i32): i32 {
  return print<f64>(count);
}
export function print32(count: i32): i32 {
  return print<f32>(count);
}
export function printInt32(count: i32): i32 {
  return print<i32>(count);
}
export function printUint8(count: i32): i32 {
  return print<u8>(count);
}

function print<T extends number>(count: i32): i32 {
  let out = OUTPUT;
  let at = INPUT;
  const end = INPUT + count * sizeof<T>();
  const row = load<i32>(SHAPE + (rank << 2));
  let inRow = load<i32>(COUNTERS + (rank << 2));
  if (!started) {
    started = true;
    out = repeat(0x5b, rank, out);
  }
  for (; at < end; at += sizeof<T>()) {
    if (isInteger<T>()) out = integer(i32(load<T>(at)), out);
    else if (sizeof<T>() == 8) out = float64(load<u64>(at), out);
    else out = float32(load<u32>(at), out);
    if (++inRow < row) {
      store<u8>(out++, 0x2c);
      continue;
    }
    inRow = 0;
    const closed = 1 + carry();
    out = repeat(0x5d, closed, out);
    if (closed < rank) {
      store<u8>(out++, 0x2c);
      out = repeat(0x5b, closed, out);
    }
  }
  store<i32>(COUNTERS + (rank << 2), inRow);
  return i32(out - OUTPUT);
}

/** Counts a complete innermost array. @returns how many of the arrays around it are complete, too */
function carry(): i32 {
  let axis = rank - 1;
  for (; axis > 0; axis--) {
    const counter = load<i32>(COUNTERS + (axis << 2)) + 1;
    if (counter < load<i32>(SHAPE + (axis << 2))) {
      store<i32>(COUNTERS + (axis << 2), counter);
      break;
    }
    store<i32>(COUNTERS + (axis << 2), 0);
  }
  return rank - 1 - axis;
}

function repeat(byte: u8, times: i32, out: usize): usize {
  for (let i = 0; i < times; i++) store<u8>(out++, byte);
  return out;
}

const NAN: u64 = 0x224e614e22; // "NaN"
const INFINITY_8: u64 = 0x74696e69666e4922; // "Infinit
const Y_QUOTE: u16 = 0x2279; // y"
const POINT_ZERO: u16 = 0x302e; // .0
const ZERO_POINT: u64 = 0x3030303030302e30; // 0.000000

function nonFinite(nan: bool, negative: bool, out: usize): usize {
  if (nan) {
    store<u64>(out, NAN);
    return out + 5;
  }
  store<u8>(out, 0x22);
  store<u8>(out, 0x2d, 1);
  out += usize(negative);
  // With a sign, the eight bytes start with it, after the quote; without one, they start with the quote itself.
  store<u64>(out, negative ? (INFINITY_8 & ~0xff) | 0x2d : INFINITY_8);
  store<u16>(out, Y_QUOTE, 8);
  return out + 10;
}

function float64(bits: u64, out: usize): usize {
  const negative = bits >> 63 != 0;
  const positive = bits & 0x7fffffffffffffff;
  if (positive >= 0x7ff0000000000000) return nonFinite(positive > 0x7ff0000000000000, negative, out);
  store<u8>(out, 0x2d);
  out += usize(negative);
  const value = reinterpret<f64>(positive);
  const small = i32(value);
  if (f64(small) == value) return whole(small, negative, out);
  shortest64(positive);
  // 16 or 17 digits, or fewer for a subnormal number.
  const short = digits < 10000000000000000;
  let all = select<u64>(digits * 10, digits, short);
  let power = exponent - i32(short);
  while (all < 10000000000000000) {
    all *= 10;
    power--;
  }
  const upper = all / 100000000;
  const first = upper / 100000000;
  return decimal(first, toEight(upper - first * 100000000), toEight(all - upper * 100000000), power + 17, out);
}

function float32(bits: u32, out: usize): usize {
  const negative = bits >> 31 != 0;
  const positive = bits & 0x7fffffff;
  if (positive >= 0x7f800000) return nonFinite(positive > 0x7f800000, negative, out);
  store<u8>(out, 0x2d);
  out += usize(negative);
  const value = reinterpret<f32>(positive);
  // Up to 2^24, neighbours are at most 1 apart, so an integer is its own shortest decimal.
  const small = i32(value);
  if (f32(small) == value && small <= 1 << 24) return whole(small, negative, out);
  shortest32(positive);
  // 7 to 9 digits, or fewer for a subnormal number.
  const short = digits < 10000000;
  const shorter = digits < 100000000;
  let all = select<u64>(digits * 100, select<u64>(digits * 10, digits, shorter), short);
  let power = exponent - i32(short) - i32(shorter);
  while (all < 100000000) {
    all *= 10;
    power--;
  }
  const first = all / 100000000;
  return decimal(first, toEight(all - first * 100000000), 0, power + 9, out);
}

/**
 * Prints 0.d…d * 10^point. The 17 digits, each from 0 to 9, are one and twice eight. Stores run past the end of the
 * text; later ones overwrite the excess.
 */
function decimal(first: u64, middle: u64, rest: u64, point: i32, out: usize): usize {
  const length = rest != 0 ? 17 - i32(clz(rest) >> 3) : middle != 0 ? 9 - i32(clz(middle) >> 3) : 1;
  const head = first + 0x30;
  middle += ASCII;
  rest += ASCII;
  if (point > 0 && point <= 21) {
    if (length <= point) {
      store<u8>(out, u8(head));
      store<u64>(out, middle, 1);
      store<u64>(out, rest, 9);
      store<u32>(out, u32(ASCII), 17);
      return out + point;
    }
    // Writes all digits one place too far right, then overwrites the first ones, with the point among them.
    store<u64>(out, middle, 2);
    store<u64>(out, rest, 10);
    if (point < 8) {
      const early = head | (middle << 8);
      const before: u64 = (1 << (u64(point) << 3)) - 1;
      store<u64>(out, (early & before) | (0x2e << (u64(point) << 3)) | ((early & ~before) << 8));
    } else {
      store<u8>(out, u8(head));
      store<u64>(out, middle, 1);
      for (let at = out + 9; at < out + point; at++) store<u8>(at, load<u8>(at, 1));
      store<u8>(out + point, 0x2e);
    }
    return out + length + 1;
  }
  if (point <= 0 && point > -6) {
    store<u64>(out, ZERO_POINT);
    out += 2 - point;
    store<u8>(out, u8(head));
    store<u64>(out, middle, 1);
    store<u64>(out, rest, 9);
    return out + length;
  }
  store<u16>(out, u16(head | 0x2e00));
  store<u64>(out, middle, 2);
  store<u64>(out, rest, 10);
  out += length == 1 ? 1 : length + 1;
  store<u16>(out, point > 0 ? 0x2b65 : 0x2d65);
  return cardinal(abs(point - 1), out + 2);
}

/** A float that is an integer, without its sign. Only -0.0 gets a point: as an integer, it would lose its sign. */
function whole(value: i32, negative: bool, out: usize): usize {
  out = cardinal(value, out);
  if (value != 0 || !negative) return out;
  store<u16>(out, POINT_ZERO);
  return out + 2;
}

function integer(value: i32, out: usize): usize {
  store<u8>(out, 0x2d);
  return cardinal(u32(value < 0 ? -value : value), out + usize(value < 0));
}

function cardinal(value: u32, out: usize): usize {
  if (value < 10) {
    store<u8>(out, u8(0x30 + value));
    return out + 1;
  }
  if (value >= 100000000) {
    out = cardinal(value / 100000000, out);
    store<u64>(out, toEight(value % 100000000) + ASCII);
    return out + 8;
  }
  const eight = toEight(value);
  const zeros = ctz(eight) >> 3;
  store<u64>(out, (eight + ASCII) >> (zeros << 3));
  return out + usize(8 - zeros);
}
