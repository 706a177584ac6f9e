import type { FloatArray } from '../../tensor/tensor.js';
import type { MatmulShape } from '../kernels.js';

/**
 * Rows of `c` are computed in a float64 accumulator, so float32 rounds once, at the end. If `b` is stored by rows, the
 * loop over n is innermost; if it is stored by columns, a dot product reads both operands in order.
 */
export function matmul(a: FloatArray, b: FloatArray, c: FloatArray, shape: MatmulShape): void {
  const { M, N, K, transposeA = false, transposeB = false, accumulate = false, bias } = shape;
  const stepM = transposeA ? 1 : K;
  const stepK = transposeA ? M : 1;
  const row = new Float64Array(N);
  for (let m = 0; m < M; m++) {
    if (accumulate) for (let n = 0; n < N; n++) row[n] = c[m * N + n];
    else if (bias) row.set(bias);
    else row.fill(0);
    if (transposeB) addDots(a, m * stepM, stepK, b, row, K);
    else for (let k = 0; k < K; k++) addScaled(row, a[m * stepM + k * stepK], b, k * N);
    c.set(row, m * N);
  }
}

/** `row[n] += Σ_k a[start + k * step] * b[n, k]`. */
function addDots(a: FloatArray, start: number, step: number, b: FloatArray, row: Float64Array, K: number): void {
  for (let n = 0; n < row.length; n++) {
    let sum = 0;
    for (let k = 0, at = start; k < K; k++, at += step) sum += a[at] * b[n * K + k];
    row[n] += sum;
  }
}

/** `row += factor * b[start …]`. No shortcut for 0: 0 · NaN is NaN. */
function addScaled(row: Float64Array, factor: number, b: FloatArray, start: number): void {
  for (let n = 0; n < row.length; n++) row[n] += factor * b[start + n];
}
