/**
 * Convolution over adjacent windows, directly from the padded planes.
 *
 * A vector holds one tap of neighbouring windows in a row, loaded from where it is; a spot is that position. The last
 * spot of a row is moved back until it fits, so some windows are computed twice. A tile has 4 · 2 vectors of
 * accumulators, 2 vectors of one operand and 4 of the other. As in matmul.ts, long sums are sums of blocks.
 */
import { mark, release, take } from './arena';
import { lanes, madd, VECTOR, zero } from './vector';
import { axisOf, Windows } from './windows';

/** Taps, or spots, per block: a strip of this many taps takes 8 KiB of the first-level cache in float64. */
const BLOCK: i32 = 256;
/** Rows of strips that stay in the second-level cache for a block: 384 KiB in float64. */
const ROWS: i32 = 192;
/** Bytes of unfinished sums, which stay in the second-level cache, too. */
const TOTALS_BYTES: i32 = 1 << 18;
const HEIGHT: i32 = 4;
/**
 * Up to this many rows form one strip, in tiles of 3 · 3 vectors, which take 0.8 times as long as 4 · 2. More rows are
 * faster in tiles of 4 · 2.
 */
const FEW: i32 = 3;

@unmanaged
export class Spots {
  count: i32;
  /** With `lastApart`, the number of spots before those that were moved back, which share windows with others. */
  apart: i32;
  /** `[count][2]`: offsets of the windows in a padded plane, and in a plane of windows, in bytes. */
  at: usize;
}

/** Whether windows are adjacent, and a row of them fills at least one vector. */
export function standSideBySide<T>(windows: Windows): bool {
  const w = axisOf(windows.axes, 2);
  return w.stride == 1 && w.output >= lanes<T>();
}

/** Spots in row order; if `lastApart`, the last spots of rows, which were moved back, come after all others. */
export function makeSpots<T>(windows: Windows, lastApart: bool): Spots {
  const spots = changetype<Spots>(take(offsetof<Spots>()));
  const rows = axisOf(windows.axes, 0).output * axisOf(windows.axes, 1).output;
  const W = axisOf(windows.axes, 2).output;
  const whole = W & -lanes<T>();
  const count = rows * ((W + lanes<T>() - 1) / lanes<T>());
  // An incomplete pair, or group of three, repeats the last spot.
  const at = take(<usize>(count + FEW - 1) * 8);
  spots.count = count;
  spots.apart = (rows * whole) / lanes<T>();
  spots.at = at;
  let end = putSpots<T>(at, windows, 0, lastApart ? whole : W);
  if (lastApart) end = putSpots<T>(end, windows, whole, W);
  store<i64>(end, load<i64>(end - 8));
  store<i64>(end, load<i64>(end - 8), 8);
  return spots;
}

/** Writes the spots of windows [first, end) of each row; returns the end of the list. */
function putSpots<T>(at: usize, windows: Windows, first: i32, end: i32): usize {
  const d = axisOf(windows.axes, 0);
  const h = axisOf(windows.axes, 1);
  const W = axisOf(windows.axes, 2).output;
  for (let od = 0; od < d.output; od++)
    for (let oh = 0; oh < h.output; oh++)
      for (let i = first; i < end; i += lanes<T>()) {
        const ow = min(i, W - lanes<T>());
        const place = (od * d.stride * windows.height + oh * h.stride) * windows.width + ow;
        store<i32>(at, place * <i32>sizeof<T>());
        store<i32>(at, ((od * h.output + oh) * W + ow) * <i32>sizeof<T>(), 4);
        at += 8;
      }
  return at;
}

function blockOf(count: i32): i32 {
  const blocks = max(1, (count + BLOCK - 1) / BLOCK);
  return (count + blocks - 1) / blocks;
}

function heightOf(B: i32): i32 {
  return B <= FEW ? FEW : HEIGHT;
}

export function stripsBytes<T>(B: i32, AK: i32): usize {
  const height = heightOf(B);
  return <usize>((B + height - 1) / height) * height * AK * sizeof<T>();
}

/** Packs `weight[B, AK]` into strips, [taps][rows], one block of taps after the other; missing rows are 0. */
export function packStrips<T>(to: usize, weight: usize, B: i32, AK: i32): void {
  const step = <usize>AK * sizeof<T>();
  const block = blockOf(AK);
  const height = heightOf(B);
  for (let k = 0; k < AK; k += block) {
    const end = min(AK, k + block);
    for (let b = 0; b < B; b += height)
      for (let i = k; i < end; i++) {
        const from = weight + (<usize>b * AK + i) * sizeof<T>();
        for (let r = 0; r < height; r++) {
          store<T>(to, b + r < B ? load<T>(from + r * step) : <T>0);
          to += sizeof<T>();
        }
      }
  }
}

