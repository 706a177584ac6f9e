/**
 * Elementary functions of a vector, to 2 units in the last place at most; test/kernels/math.test.ts measures it.
 *
 * Both rest on e^-t = 2^n · (1 − p(q)): n is −t / ln 2 rounded to a whole number, q = t + n · ln 2, so |q| <= ln 2 / 2,
 * and p(q) = 1 − e^-q keeps its digits where q is small.
 */
import { madd, nmadd } from './vector';

function constant<T>(value: f64): v128 {
  return v128.splat<T>(<T>value);
}

/**
 * (p(q) − q) / q² as a polynomial, best by Remez' algorithm for |q| · error over |q| <= ln 2 / 2: p is off by 1.4e-8 · q
 * in float32 and 2.0e-17 · q in float64, a quarter and a fifth of a roundoff. In memory: V8 makes a constant vector in
 * three instructions, by way of a general register.
 */
const coefficients32 = memory.data<f32>([
  -0.5000000056908258, 0.1666654636941815, -0.04166629346137694, 0.008366266284042015, -0.0013945851987612538,
]);
const coefficients64 = memory.data<f64>([
  -0.5000000000000004, 0.16666666666666682, -0.04166666666658521, 0.00833333333331603, -0.0013888888929356586,
  0.0001984126990017524, -2.4801507503238268e-5, 2.7557230303426715e-6, -2.762526984698845e-7, 2.5113784624687298e-8,
]);
/** The same for p(2q) / 2: coefficient k by 2^(k + 1). */
const halves32 = memory.data<f32>([
  -0.5000000056908258 * 2,
  0.1666654636941815 * 4,
  -0.04166629346137694 * 8,
  0.008366266284042015 * 16,
  -0.0013945851987612538 * 32,
]);
const halves64 = memory.data<f64>([
  -0.5000000000000004 * 2,
  0.16666666666666682 * 4,
  -0.04166666666658521 * 8,
  0.00833333333331603 * 16,
  -0.0013888888929356586 * 32,
  0.0001984126990017524 * 64,
  -2.4801507503238268e-5 * 128,
  2.7557230303426715e-6 * 256,
  -2.762526984698845e-7 * 512,
  2.5113784624687298e-8 * 1024,
]);

function linear<T>(coefficients: usize, k: usize, q: v128): v128 {
  const at = coefficients + k * sizeof<T>();
  return madd<T>(v128.load_splat<T>(at, sizeof<T>()), q, v128.load_splat<T>(at));
}

/** q + q² · polynomial; in pairs (Estrin), as a sum that waits for the one before takes four cycles a term. */
function evaluate<T>(coefficients: usize, q: v128): v128 {
  const q2 = v128.mul<T>(q, q);
  const q4 = v128.mul<T>(q2, q2);
  const low = madd<T>(linear<T>(coefficients, 2, q), q2, linear<T>(coefficients, 0, q));
  let high: v128;
  if (sizeof<T>() == 4) high = v128.load_splat<T>(coefficients, 4 * sizeof<T>());
  else {
    high = madd<T>(linear<T>(coefficients, 6, q), q2, linear<T>(coefficients, 4, q));
    high = madd<T>(linear<T>(coefficients, 8, q), q4, high);
  }
  return madd<T>(q2, madd<T>(high, q4, low), q);
}

/**
 * Added to it, a number below 2^22 or 2^51 is rounded to a whole one, as the last place of 1.5 · 2^23 and 1.5 · 2^52
 * is 1; `exponent` makes the last bits of the sum those of an exponent, bias and all.
 */
function rounder<T>(exponent: i32): v128 {
  return constant<T>(sizeof<T>() == 4 ? 12582912.0 + 127.0 + exponent : 6755399441055744.0 + 1023.0 + exponent);
}

function powerOfTwo<T>(rounded: v128): v128 {
  return sizeof<T>() == 4 ? i32x4.shl(rounded, 23) : i64x2.shl(rounded, 52);
}

/** `t + n · ln 2 · factor`; ln 2 is in two parts, of which n times the first is exact: Cephes' expf.c, fdlibm's e_exp.c. */
function reduce<T>(t: v128, n: v128, factor: f64): v128 {
  const q = madd<T>(n, constant<T>(factor * (sizeof<T>() == 4 ? 0.693359375 : 6.9314718036912381649e-1)), t);
  return madd<T>(n, constant<T>(factor * (sizeof<T>() == 4 ? -2.1219444e-4 : 1.90821492927058770002e-10)), q);
}

/** 1 / (1 + e^-x), both by 2^-32 or 2^-128: e^-x is finite then, down to where the quotient is 0. */
export function sigmoid<T>(x: v128): v128 {
  // Below it is 0: half the smallest subnormal number is e^-103.97 and e^-745.13. Above, e^-60 is nothing beside 1.
  // Unlike min and max, pmin and pmax are one instruction, and keep NaN.
  const t = v128.pmin<T>(v128.pmax<T>(x, constant<T>(sizeof<T>() == 4 ? -104.0 : -746.0)), constant<T>(60.0));
  const round = rounder<T>(sizeof<T>() == 4 ? -32 : -128);
  const rounded = nmadd<T>(t, constant<T>(1.4426950408889634), round);
  const q = reduce<T>(t, v128.sub<T>(rounded, round), 1);
  const scale = powerOfTwo<T>(rounded);
  const part = evaluate<T>(sizeof<T>() == 4 ? coefficients32 : coefficients64, q);
  // 2^-32 and 2^-128.
  const one = constant<T>(sizeof<T>() == 4 ? 2.3283064365386963e-10 : 2.938735877055719e-39);
  // In this order: one + (scale − scale · part) rounds twice to the place of the sum.
  return v128.div<T>(one, v128.add<T>(scale, nmadd<T>(scale, part, one)));
}

/** (1 − e^-2|x|) / (1 + e^-2|x|), both halved, with x's sign. */
export function tanh<T>(x: v128): v128 {
  // From 9.02 and 19.07 on it is 1.
  const t = v128.pmin<T>(v128.abs<T>(x), constant<T>(20.0));
  const round = rounder<T>(0);
  const rounded = nmadd<T>(t, constant<T>(2 * 1.4426950408889634), round);
  const q = reduce<T>(t, v128.sub<T>(rounded, round), 0.5);
  const scale = powerOfTwo<T>(rounded);
  const half = constant<T>(0.5);
  const part = evaluate<T>(sizeof<T>() == 4 ? halves32 : halves64, q);
  const above = madd<T>(scale, part, nmadd<T>(scale, half, half));
  const below = nmadd<T>(scale, part, madd<T>(scale, half, half));
  const sign = v128.and(x, v128.neg<T>(constant<T>(0)));
  return v128.or(v128.div<T>(above, below), sign);
}
