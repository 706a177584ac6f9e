/**
 * Elementary functions of a vector, to 2 units in the last place at most; test/kernels/math.test.ts measures it.
 *
 * The exponential is asked for negative arguments alone, so it cannot overflow: sigmoid and tanh are formed from
 * e^-|x|, which also keeps their digits where they near 0.
 */
import { madd, nmadd } from './vector';

function constant<T>(value: f64): v128 {
  return v128.splat<T>(<T>value);
}

/** From memory: V8 makes a constant vector in three instructions, by way of a general register. */
const inverseFactorials32 = memory.data<f32>([
  0,
  0,
  1.0 / 2.0,
  1.0 / 6.0,
  1.0 / 24.0,
  1.0 / 120.0,
  1.0 / 720.0,
  1.0 / 5040.0,
]);
const inverseFactorials64 = memory.data<f64>([
  0,
  0,
  1.0 / 2.0,
  1.0 / 6.0,
  1.0 / 24.0,
  1.0 / 120.0,
  1.0 / 720.0,
  1.0 / 5040.0,
  1.0 / 40320.0,
  1.0 / 362880.0,
  1.0 / 3628800.0,
  1.0 / 39916800.0,
  1.0 / 479001600.0,
  1.0 / 6227020800.0,
]);

function inverseFactorial<T>(n: usize): v128 {
  return v128.load_splat<T>((sizeof<T>() == 4 ? inverseFactorials32 : inverseFactorials64) + n * sizeof<T>());
}

/**
 * e^x for x <= 0: x = n · ln 2 + r, |r| <= ln 2 / 2, and e^r as its Taylor series, up to r^7 / 7! in float32 (which
 * leaves 5e-9 off, a twelfth of a roundoff) and r^13 / 13! in float64 (4e-18).
 */
export function expOfNegative<T>(x: v128): v128 {
  // Below it is 0: half the smallest subnormal number is e^-103.97 and e^-745.13. Unlike max, pmax is one instruction.
  x = v128.pmax<T>(x, constant<T>(sizeof<T>() == 4 ? -104.0 : -746.0));
  // Added to 1.5 · 2^23 or 1.5 · 2^52, whose last place is 1, x / ln 2 is rounded to a whole number n. What is added
  // with it makes n's bits an exponent's: the bias, and 64 or 512 so that 2^n may be subnormal; 2^-64 or 2^-512 at the
  // end undoes that, in a rounding of its own.
  const rounder = constant<T>(sizeof<T>() == 4 ? 12582912.0 + 127.0 + 64.0 : 6755399441055744.0 + 1023.0 + 512.0);
  const rounded = madd<T>(x, constant<T>(1.4426950408889634), rounder);
  const n = v128.sub<T>(rounded, rounder);
  // ln 2 in two parts, of which n times the first is exact: Cephes' expf.c, fdlibm's e_exp.c.
  let r = nmadd<T>(n, constant<T>(sizeof<T>() == 4 ? 0.693359375 : 6.9314718036912381649e-1), x);
  r = nmadd<T>(n, constant<T>(sizeof<T>() == 4 ? -2.1219444e-4 : 1.90821492927058770002e-10), r);
  let series = inverseFactorial<T>(sizeof<T>() == 4 ? 7 : 13);
  if (sizeof<T>() == 8) {
    series = madd<T>(series, r, inverseFactorial<T>(12));
    series = madd<T>(series, r, inverseFactorial<T>(11));
    series = madd<T>(series, r, inverseFactorial<T>(10));
    series = madd<T>(series, r, inverseFactorial<T>(9));
    series = madd<T>(series, r, inverseFactorial<T>(8));
    series = madd<T>(series, r, inverseFactorial<T>(7));
  }
  series = madd<T>(series, r, inverseFactorial<T>(6));
  series = madd<T>(series, r, inverseFactorial<T>(5));
  series = madd<T>(series, r, inverseFactorial<T>(4));
  series = madd<T>(series, r, inverseFactorial<T>(3));
  series = madd<T>(series, r, inverseFactorial<T>(2));
  const power = v128.add<T>(constant<T>(1), madd<T>(v128.mul<T>(r, r), series, r));
  const scale = sizeof<T>() == 4 ? i32x4.shl(rounded, 23) : i64x2.shl(rounded, 52);
  return v128.mul<T>(
    v128.mul<T>(power, scale),
    constant<T>(sizeof<T>() == 4 ? 5.421010862427522e-20 : 7.458340731200207e-155),
  );
}

/** 1 / (1 + e^-x), as e^x / (1 + e^x) where x is negative. */
export function sigmoid<T>(x: v128): v128 {
  const one = constant<T>(1);
  const power = expOfNegative<T>(v128.neg<T>(v128.abs<T>(x)));
  const numerator = v128.bitselect(power, one, v128.lt<T>(x, constant<T>(0)));
  return v128.div<T>(numerator, v128.add<T>(one, power));
}

/** 1 − 2 e^-2|x| / (1 + e^-2|x|) with x's sign, and near 0, where that would cancel, Cephes' tanhf.c and tanh.c. */
export function tanh<T>(x: v128): v128 {
  const one = constant<T>(1);
  const magnitude = v128.abs<T>(x);
  const power = expOfNegative<T>(v128.mul<T>(magnitude, constant<T>(-2)));
  const far = v128.sub<T>(one, v128.div<T>(v128.add<T>(power, power), v128.add<T>(one, power)));
  const square = v128.mul<T>(x, x);
  let near: v128;
  if (sizeof<T>() == 4) {
    near = madd<T>(constant<T>(-5.70498872745e-3), square, constant<T>(2.06390887954e-2));
    near = madd<T>(near, square, constant<T>(-5.37397155531e-2));
    near = madd<T>(near, square, constant<T>(1.33314422036e-1));
    near = madd<T>(near, square, constant<T>(-3.33332819422e-1));
  } else {
    let above = madd<T>(constant<T>(-9.64399179425052238628e-1), square, constant<T>(-9.92877231001918586564e1));
    above = madd<T>(above, square, constant<T>(-1.61468768441708447952e3));
    let below = v128.add<T>(square, constant<T>(1.12811678491632931402e2));
    below = madd<T>(below, square, constant<T>(2.23548839060100448583e3));
    below = madd<T>(below, square, constant<T>(4.84406305325125486048e3));
    near = v128.div<T>(above, below);
  }
  near = madd<T>(v128.mul<T>(x, square), near, x);
  const sign = v128.and(x, v128.neg<T>(constant<T>(0)));
  // The sum of two zeros would lose the sign of -0.
  return v128.or(v128.bitselect(near, far, v128.lt<T>(magnitude, constant<T>(0.625))), sign);
}