function putRow(y: usize, left: i32, right: i32, c0: v128, c1: v128): void {
  v128.store(y + left, c0);
  v128.store(y + right, c1);
}

/** The initial value of the sums of row r of a tile. */
function biasOf<T>(bias: usize, r: i32): v128 {
  return bias ? v128.load_splat<T>(bias + r * sizeof<T>()) : zero();
}

class Tile {
  /**
   * A strip times a panel of two spots, over K taps. The `first` strip of a panel reads it from the padded planes, and
   * packs it for the others. If the block `begins` the taps, its sums are added to the bias, if any; otherwise to
   * `total`. If it `ends` the taps, they are written to `rows` rows of y, `step` bytes apart; otherwise to `total`.
   *
   * Inlined for each value of `first`: both loops in one function took 1.15 times as long for 3 channels, 3 × 3 taps.
   */
  @inline
  static put<T>(
    first: bool,
    K: i32,
    strip: usize,
    panel: usize,
    taps: usize,
    padded: usize,
    spots: usize,
    begins: bool,
    ends: bool,
    total: usize,
    bias: usize,
    y: usize,
    step: usize,
    rows: i32,
  ): void {
    const x0 = padded + load<i32>(spots);
    const x1 = padded + load<i32>(spots, 8);
    let c00 = zero();
    let c01 = zero();
    let c10 = zero();
    let c11 = zero();
    let c20 = zero();
    let c21 = zero();
    let c30 = zero();
    let c31 = zero();
    for (; K > 0; K--) {
      const tap = first ? load<i32>(taps) : 0;
      const b0 = v128.load(first ? x0 + tap : panel);
      const b1 = first ? v128.load(x1 + tap) : v128.load(panel, VECTOR);
      const a0 = v128.load_splat<T>(strip);
      const a1 = v128.load_splat<T>(strip, sizeof<T>());
      const a2 = v128.load_splat<T>(strip, 2 * sizeof<T>());
      const a3 = v128.load_splat<T>(strip, 3 * sizeof<T>());
      c00 = madd<T>(a0, b0, c00);
      c01 = madd<T>(a0, b1, c01);
      c10 = madd<T>(a1, b0, c10);
      c11 = madd<T>(a1, b1, c11);
      c20 = madd<T>(a2, b0, c20);
      c21 = madd<T>(a2, b1, c21);
      c30 = madd<T>(a3, b0, c30);
      c31 = madd<T>(a3, b1, c31);
      if (first) {
        v128.store(panel, b0);
        v128.store(panel, b1, VECTOR);
        taps += 4;
      }
      strip += HEIGHT * sizeof<T>();
      panel += 2 * VECTOR;
    }
    if (begins) {
      if (bias) {
        const bias0 = biasOf<T>(bias, 0);
        const bias1 = rows > 1 ? biasOf<T>(bias, 1) : bias0;
        const bias2 = rows > 2 ? biasOf<T>(bias, 2) : bias0;
        const bias3 = rows > 3 ? biasOf<T>(bias, 3) : bias0;
        c00 = v128.add<T>(bias0, c00);
        c01 = v128.add<T>(bias0, c01);
        c10 = v128.add<T>(bias1, c10);
        c11 = v128.add<T>(bias1, c11);
        c20 = v128.add<T>(bias2, c20);
        c21 = v128.add<T>(bias2, c21);
        c30 = v128.add<T>(bias3, c30);
        c31 = v128.add<T>(bias3, c31);
      }
    } else {
      c00 = v128.add<T>(v128.load(total), c00);
      c01 = v128.add<T>(v128.load(total, VECTOR), c01);
      c10 = v128.add<T>(v128.load(total, 2 * VECTOR), c10);
      c11 = v128.add<T>(v128.load(total, 3 * VECTOR), c11);
      c20 = v128.add<T>(v128.load(total, 4 * VECTOR), c20);
      c21 = v128.add<T>(v128.load(total, 5 * VECTOR), c21);
      c30 = v128.add<T>(v128.load(total, 6 * VECTOR), c30);
      c31 = v128.add<T>(v128.load(total, 7 * VECTOR), c31);
    }
    if (!ends) {
      v128.store(total, c00);
      v128.store(total, c01, VECTOR);
      v128.store(total, c10, 2 * VECTOR);
      v128.store(total, c11, 3 * VECTOR);
      v128.store(total, c20, 4 * VECTOR);
      v128.store(total, c21, 5 * VECTOR);
      v128.store(total, c30, 6 * VECTOR);
      v128.store(total, c31, 7 * VECTOR);
      return;
    }
    const left = load<i32>(spots, 4);
    const right = load<i32>(spots, 12);
    putRow(y, left, right, c00, c01);
    if (rows > 1) putRow(y + step, left, right, c10, c11);
    if (rows > 2) putRow(y + 2 * step, left, right, c20, c21);
    if (rows > 3) putRow(y + 3 * step, left, right, c30, c31);
  }
}

