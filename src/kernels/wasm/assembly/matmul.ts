/**
 * Matrix product over packed panels: Goto and van de Geijn, "Anatomy of high-performance matrix multiplication"
 * (2008), https://doi.org/10.1145/1356052.1356053, with BLIS's names.
 *
 * Both operands are packed first: a panel of b is two vectors wide, [k][2 · lanes], a strip of a is 5 or 4 rows high,
 * [k][5] or [k][4]. A tile of c, one strip by one panel, is then summed in registers. V8 up to Node.js 22 places all
 * loads of a basic block before its arithmetic, so a block may keep no more than x86-64's 15 free registers alive.
 * Larger bodies are split into blocks by branches that are always taken: the results of a branch must be complete at
 * its end. There are 10 accumulators, because each of two units takes four cycles for a sum. Measured on Zen 4 with
 * fused multiply-add, in float32 GFLOP/s (peak 56) on Node.js 20 / 24: 5 × 2 vectors in blocks, with two steps of k in
 * one body, 54 / 54; 4 × 2 48 / 51; 3 × 3 51 / 52; 6 × 2 in blocks 50 / 57, without blocks 28 on Node.js 20.
 *
 * M rows, N columns, sums over K. The outermost loop splits k into blocks of at most KC. Each block is summed
 * separately before it is added to c, so a float32 sum loses no more than the blockwise sums of a BLAS.
 */
import { mark, release, take } from './arena';
import { lanes, madd, VECTOR, zero } from './vector';

/** Block size along k: a strip (10 KiB in float64) and a panel (8 KiB) stay in a first-level cache of 32 KiB. */
const KC: i32 = 256;
/** Strips of a that stay in the second-level cache: 200 rows of 256 float64 are 400 KiB. */
const STRIPS: i32 = 40;

export function panelWidth<T>(): i32 {
  return 2 * lanes<T>();
}

/** Rows of a high strip; a low one has one fewer. */
const HEIGHT: i32 = 5;

function strips(M: i32): i32 {
  return (M + HEIGHT - 1) / HEIGHT;
}

/** High strips come first. There are as many low ones as needed to leave no empty rows, or only in the last strip. */
function highStrips(M: i32): i32 {
  return max(0, M - strips(M) * (HEIGHT - 1));
}

function firstRow(strip: i32, high: i32): i32 {
  return strip * (HEIGHT - 1) + min(strip, high);
}

function paddedRows(M: i32): i32 {
  return firstRow(strips(M), highStrips(M));
}

function paddedColumns<T>(N: i32): i32 {
  return (N + panelWidth<T>() - 1) & -panelWidth<T>();
}

/** Blocks of k are as even as possible. */
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

