/** Decimal digits to integers and back, eight or sixteen at once. The first digit has the lowest address. */

/**
 * 10^0 to 10^19.
 */
const TENS = memory.data<u64>([
  1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000, 1000000000, 10000000000, 100000000000, 1000000000000,
  10000000000000, 100000000000000, 1000000000000000, 10000000000000000, 100000000000000000, 1000000000000000000,
  10000000000000000000,
]);

export function ten(exponent: i32): u64 {
  return load<u64>(TENS + (exponent << 3));
}

/** Loaded at offset n, a swizzle mask that moves a block's first n bytes to its end and zeroes the rest. */
const TO_THE_END = memory.data<u8>([
  0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0, 1, 2, 3, 4, 5, 6,
  7, 8, 9, 10, 11, 12, 13, 14, 15,
]);

/** Sixteen bytes at `address`: digits become 0 to 9, and all other bytes are above 9. */
export function block(address: usize): v128 {
  return i8x16.sub(v128.load(address), i8x16.splat(0x30));
}

/** Number of digits at the start of a block. */
export function countDigits(bytes: v128): i32 {
  return ctz(i8x16.bitmask(i8x16.gt_u(bytes, i8x16.splat(9))) | 0x10000);
}

/** The first `count` digits of a block as a number. Pairs, fours and eights are summed by multiplication. */
export function firstDigits(bytes: v128, count: i32): u64 {
  const digits = i8x16.swizzle(bytes, v128.load(TO_THE_END + count));
  const pairs = i16x8.add(i16x8.mul(v128.and(digits, i16x8.splat(0x00ff)), i16x8.splat(10)), i16x8.shr_u(digits, 8));
  const fours = i32x4.dot_i16x8_s(pairs, i32x4.splat(100 | (1 << 16)));
  const eights = i32x4.dot_i16x8_s(i16x8.narrow_i32x4_u(fours, fours), i32x4.splat(10000 | (1 << 16)));
  const both = i64x2.extract_lane(eights, 0);
  return (both & 0xffffffff) * 100000000 + (both >>> 32);
}

/** Eight bytes at `address`: digits become 0 to 9, and all other bytes are above 9. */
export function eight(address: usize): u64 {
  return load<u64>(address) ^ 0x3030303030303030;
}

/** Number of digits at the start of eight bytes. A carry changes only bytes after the first that is not a digit. */
export function countEight(bytes: u64): i32 {
  const others = ((bytes + 0x7676767676767676) | bytes) & 0x8080808080808080;
  return i32(ctz(others) >> 3);
}

/**
 * The first `count` of eight digits, from 0 to 7, as a number. Daniel Lemire, "Quickly parsing eight digits" (2018).
 */
export function firstOfEight(bytes: u64, count: i32): u64 {
  const digits = (bytes << (u64(7 - count) << 3)) << 8;
  const pairs = (digits & 0x00ff00ff00ff00ff) * 10 + ((digits >> 8) & 0x00ff00ff00ff00ff);
  const fours = (pairs & 0x0000ffff0000ffff) * 100 + ((pairs >> 16) & 0x0000ffff0000ffff);
  return (fours & 0xffffffff) * 10000 + (fours >> 32);
}

/**
 * A number under 10^8 as eight bytes from 0 to 9, the first digit lowest. Divisions are products with rounded-up
 * reciprocals, exact below 10^8, 10^4 and 100. After Paul Khuong, "How to print integers really fast" (2017).
 */
export function toEight(value: u64): u64 {
  const high4 = (value * 109951163) >> 40;
  const fours = high4 + ((value - high4 * 10000) << 32);
  const high2 = ((fours * 10486) >> 20) & 0x0000007f0000007f;
  const pairs = high2 + ((fours - high2 * 100) << 16);
  const high1 = ((pairs * 103) >> 10) & 0x000f000f000f000f;
  return high1 + ((pairs - high1 * 10) << 8);
}

export const ASCII: u64 = 0x3030303030303030;
