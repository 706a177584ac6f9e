/**
 * Convolution without a matrix of columns: adjacent windows are read directly from x (direct.ts); for all others, the
 * panels of the matrix product are packed directly from x.
 *
 * A channels on the folded side (with planes of the input's size), B on the windowed side (one value per window),
 * K taps per window, P windows per plane.
 */
import { blockSize, multiply, packA, packB, packedABytes, packedBBytes, panelWidth } from './matmul';
import { mark, release, take } from './arena';
import {
  addGradientOfSpots,
  correlateSpots,
  makeSpots,
  packStrips,
  Spots,
  standSideBySide,
  stripsBytes,
} from './direct';
import { lanes, VECTOR } from './vector';
import { axisOf, exchange, makeWindows, Windows } from './windows';

/** Bytes of packed panels at a time: they stay in the second-level cache until all strips are multiplied with them. */
const PANELS_BYTES: i32 = 1 << 19;

/** Fills each row of `out[B, P]` with its bias, or with zeros if there is none. */
function fillByRow<T>(out: usize, bias: usize, B: i32, P: i32): void {
  if (!bias) {
    memory.fill(out, 0, <usize>B * P * sizeof<T>());
    return;
  }
  for (let b = 0; b < B; b++) {
    const value = load<T>(bias + b * sizeof<T>());
    const vector = v128.splat<T>(value);
    let p = 0;
    for (; p + lanes<T>() <= P; p += lanes<T>()) v128.store(out + p * sizeof<T>(), vector);
    for (; p < P; p++) store<T>(out + p * sizeof<T>(), value);
    out += <usize>P * sizeof<T>();
  }
}

/** The distance between the windows of one vector: 1 or 2 elements, or 0 if they must be loaded one by one. */
function stepOf<T>(offsets: usize): i32 {
  const step = load<i32>(offsets, 4) - load<i32>(offsets);
  if (sizeof<T>() == 4) {
    const other = load<i32>(offsets, 8) - load<i32>(offsets, 4);
    if (step != other || step != load<i32>(offsets, 12) - load<i32>(offsets, 8)) return 0;
  }
  return step == <i32>sizeof<T>() ? 1 : step == 2 * <i32>sizeof<T>() ? 2 : 0;
}

/** One tap of as many windows as there are lanes; `base` is the address of the tap in a window with offset 0. */
function gather<T>(base: usize, offsets: usize, step: i32): v128 {
  const from = base + load<i32>(offsets);
  if (step == 1) return v128.load(from);
  if (step == 2) {
    if (sizeof<T>() == 4) return v128.shuffle<f32>(v128.load(from), v128.load(from, 16), 0, 2, 4, 6);
    return v128.shuffle<i64>(v128.load(from), v128.load(from, 16), 0, 2);
  }
  let vector = v128.load_splat<T>(from);
  vector = v128.replace_lane<T>(vector, 1, load<T>(base + load<i32>(offsets, 4)));
  if (sizeof<T>() == 4) {
    vector = v128.replace_lane<T>(vector, 2, load<T>(base + load<i32>(offsets, 8)));
    vector = v128.replace_lane<T>(vector, 3, load<T>(base + load<i32>(offsets, 12)));
  }
  return vector;
}

/** Packs panels of `columns[A · K, P]`: `count` windows starting with window p. */
function packColumns<T>(to: usize, windows: Windows, p: i32, count: i32): void {
  const AK = windows.A * windows.K;
  const block = blockSize(AK);
  for (let k = 0; k < AK; k += block) {
    const end = min(AK, k + block);
    for (let n = p; n < p + count; n += panelWidth<T>()) {
      const left = windows.windowOffsets + n * 4;
      const right = left + lanes<T>() * 4;
      const leftStep = stepOf<T>(left);
      const rightStep = stepOf<T>(right);
      let taps = windows.tapOffsets + k * 4;
      const tapsEnd = windows.tapOffsets + end * 4;
      if (leftStep == 1 && rightStep == 1) {
        const fromLeft = windows.padded + load<i32>(left);
        const fromRight = windows.padded + load<i32>(right);
        for (; taps < tapsEnd; taps += 4) {
          const tap = load<i32>(taps);
          v128.store(to, v128.load(fromLeft + tap));
          v128.store(to, v128.load(fromRight + tap), VECTOR);
          to += 2 * VECTOR;
        }
      } else {
        for (; taps < tapsEnd; taps += 4) {
          const base = windows.padded + load<i32>(taps);
          v128.store(to, gather<T>(base, left, leftStep));
          v128.store(to, gather<T>(base, right, rightStep), VECTOR);
          to += 2 * VECTOR;
        }
      }
    }
  }
}

