/**
 * Matrix product over packed panels: Goto and van de Geijn, "Anatomy of high-performance matrix multiplication"
 * (2008), https://doi.org/10.1145/1356052.1356053, with BLIS's names.
 *
 * Both operands are packed first: a panel of b is two vectors wide, [k][2 · lanes], a strip of a is 4 rows high,
 * [k][4]. A tile of c, one strip by one panel, is then summed in registers. V8 up to Node.js 22 places all loads of a
 * loop's body before its arithmetic, so a body may keep no more than x86-64's 15 free registers alive: 4 · 2
 * accumulators, 2 vectors of b and 4 of a. Measured on Zen 5 with fused multiply-add, GFLOP/s in float32 on Node.js
 * 20 / 24: 4 × 2 vectors 60 / 60, 3 × 3 61 / 60, 6 × 2 28 / 64, 4 × 2 with two steps of k in one body 30 / 59.
 *
 * M rows, N columns, K summed over. Everything is blocked by KC along k, blocks outermost, and each block is summed on
 * its own before it is added to c, so a float32 sum loses no more than the block-wise sums of a BLAS do.
 */
import { mark, release, take } from './arena';
import { lanes, madd, VECTOR, zero } from './vector';

/** Along k: a strip (12 KiB in float64) and a panel (8 KiB) stay in a first-level cache of 32 KiB. */
const KC: i32 = 256;
/** Rows of a that stay in the second-level cache: 192 · 256 float64 are 384 KiB. A multiple of HEIGHT. */
const MC: i32 = 192;

export function panelWidth<T>(): i32 {
  return 2 * lanes<T>();
}

/** Rows of a strip. */
const HEIGHT: i32 = 4;

function paddedRows(M: i32): i32 {
  return (M + HEIGHT - 1) & -HEIGHT;
}

function paddedColumns<T>(N: i32): i32 {
  return (N + panelWidth<T>() - 1) & -panelWidth<T>();
}

/** Blocks of k are of one size, as near as can be. */
export function blockSize(K: i32): i32 {
  const blocks = (K + KC - 1) / KC;
  return (K + blocks - 1) / blocks;
}

export function packedABytes<T>(M: i32, K: i32): usize {
  return <usize>paddedRows(M) * K * sizeof<T>();
}

export function packedBBytes<T>(N: i32, K: i32): usize {
  return <usize>paddedColumns<T>(N) * K * sizeof<T>();
}

/** One strip or panel whose lines (rows of a, columns of b) lie side by side in memory, as `width` of a row of k. */
function packAdjacent<T>(to: usize, from: usize, step: usize, filled: i32, width: i32, K: i32): void {
  const bytes = <usize>width * sizeof<T>();
  if (filled == width) {
    for (let k = 0; k < K; k++) {
      v128.store(to, v128.load(from));
      if (bytes > VECTOR) v128.store(to, v128.load(from, 16), 16);
      from += step;
      to += bytes;
    }
    return;
  }
  for (let k = 0; k < K; k++) {
    for (let i = 0; i < width; i++) store<T>(to + i * sizeof<T>(), i < filled ? load<T>(from + i * sizeof<T>()) : <T>0);
    from += step;
    to += bytes;
  }
}