/** Adds the only strip of few rows times three spots, over K taps, to `total`. */
function fewTile<T>(K: i32, strip: usize, taps: usize, padded: usize, spots: usize, total: usize): void {
  const x0 = padded + load<i32>(spots);
  const x1 = padded + load<i32>(spots, 8);
  const x2 = padded + load<i32>(spots, 16);
  let c00 = zero();
  let c01 = zero();
  let c02 = zero();
  let c10 = zero();
  let c11 = zero();
  let c12 = zero();
  let c20 = zero();
  let c21 = zero();
  let c22 = zero();
  for (; K > 0; K--) {
    const tap = load<i32>(taps);
    const b0 = v128.load(x0 + tap);
    const b1 = v128.load(x1 + tap);
    const b2 = v128.load(x2 + tap);
    const a0 = v128.load_splat<T>(strip);
    const a1 = v128.load_splat<T>(strip, sizeof<T>());
    const a2 = v128.load_splat<T>(strip, 2 * sizeof<T>());
    c00 = madd<T>(a0, b0, c00);
    c01 = madd<T>(a0, b1, c01);
    c02 = madd<T>(a0, b2, c02);
    c10 = madd<T>(a1, b0, c10);
    c11 = madd<T>(a1, b1, c11);
    c12 = madd<T>(a1, b2, c12);
    c20 = madd<T>(a2, b0, c20);
    c21 = madd<T>(a2, b1, c21);
    c22 = madd<T>(a2, b2, c22);
    strip += FEW * sizeof<T>();
    taps += 4;
  }
  v128.store(total, v128.add<T>(v128.load(total, 0 * VECTOR), c00), 0 * VECTOR);
  v128.store(total, v128.add<T>(v128.load(total, 1 * VECTOR), c01), 1 * VECTOR);
  v128.store(total, v128.add<T>(v128.load(total, 2 * VECTOR), c02), 2 * VECTOR);
  v128.store(total, v128.add<T>(v128.load(total, 3 * VECTOR), c10), 3 * VECTOR);
  v128.store(total, v128.add<T>(v128.load(total, 4 * VECTOR), c11), 4 * VECTOR);
  v128.store(total, v128.add<T>(v128.load(total, 5 * VECTOR), c12), 5 * VECTOR);
  v128.store(total, v128.add<T>(v128.load(total, 6 * VECTOR), c20), 6 * VECTOR);
  v128.store(total, v128.add<T>(v128.load(total, 7 * VECTOR), c21), 7 * VECTOR);
  v128.store(total, v128.add<T>(v128.load(total, 8 * VECTOR), c22), 8 * VECTOR);
}

function correlateFew<T>(windows: Windows, spots: Spots, strip: usize, bias: usize, windowed: usize, B: i32): void {
  const AK = windows.A * windows.K;
  const block = blockOf(AK);
  const base = mark();
  const total = take(FEW * 3 * VECTOR);
  for (let i = 0; i < spots.count; i += 3) {
    const at = spots.at + i * 8;
    for (let b = 0; b < FEW; b++) {
      const start = b < B ? biasOf<T>(bias, b) : zero();
      const row = total + b * 3 * VECTOR;
      v128.store(row, start);
      v128.store(row, start, VECTOR);
      v128.store(row, start, 2 * VECTOR);
    }
    for (let k = 0; k < AK; k += block) {
      const from = strip + <usize>k * FEW * sizeof<T>();
      fewTile<T>(min(block, AK - k), from, windows.tapOffsets + k * 4, windows.padded, at, total);
    }
    for (let b = 0; b < B; b++) {
      const y = windowed + <usize>b * windows.P * sizeof<T>();
      const row = total + b * 3 * VECTOR;
      v128.store(y + load<i32>(at, 4), v128.load(row));
      v128.store(y + load<i32>(at, 12), v128.load(row, VECTOR));
      v128.store(y + load<i32>(at, 20), v128.load(row, 2 * VECTOR));
    }
  }
  release(base);
}