/** Packs panels of `columnsᵀ[P, A · K]`: `count` taps starting with tap t. */
function packColumnsTransposed<T>(to: usize, windows: Windows, t: i32, count: i32): void {
  const AK = windows.A * windows.K;
  const block = blockSize(windows.P);
  const width = panelWidth<T>();
  for (let k = 0; k < windows.P; k += block) {
    const end = min(windows.P, k + block);
    for (let n = t; n < t + count; n += width) {
      // A panel that extends past the end repeats the last tap.
      for (let j = 0; j < width; j += lanes<T>()) {
        const tap0 = windows.padded + load<i32>(windows.tapOffsets + min(AK - 1, n + j) * 4);
        const tap1 = windows.padded + load<i32>(windows.tapOffsets + min(AK - 1, n + j + 1) * 4);
        let target = to + j * sizeof<T>();
        let p = k;
        if (sizeof<T>() == 4) {
          const tap2 = windows.padded + load<i32>(windows.tapOffsets + min(AK - 1, n + j + 2) * 4);
          const tap3 = windows.padded + load<i32>(windows.tapOffsets + min(AK - 1, n + j + 3) * 4);
          for (; p + 4 <= end; p += 4) {
            const offsets = windows.windowOffsets + p * 4;
            const step = stepOf<T>(offsets);
            const r0 = gather<T>(tap0, offsets, step);
            const r1 = gather<T>(tap1, offsets, step);
            const r2 = gather<T>(tap2, offsets, step);
            const r3 = gather<T>(tap3, offsets, step);
            const low01 = v128.shuffle<f32>(r0, r1, 0, 4, 1, 5);
            const high01 = v128.shuffle<f32>(r0, r1, 2, 6, 3, 7);
            const low23 = v128.shuffle<f32>(r2, r3, 0, 4, 1, 5);
            const high23 = v128.shuffle<f32>(r2, r3, 2, 6, 3, 7);
            v128.store(target, v128.shuffle<i64>(low01, low23, 0, 2));
            v128.store(target, v128.shuffle<i64>(low01, low23, 1, 3), 2 * VECTOR);
            v128.store(target, v128.shuffle<i64>(high01, high23, 0, 2), 4 * VECTOR);
            v128.store(target, v128.shuffle<i64>(high01, high23, 1, 3), 6 * VECTOR);
            target += 8 * VECTOR;
          }
          for (; p < end; p++) {
            const offset = load<i32>(windows.windowOffsets + p * 4);
            store<T>(target, load<T>(tap0 + offset));
            store<T>(target, load<T>(tap1 + offset), sizeof<T>());
            store<T>(target, load<T>(tap2 + offset), 2 * sizeof<T>());
            store<T>(target, load<T>(tap3 + offset), 3 * sizeof<T>());
            target += 2 * VECTOR;
          }
        } else {
          for (; p < end; p++) {
            const offset = load<i32>(windows.windowOffsets + p * 4);
            store<T>(target, load<T>(tap0 + offset));
            store<T>(target, load<T>(tap1 + offset), sizeof<T>());
            target += 2 * VECTOR;
          }
        }
      }
      to += <usize>(end - k) * 2 * VECTOR;
    }
  }
}

/** Number of columns of a product over K that are packed together. */
function columnsAtOnce<T>(K: i32): i32 {
  const width = panelWidth<T>();
  return max(width, (PANELS_BYTES / (K * <i32>sizeof<T>())) & -width);
}

/** What all batch entries of a call share; `weights` holds the packed weights, one group after the other. */
@unmanaged
class Plan {
  windows: Windows;
  weights: usize;
  weightBytes: usize;
  groups: i32;
  B: i32;
  /** For adjacent windows (direct.ts); null if panels are packed instead. */
  spots: Spots | null;
}

function newPlan<T>(axes: usize, groups: i32, A: i32, B: i32): Plan {
  const plan = changetype<Plan>(take(offsetof<Plan>()));
  plan.windows = makeWindows<T>(axes, A);
  plan.groups = groups;
  plan.B = B;
  plan.spots = null;
  return plan;
}

/**
 * For {@link correlate}: `weight[groups · B, A · K]`.
 * @bridge
 */
