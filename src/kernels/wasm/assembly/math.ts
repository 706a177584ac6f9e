/**
 * Elementary functions of a vector, with errors of at most 2 units in the last place (see test/kernels/math.test.ts).
 *
 * Both rest on e^-t = 2^n · (1 − p(q)): n is −t / ln 2 rounded to a whole number, q = t + n · ln 2, so |q| <= ln 2 / 2,
 * and p(q) = 1 − e^-q keeps its digits where q is small.
 */
import { madd, nmadd } from './vector';

/**
 * Constants, kept in memory because V8 needs three instructions and a general register to build a constant vector. Both
 * functions use ROUNDER, TURNS, HIGH, LOW and the coefficients of (p(q) − q) / q²; those of only one function follow.
 *
 * Adding ROUNDER rounds a number below 2^22 or 2^51 to an integer, because the last place of 1.5 · 2^23 and 1.5 · 2^52
 * is 1; its other terms make the last bits of the sum those of an exponent, including the bias. TURNS is 1 / ln 2.
 * HIGH + LOW = ln 2, and n · HIGH is exact: Cephes' expf.c, fdlibm's e_exp.c.
 *
 * The coefficients minimise |q| · error over |q| <= ln 2 / 2 (Remez' algorithm): the error of p is 1.4e-8 · q in
 * float32 and 2.0e-17 · q in float64, a quarter and a fifth of a roundoff.
 */
const sigmoid32 = memory.data<f32>([
  12582912.0 + 127.0 - 32.0,
  1.4426950408889634,
  0.693359375,
  -2.1219444e-4,
  -0.5000000056908258,
  0.1666654636941815,
  -0.04166629346137694,
  0.008366266284042015,
  -0.0013945851987612538,
  -104.0,
  60.0,
  2.3283064365386963e-10,
]);
const sigmoid64 = memory.data<f64>([
  6755399441055744.0 + 1023.0 - 128.0,
  1.4426950408889634,
  6.9314718036912381649e-1,
  1.90821492927058770002e-10,
  -0.5000000000000004,
  0.16666666666666682,
  -0.04166666666658521,
  0.00833333333331603,
  -0.0013888888929356586,
  0.0001984126990017524,
  -2.4801507503238268e-5,
  2.7557230303426715e-6,
  -2.762526984698845e-7,
  2.5113784624687298e-8,
  -746.0,
  60.0,
  2.938735877055719e-39,
]);
/** For q / 2 and p / 2: TURNS is doubled, HIGH and LOW are halved, and coefficient k is multiplied by 2^(k + 1). */
const tanh32 = memory.data<f32>([
  12582912.0 + 127.0,
  2 * 1.4426950408889634,
  0.693359375 / 2,
  -2.1219444e-4 / 2,
  -0.5000000056908258 * 2,
  0.1666654636941815 * 4,
  -0.04166629346137694 * 8,
  0.008366266284042015 * 16,
  -0.0013945851987612538 * 32,
  20.0,
  0.5,
]);
const tanh64 = memory.data<f64>([
  6755399441055744.0 + 1023.0,
  2 * 1.4426950408889634,
  6.9314718036912381649e-1 / 2,
  1.90821492927058770002e-10 / 2,
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
  20.0,
  0.5,
]);

const ROUNDER: usize = 0;
const TURNS: usize = 1;
const HIGH: usize = 2;
const LOW: usize = 3;
const COEFFICIENTS: usize = 4;

/** Index in the table of constant `index` after the coefficients. */
function own<T>(index: usize): usize {
  return COEFFICIENTS + (sizeof<T>() == 4 ? 5 : 10) + index;
}

function constant<T>(table: usize, index: usize): v128 {
  return v128.load_splat<T>(table + index * sizeof<T>());
}

function linear<T>(table: usize, k: usize, q: v128): v128 {
  return madd<T>(constant<T>(table, COEFFICIENTS + k + 1), q, constant<T>(table, COEFFICIENTS + k));
}

/** p(q), in pairs (Estrin): a sum that waits for the one before would take four cycles per term. */
function evaluate<T>(table: usize, q: v128): v128 {
  const q2 = v128.mul<T>(q, q);
  const q4 = v128.mul<T>(q2, q2);
  const low = madd<T>(linear<T>(table, 2, q), q2, linear<T>(table, 0, q));
  let high: v128;
  if (sizeof<T>() == 4) high = constant<T>(table, COEFFICIENTS + 4);
  else {
    high = madd<T>(linear<T>(table, 6, q), q2, linear<T>(table, 4, q));
    high = madd<T>(linear<T>(table, 8, q), q4, high);
  }
  return madd<T>(q2, madd<T>(high, q4, low), q);
}

/** Its last bits are the exponent n plus the terms of ROUNDER. */
function round<T>(table: usize, t: v128): v128 {
  return nmadd<T>(t, constant<T>(table, TURNS), constant<T>(table, ROUNDER));
}

function reduce<T>(table: usize, t: v128, rounded: v128): v128 {
  const n = v128.sub<T>(rounded, constant<T>(table, ROUNDER));
  return madd<T>(n, constant<T>(table, LOW), madd<T>(n, constant<T>(table, HIGH), t));
}

function powerOfTwo<T>(rounded: v128): v128 {
  return sizeof<T>() == 4 ? i32x4.shl(rounded, 23) : i64x2.shl(rounded, 52);
}

/** 1 / (1 + e^-x), with both scaled by 2^-32 or 2^-128, so that e^-x is finite until the quotient is 0. */
export function sigmoid<T>(x: v128): v128 {
  const table = sizeof<T>() == 4 ? sigmoid32 : sigmoid64;
  // Below -104 or -746 the result is 0: half the smallest subnormal number is e^-103.97 and e^-745.13. Above 60, e^-60
  // is negligible next to 1. Unlike min and max, pmin and pmax are one instruction, and keep NaN.
  const t = v128.pmin<T>(v128.pmax<T>(x, constant<T>(table, own<T>(0))), constant<T>(table, own<T>(1)));
  const rounded = round<T>(table, t);
  const scale = powerOfTwo<T>(rounded);
  const part = evaluate<T>(table, reduce<T>(table, t, rounded));
  const one = constant<T>(table, own<T>(2));
  // In this order, because one + (scale − scale · part) would round twice at the magnitude of the sum.
  return v128.div<T>(one, v128.add<T>(scale, nmadd<T>(scale, part, one)));
}

/** (1 − e^-2|x|) / (1 + e^-2|x|), with both halved, and the sign of x. */
export function tanh<T>(x: v128): v128 {
  const table = sizeof<T>() == 4 ? tanh32 : tanh64;
  const magnitude = v128.abs<T>(x);
  // The result is 1 above 9.02 (float32) and 19.07 (float64).
  const t = v128.pmin<T>(magnitude, constant<T>(table, own<T>(0)));
  const rounded = round<T>(table, t);
  const scale = powerOfTwo<T>(rounded);
  const half = constant<T>(table, own<T>(1));
  const part = evaluate<T>(table, reduce<T>(table, t, rounded));
  const above = madd<T>(scale, part, nmadd<T>(scale, half, half));
  const below = nmadd<T>(scale, part, madd<T>(scale, half, half));
  return v128.or(v128.div<T>(above, below), v128.xor(x, magnitude));
}
