/**
 * Philox4x32-10 (Salmon et al. 2011), blocks by vectors: word w of blocks i to i + 3 fills one. The masks
 * are those of the plain kernels, bit for bit.
 */
import { lanes, VECTOR, zero } from './vector';

/** Upper and lower halves of four products of 32 bits: even lanes are multiplied in place, odd ones moved there. */
function high(low: v128, up: v128): v128 {
  return v128.shuffle<i32>(low, up, 1, 3, 5, 7);
}
function low(lowHalf: v128, up: v128): v128 {
  return v128.shuffle<i32>(lowHalf, up, 0, 2, 4, 6);
}

/** The keep bytes of four blocks, from their four words each. */
function bytesOf(c0: v128, c1: v128, c2: v128, c3: v128, least: v128): v128 {
  const kept01 = i16x8.narrow_i32x4_s(i32x4.ge_u(c0, least), i32x4.ge_u(c1, least));
  const kept23 = i16x8.narrow_i32x4_s(i32x4.ge_u(c2, least), i32x4.ge_u(c3, least));
  const byWord = i8x16.narrow_i16x8_s(kept01, kept23);
  const byBlock = i8x16.shuffle(byWord, byWord, 0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
  return v128.and(byBlock, i8x16.splat(1));
}

/**
 * 1 where the word is at least `threshold`; `count` bytes from element `first` on, which 32 divides. Two times four
 * blocks go side by side, since each round waits for the one before. What hangs over the end is written too.
 */
export function dropoutMask(seedLow: i32, seedHigh: i32, threshold: i32, first: f64, mask: usize, count: i32): void {
  const multiplier0 = i32x4.splat(<i32>0xd2511f53);
  const multiplier1 = i32x4.splat(<i32>0xcd9e8d57);
  const least = i32x4.splat(threshold);
  let block = <u64>first / 4;
  for (let i = 0; i < count; i += 32) {
    // Blocks share the upper half of the counter: the first is a multiple of 8.
    let c0 = i32x4.add(i32x4.splat(<i32>block), i32x4(0, 1, 2, 3));
    let c1 = i32x4.splat(<i32>(block >> 32));
    let c2 = zero();
    let c3 = zero();
    let d0 = i32x4.add(i32x4.splat(<i32>block), i32x4(4, 5, 6, 7));
    let d1 = c1;
    let d2 = zero();
    let d3 = zero();
    let key0 = seedLow;
    let key1 = seedHigh;
    for (let round = 0; round < 10; round++) {
      const keys0 = i32x4.splat(key0);
      const keys1 = i32x4.splat(key1);
      const lowC0 = i64x2.extmul_low_i32x4_u(c0, multiplier0);
      const upC0 = i64x2.extmul_high_i32x4_u(c0, multiplier0);
      const lowC1 = i64x2.extmul_low_i32x4_u(c2, multiplier1);
      const upC1 = i64x2.extmul_high_i32x4_u(c2, multiplier1);
      c0 = v128.xor(v128.xor(high(lowC1, upC1), c1), keys0);
      c1 = low(lowC1, upC1);
      c2 = v128.xor(v128.xor(high(lowC0, upC0), c3), keys1);
      c3 = low(lowC0, upC0);
      const lowD0 = i64x2.extmul_low_i32x4_u(d0, multiplier0);
      const upD0 = i64x2.extmul_high_i32x4_u(d0, multiplier0);
      const lowD1 = i64x2.extmul_low_i32x4_u(d2, multiplier1);
      const upD1 = i64x2.extmul_high_i32x4_u(d2, multiplier1);
      d0 = v128.xor(v128.xor(high(lowD1, upD1), d1), keys0);
      d1 = low(lowD1, upD1);
      d2 = v128.xor(v128.xor(high(lowD0, upD0), d3), keys1);
      d3 = low(lowD0, upD0);
      key0 += <i32>0x9e3779b9;
      key1 += <i32>0xbb67ae85;
    }
    v128.store(mask + i, bytesOf(c0, c1, c2, c3, least));
    v128.store(mask + i, bytesOf(d0, d1, d2, d3, least), VECTOR);
    block += 8;
  }
}

/** In place: `x = mask ? x / divisor : 0`. Reads and writes whole vectors. */
export function applyMask<T>(x: usize, mask: usize, divisor: f64, count: i32): void {
  const by = v128.splat<T>(<T>divisor);
  const none = zero();
  for (let i = 0; i < count; i += lanes<T>()) {
    let kept: v128;
    if (sizeof<T>() == 4) {
      const bytes = v128.load32_zero(mask + i);
      kept = i32x4.ne(i32x4.extend_low_i16x8_u(i16x8.extend_low_i8x16_u(bytes)), none);
    } else {
      const shorts = i16x8.extend_low_i8x16_u(v128.load16_splat(mask + i));
      kept = i64x2.ne(i64x2.extend_low_i32x4_u(i32x4.extend_low_i16x8_u(shorts)), none);
    }
    v128.store(x, v128.and(v128.div<T>(v128.load(x), by), kept));
    x += VECTOR;
  }
}