/** The same where each line is contiguous along k, and lines are `step` bytes apart: a transposition. */
function packAcross<T>(to: usize, from: usize, step: usize, filled: i32, width: i32, K: i32): void {
  const bytes = <usize>width * sizeof<T>();
  let i = 0;
  if (sizeof<T>() == 4) {
    for (; i + 4 <= filled; i += 4) {
      let source = from + i * step;
      let target = to + i * sizeof<T>();
      let k = 0;
      for (; k + 4 <= K; k += 4) {
        const r0 = v128.load(source);
        const r1 = v128.load(source + step);
        const r2 = v128.load(source + 2 * step);
        const r3 = v128.load(source + 3 * step);
        const low01 = v128.shuffle<f32>(r0, r1, 0, 4, 1, 5);
        const high01 = v128.shuffle<f32>(r0, r1, 2, 6, 3, 7);
        const low23 = v128.shuffle<f32>(r2, r3, 0, 4, 1, 5);
        const high23 = v128.shuffle<f32>(r2, r3, 2, 6, 3, 7);
        v128.store(target, v128.shuffle<i64>(low01, low23, 0, 2));
        v128.store(target + bytes, v128.shuffle<i64>(low01, low23, 1, 3));
        v128.store(target + 2 * bytes, v128.shuffle<i64>(high01, high23, 0, 2));
        v128.store(target + 3 * bytes, v128.shuffle<i64>(high01, high23, 1, 3));
        source += VECTOR;
        target += 4 * bytes;
      }
      for (; k < K; k++) {
        for (let j: usize = 0; j < 4; j++) store<T>(target + j * sizeof<T>(), load<T>(source + j * step));
        source += sizeof<T>();
        target += bytes;
      }
    }
  } else {
    for (; i + 2 <= filled; i += 2) {
      let source = from + i * step;
      let target = to + i * sizeof<T>();
      let k = 0;
      for (; k + 2 <= K; k += 2) {
        const r0 = v128.load(source);
        const r1 = v128.load(source + step);
        v128.store(target, v128.shuffle<i64>(r0, r1, 0, 2));
        v128.store(target + bytes, v128.shuffle<i64>(r0, r1, 1, 3));
        source += VECTOR;
        target += 2 * bytes;
      }
      if (k < K) {
        store<T>(target, load<T>(source));
        store<T>(target + sizeof<T>(), load<T>(source + step));
      }
    }
  }
  for (; i < width; i++) {
    let source = from + i * step;
    let target = to + i * sizeof<T>();
    for (let k = 0; k < K; k++) {
      store<T>(target, i < filled ? load<T>(source) : <T>0);
      source += sizeof<T>();
      target += bytes;
    }
  }
}

/** One strip or panel; element (line i, k) stands at `from + i * lineStep + k * kStep`, steps in elements. */
function packLines<T>(to: usize, from: usize, lineStep: i32, kStep: i32, filled: i32, width: i32, K: i32): void {
  if (lineStep == 1) packAdjacent<T>(to, from, <usize>kStep * sizeof<T>(), filled, width, K);
  else packAcross<T>(to, from, <usize>lineStep * sizeof<T>(), filled, width, K);
}

/**
 * `a[M, K]` to strips: block of k by block of k, strip by strip. Element (m, k) stands at
 * `a + m * rowStep + k * kStep`, in elements; one of the steps is 1.
 */
export function packA<T>(to: usize, a: usize, M: i32, K: i32, rowStep: i32, kStep: i32): void {
  const block = blockSize(K);
  for (let k = 0; k < K; k += block) {
    const kc = min(block, K - k);
    for (let m = 0; m < M; m += HEIGHT) {
      const from = a + (<usize>m * rowStep + <usize>k * kStep) * sizeof<T>();
      packLines<T>(to, from, rowStep, kStep, min(HEIGHT, M - m), HEIGHT, kc);
      to += <usize>HEIGHT * kc * sizeof<T>();
    }
  }
}

/** `b[K, N]` to panels, likewise. */
export function packB<T>(to: usize, b: usize, N: i32, K: i32, columnStep: i32, kStep: i32): void {
  const width = panelWidth<T>();
  const block = blockSize(K);
  for (let k = 0; k < K; k += block) {
    const kc = min(block, K - k);
    for (let n = 0; n < N; n += width) {
      const from = b + (<usize>n * columnStep + <usize>k * kStep) * sizeof<T>();
      packLines<T>(to, from, columnStep, kStep, min(width, N - n), width, kc);
      to += <usize>width * kc * sizeof<T>();
    }
  }
}