export function planCorrelate<T>(axes: usize, weight: usize, groups: i32, A: i32, B: i32): usize {
  const plan = newPlan<T>(axes, groups, A, B);
  const AK = A * plan.windows.K;
  const direct = standSideBySide<T>(plan.windows);
  if (direct) plan.spots = makeSpots<T>(plan.windows, false);
  plan.weightBytes = direct ? stripsBytes<T>(B, AK) : packedABytes<T>(B, AK);
  plan.weights = take(groups * plan.weightBytes);
  for (let g = 0; g < groups; g++) {
    const to = plan.weights + g * plan.weightBytes;
    const from = weight + <usize>g * B * AK * sizeof<T>();
    if (direct) packStrips<T>(to, from, B, AK);
    else packA<T>(to, from, B, AK, AK, 1);
  }
  return changetype<usize>(plan);
}

/**
 * `windowed[groups · B, P] = bias + weight · columns of folded[groups · A, …]`.
 * @bridge
 */
export function correlate<T>(planAt: usize, folded: usize, bias: usize, windowed: usize): void {
  const plan = changetype<Plan>(planAt);
  const windows = plan.windows;
  const A = windows.A;
  const B = plan.B;
  const P = windows.P;
  const AK = A * windows.K;
  const plane = axisOf(windows.axes, 0).input * axisOf(windows.axes, 1).input * axisOf(windows.axes, 2).input;
  const spots = plan.spots;
  if (spots) {
    for (let g = 0; g < plan.groups; g++) {
      exchange<T>(windows, folded + <usize>g * A * plane * sizeof<T>(), false);
      const out = windowed + <usize>g * B * P * sizeof<T>();
      const ofGroup = bias ? bias + <usize>g * B * sizeof<T>() : 0;
      correlateSpots<T>(windows, spots, plan.weights + g * plan.weightBytes, ofGroup, out, B);
    }
    return;
  }
  const atOnce = min(columnsAtOnce<T>(AK), P);
  fillByRow<T>(windowed, bias, plan.groups * B, P);
  const base = mark();
  const panels = take(packedBBytes<T>(atOnce, AK));
  for (let g = 0; g < plan.groups; g++) {
    exchange<T>(windows, folded + <usize>g * A * plane * sizeof<T>(), false);
    for (let p = 0; p < P; p += atOnce) {
      const count = min(atOnce, P - p);
      packColumns<T>(panels, windows, p, count);
      const out = windowed + (<usize>g * B * P + p) * sizeof<T>();
      multiply<T>(plan.weights + g * plan.weightBytes, panels, out, B, count, AK, P);
    }
  }
  release(base);
}

/**
 * The weight of the transposed convolution: `to[A, B, K]` from `weight[B, A, K]`, with the taps in reverse.
 * @bridge
 */
export function flip<T>(to: usize, weight: usize, A: i32, B: i32, K: i32): void {
  for (let a = 0; a < A; a++)
    for (let b = 0; b < B; b++)
      for (let k = 0; k < K; k++) {
        const from = weight + (<usize>(b * A + a) * K + k) * sizeof<T>();
        store<T>(to + (<usize>(a * B + b) * K + K - 1 - k) * sizeof<T>(), load<T>(from));
      }
}

/**
 * For {@link spread}: strips of `weightᵀ[A · K, B]`.
 * @bridge
 */
export function planSpread<T>(axes: usize, weight: usize, groups: i32, A: i32, B: i32): usize {
  const plan = newPlan<T>(axes, groups, A, B);
  const AK = A * plan.windows.K;
  plan.weightBytes = packedABytes<T>(AK, B);
  plan.weights = take(groups * plan.weightBytes);
  for (let g = 0; g < groups; g++)
    packA<T>(plan.weights + g * plan.weightBytes, weight + <usize>g * B * AK * sizeof<T>(), AK, B, 1, AK);
  return changetype<usize>(plan);
}

/**
 * `folded[groups · A, …] = bias +` the columns `weightᵀ · windowed`, each element added at its position in x.
 * @bridge
 */
