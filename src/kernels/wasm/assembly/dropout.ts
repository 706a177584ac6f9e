/**
 * Philox4x32-10 (Salmon et al. 2011), vectorised over blocks: a vector holds word w of blocks i to i + 3. The masks are
 * identical to those of the plain kernels.
 */
import { lanes, VECTOR, zero } from './vector';

/** The upper halves of four products of 32 bits. For the lower ones, a multiplication is cheaper than a shuffle. */
function high(a: v128, b: v128): v128 {
  return v128.shuffle<i32>(i64x2.extmul_low_i32x4_u(a, b), i64x2.extmul_high_i32x4_u(a, b), 1, 3, 5, 7);
}

/** The keep bytes of four blocks, from their four words each. */
function bytesOf(c0: v128, c1: v128, c2: v128, c3: v128, least: v128): v128 {
  const kept01 = i16x8.narrow_i32x4_s(i32x4.ge_u(c0, least), i32x4.ge_u(c1, least));
  const kept23 = i16x8.narrow_i32x4_s(i32x4.ge_u(c2, least), i32x4.ge_u(c3, least));
  const byWord = i8x16.narrow_i16x8_s(kept01, kept23);
  const byBlock = i8x16.shuffle(byWord, byWord, 0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
  return v128.and(byBlock, i8x16.splat(1));
}

const ROUNDS = 10;

/** The two keys of each round in all lanes; every call writes them. */
const KEYS = memory.data(ROUNDS * 32, 16);

/**
 * Writes `count` bytes starting with element `first`, a multiple of 32: 1 where the word is at least `threshold`. Two
 * times four blocks are interleaved, because each round waits for the one before. Bytes past the end, up to a multiple
 * of 32, are written too.
 * @bridge
 */
export function dropoutMask(seedLow: i32, seedHigh: i32, threshold: i32, first: f64, mask: usize, count: i32): void {
  const multiplier0 = i32x4.splat(<i32>0xd2511f53);
  const multiplier1 = i32x4.splat(<i32>0xcd9e8d57);
  const least = i32x4.splat(threshold);
  for (let round = 0; round < ROUNDS; round++) {
    v128.store(KEYS + round * 2 * VECTOR, i32x4.splat(seedLow + round * <i32>0x9e3779b9));
    v128.store(KEYS + round * 2 * VECTOR, i32x4.splat(seedHigh + round * <i32>0xbb67ae85), VECTOR);
  }
  let block = <u64>first / 4;
  for (let i = 0; i < count; i += 32) {
    // The first round: the last two words of counters are 0. All blocks share the second: `block` is a multiple of 8.
    const counterC = i32x4.add(i32x4.splat(<i32>block), i32x4(0, 1, 2, 3));
    const counterD = i32x4.add(i32x4.splat(<i32>block), i32x4(4, 5, 6, 7));
    let c0 = v128.xor(i32x4.splat(<i32>(block >> 32)), v128.load(KEYS));
    let c1 = zero();
    let c2 = v128.xor(high(counterC, multiplier0), v128.load(KEYS, VECTOR));
    let c3 = i32x4.mul(counterC, multiplier0);
    let d0 = c0;
    let d1 = zero();
    let d2 = v128.xor(high(counterD, multiplier0), v128.load(KEYS, VECTOR));
    let d3 = i32x4.mul(counterD, multiplier0);
    for (let round = 1; round < ROUNDS; round++) {
      const keys0 = v128.load(KEYS + round * 2 * VECTOR);
      const keys1 = v128.load(KEYS + round * 2 * VECTOR, VECTOR);
      const lowC0 = i32x4.mul(c0, multiplier0);
      const highC0 = high(c0, multiplier0);
      c0 = v128.xor(v128.xor(high(c2, multiplier1), c1), keys0);
      c1 = i32x4.mul(c2, multiplier1);
      c2 = v128.xor(v128.xor(highC0, c3), keys1);
      c3 = lowC0;
      const lowD0 = i32x4.mul(d0, multiplier0);
      const highD0 = high(d0, multiplier0);
      d0 = v128.xor(v128.xor(high(d2, multiplier1), d1), keys0);
      d1 = i32x4.mul(d2, multiplier1);
      d2 = v128.xor(v128.xor(highD0, d3), keys1);
      d3 = lowD0;
    }
    v128.store(mask + i, bytesOf(c0, c1, c2, c3, least));
    v128.store(mask + i, bytesOf(d0, d1, d2, d3, least), VECTOR);
    block += 8;
  }
}

/** `x = kept ? x / by : 0`. */
function divideKept<T>(x: usize, kept: v128, by: v128): void {
  v128.store(x, v128.and(v128.div<T>(v128.load(x), by), kept));
}

/**
 * In place: `x = mask ? x / divisor : 0`, four vectors at a time; elements past the end are written too. A division, as
 * in the formula: a reciprocal would save 0.2 ns per element in float64, but often change the last bit.
 * @bridge
 */
export function applyMask<T>(x: usize, mask: usize, divisor: f64, count: i32): void {
  const by = v128.splat<T>(<T>divisor);
  for (let i = 0; i < count; i += 4 * lanes<T>()) {
    if (sizeof<T>() == 4) {
      const kept = i8x16.ne(v128.load(mask + i), zero());
      divideKept<T>(x + 0 * VECTOR, i8x16.shuffle(kept, kept, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3), by);
      divideKept<T>(x + 1 * VECTOR, i8x16.shuffle(kept, kept, 4, 4, 4, 4, 5, 5, 5, 5, 6, 6, 6, 6, 7, 7, 7, 7), by);
      divideKept<T>(
        x + 2 * VECTOR,
        i8x16.shuffle(kept, kept, 8, 8, 8, 8, 9, 9, 9, 9, 10, 10, 10, 10, 11, 11, 11, 11),
        by,
      );
      divideKept<T>(
        x + 3 * VECTOR,
        i8x16.shuffle(kept, kept, 12, 12, 12, 12, 13, 13, 13, 13, 14, 14, 14, 14, 15, 15, 15, 15),
        by,
      );
    } else {
      const kept = i8x16.ne(v128.load64_zero(mask + i), zero());
      divideKept<T>(x + 0 * VECTOR, i8x16.shuffle(kept, kept, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1), by);
      divideKept<T>(x + 1 * VECTOR, i8x16.shuffle(kept, kept, 2, 2, 2, 2, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3), by);
      divideKept<T>(x + 2 * VECTOR, i8x16.shuffle(kept, kept, 4, 4, 4, 4, 4, 4, 4, 4, 5, 5, 5, 5, 5, 5, 5, 5), by);
      divideKept<T>(x + 3 * VECTOR, i8x16.shuffle(kept, kept, 6, 6, 6, 6, 6, 6, 6, 6, 7, 7, 7, 7, 7, 7, 7, 7), by);
    }
    x += 4 * VECTOR;
  }
}
