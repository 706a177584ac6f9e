/** Vector operations for float32 (4 lanes) and float64 (2 lanes). */

export const VECTOR: usize = 16;

export function lanes<T>(): i32 {
  return <i32>(VECTOR / sizeof<T>());
}

/** a · b + c: rounded once if the build has fused multiply-add, otherwise twice. */
export function madd<T>(a: v128, b: v128, c: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return v128.relaxed_madd<T>(a, b, c);
  return v128.add<T>(v128.mul<T>(a, b), c);
}

/** c − a · b. */
export function nmadd<T>(a: v128, b: v128, c: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return v128.relaxed_nmadd<T>(a, b, c);
  return v128.sub<T>(c, v128.mul<T>(a, b));
}

export function zero(): v128 {
  return i64x2.splat(0);
}