/** `windowed[B, P] = bias + weight · windows` of one group, from packed strips. */
export function correlateSpots<T>(
  windows: Windows,
  spots: Spots,
  strips: usize,
  bias: usize,
  windowed: usize,
  B: i32,
): void {
  if (B <= FEW) {
    correlateFew<T>(windows, spots, strips, bias, windowed, B);
    return;
  }
  const AK = windows.A * windows.K;
  const block = blockOf(AK);
  const step = <usize>windows.P * sizeof<T>();
  const stripCount = (B + HEIGHT - 1) / HEIGHT;
  const totalBytes = stripCount * HEIGHT * 2 * <i32>VECTOR;
  const pairs = (spots.count + 1) / 2;
  const atOnce = block == AK ? pairs : min(pairs, max(1, TOTALS_BYTES / totalBytes));
  const base = mark();
  const panel = take(block * 2 * VECTOR);
  const totals = block == AK ? 0 : take(<usize>atOnce * totalBytes);
  for (let first = 0; first < pairs; first += atOnce) {
    const end = min(pairs, first + atOnce);
    for (let k = 0; k < AK; k += block) {
      const kc = min(block, AK - k);
      const taps = windows.tapOffsets + k * 4;
      for (let from = 0; from < B; from += ROWS) {
        const to = min(B, from + ROWS);
        for (let pair = first; pair < end; pair++) {
          const at = spots.at + pair * 16;
          let total = totals + <usize>(pair - first) * totalBytes + from * 2 * VECTOR;
          let strip = strips + (<usize>k * stripCount * HEIGHT + from * kc) * sizeof<T>();
          for (let b = from; b < to; b += HEIGHT) {
            const ofBias = bias ? bias + b * sizeof<T>() : 0;
            const y = windowed + b * step;
            const rows = min(HEIGHT, B - b);
            const begins = k == 0;
            const ends = k + kc == AK;
            if (b == from)
              Tile.put<T>(true, kc, strip, panel, taps, windows.padded, at, begins, ends, total, ofBias, y, step, rows);
            else Tile.put<T>(false, kc, strip, panel, 0, 0, at, begins, ends, total, ofBias, y, step, rows);
            strip += <usize>kc * HEIGHT * sizeof<T>();
            total += HEIGHT * 2 * VECTOR;
          }
        }
      }
    }
  }
  release(base);
}

/** Sum of the lanes. */
function across<T>(v: v128): T {
  if (sizeof<T>() == 4) v = v128.add<T>(v, v128.shuffle<f32>(v, v, 2, 3, 2, 3));
  return v128.extract_lane<T>(v, 0) + v128.extract_lane<T>(v, 1);
}

function addSums<T>(dweight: usize, left: v128, right: v128, taps: i32): void {
  store<T>(dweight, load<T>(dweight) + across<T>(left));
  if (taps > 1) store<T>(dweight, load<T>(dweight, sizeof<T>()) + across<T>(right), sizeof<T>());
}

/** All ones in the lanes of a row's last spot that no other spot covers. */
function maskOfLast<T>(windows: Windows): v128 {
  const own = axisOf(windows.axes, 2).output & (lanes<T>() - 1);
  let mask = i64x2.splat(-1);
  for (let lane = lanes<T>() - own; lane > 0; lane--)
    mask = sizeof<T>() == 4 ? v128.shuffle<i32>(mask, zero(), 4, 0, 1, 2) : v128.shuffle<i64>(mask, zero(), 2, 0);
  return mask;
}

/** Packs rows of y into strips of 4, [spots][4] vectors; `mask` applies to the spots starting with `apart`. */
function packRows<T>(to: usize, spots: usize, count: i32, apart: i32, mask: v128, y: usize, step: usize, B: i32): void {
  for (let b = 0; b < B; b += HEIGHT) {
    const rows = min(HEIGHT, B - b);
    const y0 = y + b * step;
    const y1 = rows > 1 ? y0 + step : y0;
    const y2 = rows > 2 ? y1 + step : y0;
    const y3 = rows > 3 ? y2 + step : y0;
    let i = 0;
    for (; i < apart; i++) {
      const at = load<i32>(spots + i * 8, 4);
      v128.store(to, v128.load(y0 + at));
      v128.store(to, v128.load(y1 + at), VECTOR);
      v128.store(to, v128.load(y2 + at), 2 * VECTOR);
      v128.store(to, v128.load(y3 + at), 3 * VECTOR);
      to += HEIGHT * VECTOR;
    }
    for (; i < count; i++) {
      const at = load<i32>(spots + i * 8, 4);
      v128.store(to, v128.and(v128.load(y0 + at), mask));
      v128.store(to, v128.and(v128.load(y1 + at), mask), VECTOR);
      v128.store(to, v128.and(v128.load(y2 + at), mask), 2 * VECTOR);
      v128.store(to, v128.and(v128.load(y3 + at), mask), 3 * VECTOR);
      to += HEIGHT * VECTOR;
    }
  }
}