export function spread<T>(planAt: usize, windowed: usize, bias: usize, folded: usize): void {
  const plan = changetype<Plan>(planAt);
  const windows = plan.windows;
  const A = windows.A;
  const B = plan.B;
  const P = windows.P;
  const AK = A * windows.K;
  const plane = axisOf(windows.axes, 0).input * axisOf(windows.axes, 1).input * axisOf(windows.axes, 2).input;
  const paddedBytes = <usize>A * windows.plane * sizeof<T>();
  // As many windows at a time as keep their columns in the second-level cache.
  const atOnce = min(columnsAtOnce<T>(AK), P);
  fillByRow<T>(folded, bias, plan.groups * A, plane);
  const base = mark();
  const panels = take(packedBBytes<T>(atOnce, B));
  const columns = take(<usize>AK * atOnce * sizeof<T>());
  for (let g = 0; g < plan.groups; g++) {
    memory.fill(windows.padded, 0, paddedBytes);
    // The last windows first: a later window reaches a position with an earlier tap, so taps are added in order.
    for (let p = ((P - 1) / atOnce) * atOnce; p >= 0; p -= atOnce) {
      const count = min(atOnce, P - p);
      const from = windowed + (<usize>g * B * P + p) * sizeof<T>();
      packB<T>(panels, from, count, B, 1, P);
      memory.fill(columns, 0, <usize>AK * count * sizeof<T>());
      multiply<T>(plan.weights + g * plan.weightBytes, panels, columns, AK, count, B, count);
      fold<T>(columns, windows, p, count);
    }
    exchange<T>(windows, folded + <usize>g * A * plane * sizeof<T>(), true);
  }
  release(base);
}

function fold<T>(columns: usize, windows: Windows, p: i32, count: i32): void {
  const AK = windows.A * windows.K;
  const offsets = windows.windowOffsets + p * 4;
  for (let t = 0; t < AK; t++) {
    const tap = windows.padded + load<i32>(windows.tapOffsets + t * 4);
    for (let i = 0; i < count; i++) {
      const at = tap + load<i32>(offsets + i * 4);
      store<T>(at, load<T>(at) + load<T>(columns + i * sizeof<T>()));
    }
    columns += <usize>count * sizeof<T>();
  }
}

/**
 * Lanes along windows save the transposition, but cost a sum over lanes per tile. In float32, with 16 channels and
 * planes of 7 × 7, they take 0.81, 0.93 and 1.05 times as long for B = 4, 8 and 16; with 256 and 14 spots, 1.5 times.
 */
const FEW_ROWS: i32 = 8;
const MANY_SPOTS: i32 = 64;

/**
 * For {@link addWeightGradient}.
 * @bridge
 */
export function planWeightGradient<T>(axes: usize, groups: i32, A: i32, B: i32): usize {
  const plan = newPlan<T>(axes, groups, A, B);
  if (standSideBySide<T>(plan.windows)) {
    const spots = makeSpots<T>(plan.windows, true);
    if (B <= FEW_ROWS || spots.count >= MANY_SPOTS) plan.spots = spots;
  }
  return changetype<usize>(plan);
}

/**
 * `dweight[groups · B, A · K] += windowed · columnsᵀ`.
 * @bridge
 */
export function addWeightGradient<T>(planAt: usize, folded: usize, windowed: usize, dweight: usize): void {
  const plan = changetype<Plan>(planAt);
  const windows = plan.windows;
  const A = windows.A;
  const B = plan.B;
  const P = windows.P;
  const AK = A * windows.K;
  const plane = axisOf(windows.axes, 0).input * axisOf(windows.axes, 1).input * axisOf(windows.axes, 2).input;
  const spots = plan.spots;
  if (spots) {
    for (let g = 0; g < plan.groups; g++) {
      exchange<T>(windows, folded + <usize>g * A * plane * sizeof<T>(), false);
      const y = windowed + <usize>g * B * P * sizeof<T>();
      const to = dweight + <usize>g * B * AK * sizeof<T>();
      addGradientOfSpots<T>(windows, spots, y, to, B);
    }
    return;
  }
  const atOnce = min(columnsAtOnce<T>(P), AK);
  const base = mark();
  const strips = take(packedABytes<T>(B, P));
  const panels = take(packedBBytes<T>(atOnce, P));
  for (let g = 0; g < plan.groups; g++) {
    exchange<T>(windows, folded + <usize>g * A * plane * sizeof<T>(), false);
    packA<T>(strips, windowed + <usize>g * B * P * sizeof<T>(), B, P, P, 1);
    for (let t = 0; t < AK; t += atOnce) {
      const count = min(atOnce, AK - t);
      packColumnsTransposed<T>(panels, windows, t, count);
      multiply<T>(strips, panels, dweight + (<usize>g * B * AK + t) * sizeof<T>(), B, count, P, AK);
    }
  }
  release(base);
}