/** Packs a strip or panel whose lines (rows of a, columns of b) are adjacent in memory: `width` elements for each k. */
function packAdjacent<T>(to: usize, from: usize, step: usize, filled: i32, width: i32, K: i32): void {
  const bytes = <usize>width * sizeof<T>();
  if (filled == width) {
    for (let k = 0; k < K; k++) {
      v128.store(to, v128.load(from));
      if (bytes >= 2 * VECTOR) v128.store(to, v128.load(from, VECTOR), VECTOR);
      if (width == HEIGHT) store<T>(to, load<T>(from, (HEIGHT - 1) * sizeof<T>()), (HEIGHT - 1) * sizeof<T>());
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

/** Like the function above, for lines that are contiguous along k and `step` bytes apart: a transposition. */
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

/** Packs a strip or panel; element (line i, k) is at `from + i * lineStep + k * kStep`, with steps in elements. */
function packLines<T>(to: usize, from: usize, lineStep: i32, kStep: i32, filled: i32, width: i32, K: i32): void {
  if (lineStep == 1) packAdjacent<T>(to, from, <usize>kStep * sizeof<T>(), filled, width, K);
  else packAcross<T>(to, from, <usize>lineStep * sizeof<T>(), filled, width, K);
}

/**
 * Packs `a[M, K]` into strips, one block of k after the other. Element (m, k) is at `a + m * rowStep + k * kStep`, in
 * elements; one of the steps is 1.
 */
export function packA<T>(to: usize, a: usize, M: i32, K: i32, rowStep: i32, kStep: i32): void {
  const block = blockSize(K);
  const high = highStrips(M);
  for (let k = 0; k < K; k += block) {
    const kc = min(block, K - k);
    for (let s = 0, m = 0; m < M; s++) {
      const height = s < high ? HEIGHT : HEIGHT - 1;
      const from = a + (<usize>m * rowStep + <usize>k * kStep) * sizeof<T>();
      packLines<T>(to, from, rowStep, kStep, min(height, M - m), height, kc);
      to += <usize>height * kc * sizeof<T>();
      m += height;
    }
  }
}

/** Packs `b[K, N]` into panels, likewise. */
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

/** `c = from + strip · panel` for a tile; rows of `from` and c are `fromStep` and `step` bytes apart. */
function highTile<T>(K: i32, a: usize, b: usize, from: usize, fromStep: usize, c: usize, step: usize): void {
  let c00 = zero();
  let c01 = zero();
  let c10 = zero();
  let c11 = zero();
  let c20 = zero();
  let c21 = zero();
  let c30 = zero();
  let c31 = zero();
  let c40 = zero();
  let c41 = zero();
  for (; K > 0; K -= 2) {
    // Always true, because no panel is at address 0; see the head of the file.
    const b0 = v128.load(b);
    const b1 = v128.load(b, VECTOR);
    if (b) {
      const a0 = v128.load_splat<T>(a);
      const a1 = v128.load_splat<T>(a, sizeof<T>());
      const a2 = v128.load_splat<T>(a, 2 * sizeof<T>());
      c00 = madd<T>(a0, b0, c00);
      c01 = madd<T>(a0, b1, c01);
      c10 = madd<T>(a1, b0, c10);
      c11 = madd<T>(a1, b1, c11);
      c20 = madd<T>(a2, b0, c20);
      c21 = madd<T>(a2, b1, c21);
    }
    const a3 = v128.load_splat<T>(a, 3 * sizeof<T>());
    const a4 = v128.load_splat<T>(a, 4 * sizeof<T>());
    c30 = madd<T>(a3, b0, c30);
    c31 = madd<T>(a3, b1, c31);
    c40 = madd<T>(a4, b0, c40);
    c41 = madd<T>(a4, b1, c41);
    if (K > 1) {
      const b0 = v128.load(b, 2 * VECTOR);
      const b1 = v128.load(b, 3 * VECTOR);
      if (b) {
        const a0 = v128.load_splat<T>(a, 5 * sizeof<T>());
        const a1 = v128.load_splat<T>(a, 6 * sizeof<T>());
        const a2 = v128.load_splat<T>(a, 7 * sizeof<T>());
        c00 = madd<T>(a0, b0, c00);
        c01 = madd<T>(a0, b1, c01);
        c10 = madd<T>(a1, b0, c10);
        c11 = madd<T>(a1, b1, c11);
        c20 = madd<T>(a2, b0, c20);
        c21 = madd<T>(a2, b1, c21);
      }
      const a3 = v128.load_splat<T>(a, 8 * sizeof<T>());
      const a4 = v128.load_splat<T>(a, 9 * sizeof<T>());
      c30 = madd<T>(a3, b0, c30);
      c31 = madd<T>(a3, b1, c31);
      c40 = madd<T>(a4, b0, c40);
      c41 = madd<T>(a4, b1, c41);
    }
    a += 10 * sizeof<T>();
    b += 4 * VECTOR;
  }
  writeRow<T>(c, from, c00, c01);
  writeRow<T>(c + step, from + fromStep, c10, c11);
  writeRow<T>(c + 2 * step, from + 2 * fromStep, c20, c21);
  writeRow<T>(c + 3 * step, from + 3 * fromStep, c30, c31);
  writeRow<T>(c + 4 * step, from + 4 * fromStep, c40, c41);
}

/** The same for a low strip. */
function lowTile<T>(K: i32, a: usize, b: usize, from: usize, fromStep: usize, c: usize, step: usize): void {
  let c00 = zero();
  let c01 = zero();
  let c10 = zero();
  let c11 = zero();
  let c20 = zero();
  let c21 = zero();
  let c30 = zero();
  let c31 = zero();
  for (; K > 0; K -= 2) {
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
    if (K > 1) {
      const b0 = v128.load(b, 2 * VECTOR);
      const b1 = v128.load(b, 3 * VECTOR);
      const a0 = v128.load_splat<T>(a, 4 * sizeof<T>());
      const a1 = v128.load_splat<T>(a, 5 * sizeof<T>());
      const a2 = v128.load_splat<T>(a, 6 * sizeof<T>());
      const a3 = v128.load_splat<T>(a, 7 * sizeof<T>());
      c00 = madd<T>(a0, b0, c00);
      c01 = madd<T>(a0, b1, c01);
      c10 = madd<T>(a1, b0, c10);
      c11 = madd<T>(a1, b1, c11);
      c20 = madd<T>(a2, b0, c20);
      c21 = madd<T>(a2, b1, c21);
      c30 = madd<T>(a3, b0, c30);
      c31 = madd<T>(a3, b1, c31);
    }
    a += 8 * sizeof<T>();
    b += 4 * VECTOR;
  }
  writeRow<T>(c, from, c00, c01);
  writeRow<T>(c + step, from + fromStep, c10, c11);
  writeRow<T>(c + 2 * step, from + 2 * fromStep, c20, c21);
  writeRow<T>(c + 3 * step, from + 3 * fromStep, c30, c31);
}

function writeRow<T>(c: usize, from: usize, left: v128, right: v128): void {
  v128.store(c, v128.add<T>(v128.load(from), left));
  v128.store(c, v128.add<T>(v128.load(from, VECTOR), right), VECTOR);
}

/** Two vectors of zeros, the initial row of a tile. */
const zeros = memory.data(2 * 16, 16);
/** A tile that extends past the edge of c is summed here, and the part within c is written from here. */
const edge = memory.data(HEIGHT * 2 * 16, 16);

/** `c[M, N] += a · b`, both packed; rows of c are `step` elements apart. */
export function multiply<T>(a: usize, b: usize, c: usize, M: i32, N: i32, K: i32, step: i32): void {
  product<T>(a, b, c, M, N, K, step, true, 0);
}

/** `c[M, N] = row + a · b`, with zeros for `row[N]` if `row` is 0. */
export function assign<T>(a: usize, b: usize, c: usize, M: i32, N: i32, K: i32, step: i32, row: usize): void {
  product<T>(a, b, c, M, N, K, step, false, row);
}

function product<T>(
  a: usize,
  b: usize,
  c: usize,
  M: i32,
  N: i32,
  K: i32,
  step: i32,
  accumulate: bool,
  row: usize,
): void {
  const block = blockSize(K);
  const width = panelWidth<T>();
  const columns = paddedColumns<T>(N);
  const count = strips(M);
  const high = highStrips(M);
  for (let k = 0; k < K; k += block) {
    const kc = min(block, K - k);
    for (let s = 0; s < count; s += STRIPS) {
      const strip = a + (<usize>k * paddedRows(M) + <usize>firstRow(s, high) * kc) * sizeof<T>();
      let panel = b + <usize>k * columns * sizeof<T>();
      for (let n = 0; n < N; n += width) {
        const end = min(count, s + STRIPS);
        const given = accumulate || k > 0;
        const initial = given ? 0 : row ? row + n * sizeof<T>() : zeros;
        columnOfTiles<T>(kc, strip, panel, c + n * sizeof<T>(), s, end, high, M, N - n, step, initial);
        panel += <usize>width * kc * sizeof<T>();
      }
    }
  }
}

/** Strips s to `end` by one panel, of which at most `filled` columns exist; `initial` is 0 to add to c. */
function columnOfTiles<T>(
  K: i32,
  a: usize,
  b: usize,
  c: usize,
  s: i32,
  end: i32,
  high: i32,
  M: i32,
  filled: i32,
  step: i32,
  initial: usize,
): void {
  const stepBytes = <usize>step * sizeof<T>();
  const fromStep = initial ? 0 : stepBytes;
  let m = firstRow(s, high);
  c += m * stepBytes;
  for (; s < end; s++) {
    const height = s < high ? HEIGHT : HEIGHT - 1;
    const from = initial ? initial : c;
    if (m + height > M || filled < panelWidth<T>()) {
      if (height == HEIGHT) highTile<T>(K, a, b, zeros, 0, edge, 2 * VECTOR);
      else lowTile<T>(K, a, b, zeros, 0, edge, 2 * VECTOR);
      writePart<T>(c, stepBytes, from, fromStep, min(height, M - m), min(filled, panelWidth<T>()));
    } else if (height == HEIGHT) highTile<T>(K, a, b, from, fromStep, c, stepBytes);
    else lowTile<T>(K, a, b, from, fromStep, c, stepBytes);
    a += <usize>height * K * sizeof<T>();
    c += height * stepBytes;
    m += height;
  }
}

function writePart<T>(c: usize, step: usize, from: usize, fromStep: usize, rows: i32, columns: i32): void {
  for (let i = 0; i < rows; i++)
    for (let j = 0; j < columns; j++) {
      const at = j * sizeof<T>();
      store<T>(c + i * step + at, load<T>(from + i * fromStep + at) + load<T>(edge + i * 2 * VECTOR + at));
    }
}

/**
 * `c = op(a) · op(b)`, plus c if `accumulate` is set, otherwise plus `row[N]` unless `row` is 0.
 * @bridge
 */
export function matmul<T>(
  a: usize,
  b: usize,
  c: usize,
  row: usize,
  M: i32,
  N: i32,
  K: i32,
  transposeA: bool,
  transposeB: bool,
  accumulate: bool,
): void {
  const base = mark();
  const packedA = take(packedABytes<T>(M, K));
  const packedB = take(packedBBytes<T>(N, K));
  packA<T>(packedA, a, M, K, transposeA ? 1 : K, transposeA ? M : 1);
  packB<T>(packedB, b, N, K, transposeB ? K : 1, transposeB ? 1 : N);
  product<T>(packedA, packedB, c, M, N, K, N, accumulate, row);
  release(base);
}