/** Packs two taps into a panel, [spots][2] vectors. */
function packTaps(to: usize, spots: usize, count: i32, apart: i32, mask: v128, x0: usize, x1: usize): void {
  let i = 0;
  for (; i < apart; i++) {
    const at = load<i32>(spots + i * 8);
    v128.store(to, v128.load(x0 + at));
    v128.store(to, v128.load(x1 + at), VECTOR);
    to += 2 * VECTOR;
  }
  for (; i < count; i++) {
    const at = load<i32>(spots + i * 8);
    v128.store(to, v128.and(v128.load(x0 + at), mask));
    v128.store(to, v128.and(v128.load(x1 + at), mask), VECTOR);
    to += 2 * VECTOR;
  }
}

/** Adds the products of `rows` (at most 4) rows of y and two taps of x to dweight, with rows `step` bytes apart. */
function gradientTile<T>(
  count: i32,
  strip: usize,
  panel: usize,
  dweight: usize,
  step: usize,
  rows: i32,
  taps: i32,
): void {
  let c00 = zero();
  let c01 = zero();
  let c10 = zero();
  let c11 = zero();
  let c20 = zero();
  let c21 = zero();
  let c30 = zero();
  let c31 = zero();
  for (; count > 0; count--) {
    const b0 = v128.load(panel);
    const b1 = v128.load(panel, VECTOR);
    const a0 = v128.load(strip);
    const a1 = v128.load(strip, VECTOR);
    const a2 = v128.load(strip, 2 * VECTOR);
    const a3 = v128.load(strip, 3 * VECTOR);
    c00 = madd<T>(a0, b0, c00);
    c01 = madd<T>(a0, b1, c01);
    c10 = madd<T>(a1, b0, c10);
    c11 = madd<T>(a1, b1, c11);
    c20 = madd<T>(a2, b0, c20);
    c21 = madd<T>(a2, b1, c21);
    c30 = madd<T>(a3, b0, c30);
    c31 = madd<T>(a3, b1, c31);
    panel += 2 * VECTOR;
    strip += HEIGHT * VECTOR;
  }
  addSums<T>(dweight, c00, c01, taps);
  if (rows > 1) addSums<T>(dweight + step, c10, c11, taps);
  if (rows > 2) addSums<T>(dweight + 2 * step, c20, c21, taps);
  if (rows > 3) addSums<T>(dweight + 3 * step, c30, c31, taps);
}

/** `dweight[B, A · K] += windowed · windowsᵀ` of one group; spots starting with `apart` are the last of a row. */
export function addGradientOfSpots<T>(windows: Windows, spots: Spots, windowed: usize, dweight: usize, B: i32): void {
  const AK = windows.A * windows.K;
  const step = <usize>windows.P * sizeof<T>();
  const rowBytes = <usize>AK * sizeof<T>();
  const block = blockOf(spots.count);
  const mask = maskOfLast<T>(windows);
  const base = mark();
  const strips = take(<usize>((B + HEIGHT - 1) & -HEIGHT) * block * VECTOR);
  const panel = take(<usize>block * 2 * VECTOR);
  for (let i = 0; i < spots.count; i += block) {
    const count = min(block, spots.count - i);
    const apart = max(0, min(count, spots.apart - i));
    const at = spots.at + i * 8;
    packRows<T>(strips, at, count, apart, mask, windowed, step, B);
    for (let t = 0; t < AK; t += 2) {
      const taps = min(2, AK - t);
      const x0 = windows.padded + load<i32>(windows.tapOffsets + t * 4);
      const x1 = taps > 1 ? windows.padded + load<i32>(windows.tapOffsets + t * 4, 4) : x0;
      packTaps(panel, at, count, apart, mask, x0, x1);
      let to = dweight + t * sizeof<T>();
      let strip = strips;
      for (let b = 0; b < B; b += HEIGHT) {
        gradientTile<T>(count, strip, panel, to, rowBytes, min(HEIGHT, B - b), taps);
        strip += <usize>count * HEIGHT * VECTOR;
        to += HEIGHT * rowBytes;
      }
    }
  }
  release(base);
}