/** Adds strip · panel to a tile of c, whose rows are `step` bytes apart. */
function tile<T>(K: i32, a: usize, b: usize, c: usize, step: usize): void {
  let c00 = zero();
  let c01 = zero();
  let c10 = zero();
  let c11 = zero();
  let c20 = zero();
  let c21 = zero();
  let c30 = zero();
  let c31 = zero();
  for (; K > 0; K--) {
    const b0 = v128.load(b);
    const b1 = v128.load(b, VECTOR);
    const a0 = v128.load_splat<T>(a);
    const a1 = v128.load_splat<T>(a, sizeof<T>());
    const a2 = v128.load_splat<T>(a, 2 * sizeof<T>());
    const a3 = v128.load_splat<T>(a, 3 * sizeof<T>());
    c00 = madd<T>(a0, b0, c00);
    c01 = madd<T>(a0, b1, c01);
    c10 = madd<T>(a1, b0, c10);
    c11 = madd<T>(a1, b1, c11);
    c20 = madd<T>(a2, b0, c20);
    c21 = madd<T>(a2, b1, c21);
    c30 = madd<T>(a3, b0, c30);
    c31 = madd<T>(a3, b1, c31);
    a += 4 * sizeof<T>();
    b += 2 * VECTOR;
  }
  addRow<T>(c, c00, c01);
  addRow<T>(c + step, c10, c11);
  addRow<T>(c + 2 * step, c20, c21);
  addRow<T>(c + 3 * step, c30, c31);
}

function addRow<T>(c: usize, left: v128, right: v128): void {
  v128.store(c, v128.add<T>(v128.load(c), left));
  v128.store(c, v128.add<T>(v128.load(c, 16), right), 16);
}

/** A tile that hangs over the edge of c is summed here, and the part of it that exists is added from here. */
const edge = memory.data(HEIGHT * 2 * 16, 16);

/** `c[M, N] += a · b`, both packed; rows of c are `step` elements apart. */
export function multiply<T>(a: usize, b: usize, c: usize, M: i32, N: i32, K: i32, step: i32): void {
  const block = blockSize(K);
  const width = panelWidth<T>();
  const stepBytes = <usize>step * sizeof<T>();
  const rows = paddedRows(M);
  const columns = paddedColumns<T>(N);
  for (let k = 0; k < K; k += block) {
    const kc = min(block, K - k);
    const lineBytes = <usize>kc * sizeof<T>();
    for (let m0 = 0; m0 < M; m0 += MC) {
      const mEnd = min(M, m0 + MC);
      let panel = b + <usize>k * columns * sizeof<T>();
      for (let n = 0; n < N; n += width) {
        let strip = a + <usize>k * rows * sizeof<T>() + m0 * lineBytes;
        for (let m = m0; m < mEnd; m += HEIGHT) {
          const at = c + (<usize>m * step + n) * sizeof<T>();
          if (m + HEIGHT <= M && n + width <= N) tile<T>(kc, strip, panel, at, stepBytes);
          else {
            memory.fill(edge, 0, HEIGHT * 2 * VECTOR);
            tile<T>(kc, strip, panel, edge, 2 * VECTOR);
            addPart<T>(at, stepBytes, min(HEIGHT, M - m), min(width, N - n));
          }
          strip += HEIGHT * lineBytes;
        }
        panel += width * lineBytes;
      }
    }
  }
}

function addPart<T>(c: usize, step: usize, rows: i32, columns: i32): void {
  for (let i = 0; i < rows; i++)
    for (let j = 0; j < columns; j++) {
      const at = c + i * step + j * sizeof<T>();
      store<T>(at, load<T>(at) + load<T>(edge + i * 2 * VECTOR + j * sizeof<T>()));
    }
}

/** Every row of `c[M, N]` becomes `row`, or zeros where there is none. */
export function fillRows<T>(c: usize, row: usize, M: i32, N: i32): void {
  const bytes = <usize>N * sizeof<T>();
  if (!row) memory.fill(c, 0, <usize>M * bytes);
  else for (let m = 0; m < M; m++) memory.copy(c + m * bytes, row, bytes);
}

/** `c += op(a) · op(b)`. */
export function matmul<T>(
  a: usize,
  b: usize,
  c: usize,
  M: i32,
  N: i32,
  K: i32,
  transposeA: bool,
  transposeB: bool,
): void {
  const base = mark();
  const packedA = take(packedABytes<T>(M, K));
  const packedB = take(packedBBytes<T>(N, K));
  packA<T>(packedA, a, M, K, transposeA ? 1 : K, transposeA ? M : 1);
  packB<T>(packedB, b, N, K, transposeB ? K : 1, transposeB ? 1 : N);
  multiply<T>(packedA, packedB, c, M, N, K, N);
  release(base);
}
