/**
 * Pooling of one plane after the other. A row of windows whose taps all lie in x goes tap after tap, so that the
 * innermost loop is a long one, of vectors of output positions; the few windows at the edges go one by one.
 */
import { lanes, VECTOR, zero } from './vector';

/** One axis, and the windows [first, end) along it that lie within the input. As the bridge writes it. */
@unmanaged
class PoolAxis {
  input: i32;
  kernel: i32;
  stride: i32;
  dilation: i32;
  before: i32;
  output: i32;
  first: i32;
  end: i32;
}

/** Windows that go together, so that 32 bits of each fill a vector. */
const WINDOWS = 4;

/**
 * How many windows go together from the axis' first whole one on: those whose taps all lie in the input, and what fills
 * the last vector up. That reads behind its row of x and writes behind its row of out, where nothing stands yet. For a
 * single window vectors do not pay.
 */
function windowsTogether(axis: PoolAxis): i32 {
  const whole = axis.end - axis.first;
  return whole < 2 ? 0 : (whole + WINDOWS - 1) & -WINDOWS;
}

function axisOf(axes: usize, i: i32): PoolAxis {
  return changetype<PoolAxis>(axes + i * offsetof<PoolAxis>());
}

/** First tap of window o that lies within the input, and one after the last: bounds of a loop by dilation. */
function firstTap(axis: PoolAxis, o: i32): i32 {
  const start = o * axis.stride - axis.before;
  return start >= 0 ? start : start + ((axis.dilation - 1 - start) / axis.dilation) * axis.dilation;
}
function endTap(axis: PoolAxis, o: i32): i32 {
  return min(axis.input, o * axis.stride - axis.before + (axis.kernel - 1) * axis.dilation + 1);
}

/** As many elements as there are lanes, `stride` apart. */
function strided<T>(at: usize, stride: i32): v128 {
  if (stride == 1) return v128.load(at);
  if (stride == 2) return evens<T>(v128.load(at), v128.load(at, VECTOR));
  const step = <usize>stride * sizeof<T>();
  let vector = v128.load_splat<T>(at);
  vector = v128.replace_lane<T>(vector, 1, load<T>(at + step));
  if (sizeof<T>() == 4) {
    vector = v128.replace_lane<T>(vector, 2, load<T>(at + 2 * step));
    vector = v128.replace_lane<T>(vector, 3, load<T>(at + 3 * step));
  }
  return vector;
}

/** Lanes 0, 2, … or 1, 3, … of two vectors that follow each other. */
function evens<T>(a: v128, b: v128): v128 {
  if (sizeof<T>() == 4) return v128.shuffle<f32>(a, b, 0, 2, 4, 6);
  return v128.shuffle<i64>(a, b, 0, 2);
}
function odds<T>(a: v128, b: v128): v128 {
  if (sizeof<T>() == 4) return v128.shuffle<f32>(a, b, 1, 3, 5, 7);
  return v128.shuffle<i64>(a, b, 1, 3);
}

/** Windows of 2 that lie side by side, whose taps are the lanes of two vectors in turn. */
function isPairs(axis: PoolAxis): bool {
  return axis.kernel == 2 && axis.stride == 2 && axis.dilation == 1;
}

/** `mask ? a : b` of whole lanes: one instruction where the build has it, three where not. */
function choose(a: v128, b: v128, mask: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return i32x4.relaxed_laneselect(a, b, mask);
  return v128.bitselect(a, b, mask);
}

/** Of masks over four values, in one vector or in two, one over four indices. */
function maskOfIndices<T>(mask0: v128, mask1: v128): v128 {
  return sizeof<T>() == 4 ? mask0 : v128.shuffle<i32>(mask0, mask1, 0, 2, 4, 6);
}

function isNaN<T>(value: v128): v128 {
  return v128.ne<T>(value, value);
}

/** What a window has before its first tap: a maximum that whatever is greater replaces, and the tap's own index. */
function beginMax<T>(count: i32, index: i32, stride: i32, out: usize, indices: usize): void {
  const least = v128.splat<T>(<T>-Infinity);
  const between = i32x4.splat(WINDOWS * stride);
  let here = i32x4.add(i32x4.splat(index), i32x4(0, stride, 2 * stride, 3 * stride));
  for (; count > 0; count -= WINDOWS) {
    v128.store(out, least);
    if (sizeof<T>() == 8) v128.store(out, least, VECTOR);
    v128.store(indices, here);
    here = i32x4.add(here, between);
    out += WINDOWS * sizeof<T>();
    indices += VECTOR;
  }
}

/** Takes one tap of `count` windows, `index` the first one's, into maxima and indices; tells whether any was NaN. */
function takeTap<T>(at: usize, count: i32, index: i32, stride: i32, out: usize, indices: usize): v128 {
  const between = i32x4.splat(WINDOWS * stride);
  let here = i32x4.add(i32x4.splat(index), i32x4(0, stride, 2 * stride, 3 * stride));
  let nan = zero();
  for (; count > 0; count -= WINDOWS) {
    const value0 = strided<T>(at, stride);
    const max0 = v128.load(out);
    let value1 = value0;
    let max1 = max0;
    if (sizeof<T>() == 8) {
      value1 = strided<T>(at + 2 * stride * sizeof<T>(), stride);
      max1 = v128.load(out, VECTOR);
      v128.store(out, v128.pmax<T>(max1, value1), VECTOR);
      nan = v128.or(nan, isNaN<T>(value1));
    }
    v128.store(out, v128.pmax<T>(max0, value0));
    nan = v128.or(nan, isNaN<T>(value0));
    const better = maskOfIndices<T>(v128.gt<T>(value0, max0), v128.gt<T>(value1, max1));
    v128.store(indices, choose(here, v128.load(indices), better));
    here = i32x4.add(here, between);
    at += <usize>(WINDOWS * stride) * sizeof<T>();
    out += WINDOWS * sizeof<T>();
    indices += VECTOR;
  }
  return nan;
}

/** The same for two taps of windows that lie side by side. */
function takePair<T>(at: usize, count: i32, index: i32, out: usize, indices: usize): v128 {
  const between = i32x4.splat(WINDOWS * 2);
  let here = i32x4.add(i32x4.splat(index), i32x4(0, 2, 4, 6));
  let nan = zero();
  for (; count > 0; count -= WINDOWS) {
    const a = v128.load(at);
    const b = v128.load(at, VECTOR);
    const even0 = evens<T>(a, b);
    const odd0 = odds<T>(a, b);
    const best0 = v128.pmax<T>(even0, odd0);
    const max0 = v128.load(out);
    nan = v128.or(nan, isNaN<T>(v128.add<T>(a, b)));
    v128.store(out, v128.pmax<T>(max0, best0));
    let second = v128.gt<T>(odd0, even0);
    let better = v128.gt<T>(best0, max0);
    if (sizeof<T>() == 8) {
      const c = v128.load(at, 2 * VECTOR);
      const d = v128.load(at, 3 * VECTOR);
      const even1 = evens<T>(c, d);
      const odd1 = odds<T>(c, d);
      const best1 = v128.pmax<T>(even1, odd1);
      const max1 = v128.load(out, VECTOR);
      nan = v128.or(nan, isNaN<T>(v128.add<T>(c, d)));
      v128.store(out, v128.pmax<T>(max1, best1), VECTOR);
      second = maskOfIndices<T>(second, v128.gt<T>(odd1, even1));
      better = maskOfIndices<T>(better, v128.gt<T>(best1, max1));
    }
    // A mask that is set is −1.
    v128.store(indices, choose(i32x4.sub(here, second), v128.load(indices), better));
    here = i32x4.add(here, between);
    at += 2 * WINDOWS * sizeof<T>();
    out += WINDOWS * sizeof<T>();
    indices += VECTOR;
  }
  return nan;
}

export function maxPool<T>(axes: usize, planes: i32, x: usize, out: usize, indices: usize): void {
  const d = axisOf(axes, 0);
  const h = axisOf(axes, 1);
  const w = axisOf(axes, 2);
  const plane = <usize>(d.input * h.input * w.input) * sizeof<T>();
  const pairs = isPairs(w);
  const together = windowsTogether(w);
  const start = w.first * w.stride - w.before;
  for (let p = 0; p < planes; p++) {
    for (let od = 0; od < d.output; od++)
      for (let oh = 0; oh < h.output; oh++) {
        const d0 = firstTap(d, od);
        const d1 = endTap(d, od);
        const h0 = firstTap(h, oh);
        const h1 = endTap(h, oh);
        const outs = out + w.first * sizeof<T>();
        const places = indices + w.first * 4;
        let nan = zero();
        beginMax<T>(together, (d0 * h.input + h0) * w.input + start, w.stride, outs, places);
        for (let id = d0; together && id < d1; id += d.dilation)
          for (let ih = h0; ih < h1; ih += h.dilation) {
            const at = (id * h.input + ih) * w.input + start;
            if (pairs) nan = v128.or(nan, takePair<T>(x + <usize>at * sizeof<T>(), together, at, outs, places));
            else
              for (let k = at, end = at + w.kernel * w.dilation; k < end; k += w.dilation)
                nan = v128.or(nan, takeTap<T>(x + <usize>k * sizeof<T>(), together, k, w.stride, outs, places));
          }
        // No comparison tells of NaN, nor which was first.
        const done = !together || v128.any_true(nan) ? w.first : w.end;
        for (let ow = 0; ow < w.output; ow++) {
          if (ow == w.first) ow = done;
          if (ow == w.output) break;
          let max: T = 0;
          let where = -1;
          for (let id = d0; id < d1; id += d.dilation)
            for (let ih = h0; ih < h1; ih += h.dilation)
              for (let iw = firstTap(w, ow), w1 = endTap(w, ow); iw < w1; iw += w.dilation) {
                const at = (id * h.input + ih) * w.input + iw;
                const value = load<T>(x + <usize>at * sizeof<T>());
                if (where < 0 || (max == max && !(value <= max))) {
                  max = value;
                  where = at;
                }
              }
          store<T>(out + ow * sizeof<T>(), max);
          store<i32>(indices + ow * 4, where);
        }
        out += w.output * sizeof<T>();
        indices += w.output * 4;
      }
    x += plane;
  }
}

/** Adds each of `dout[planes, outputs]` to `dx[planes, plane]`, zero before, where `indices` says. */
export function maxPoolBackward<T>(
  planes: i32,
  outputs: i32,
  plane: i32,
  indices: usize,
  dout: usize,
  dx: usize,
): void {
  for (let p = 0; p < planes; p++) {
    for (let o = 0; o < outputs; o++) {
      const at = dx + <usize>load<i32>(indices) * sizeof<T>();
      store<T>(at, load<T>(at) + load<T>(dout));
      indices += 4;
      dout += sizeof<T>();
    }
    dx += <usize>plane * sizeof<T>();
  }
}

/** A window of more taps is summed in float64: a running sum of float32 would lose a digit. */
const FEW_TAPS = 64;

/** How many taps windows ow and on along the last axis count, times `others`. */
function divisors<T>(counts: usize, ow: i32, others: i32): v128 {
  const at = counts + ow * 4;
  if (sizeof<T>() == 4) return f32x4.mul(f32x4.convert_i32x4_s(v128.load(at)), f32x4.splat(<f32>others));
  return f64x2.mul(f64x2.convert_low_i32x4_s(v128.load64_zero(at)), f64x2.splat(<f64>others));
}

/** Adds one tap of `count` windows to sums. */
function addTap<T>(at: usize, count: i32, stride: i32, sums: usize): void {
  for (; count > 0; count -= lanes<T>()) {
    v128.store(sums, v128.add<T>(v128.load(sums), strided<T>(at, stride)));
    at += <usize>stride * VECTOR;
    sums += VECTOR;
  }
}

/** The same for two taps of windows that lie side by side. */
function addPair<T>(at: usize, count: i32, sums: usize): void {
  for (; count > 0; count -= lanes<T>()) {
    const a = v128.load(at);
    const b = v128.load(at, VECTOR);
    v128.store(sums, v128.add<T>(v128.load(sums), v128.add<T>(evens<T>(a, b), odds<T>(a, b))));
    at += 2 * VECTOR;
    sums += VECTOR;
  }
}

/** Counts are lists of i32 for the positions along each axis. */
export function averagePool<T>(
  axes: usize,
  planes: i32,
  countsD: usize,
  countsH: usize,
  countsW: usize,
  x: usize,
  out: usize,
): void {
  const d = axisOf(axes, 0);
  const h = axisOf(axes, 1);
  const w = axisOf(axes, 2);
  const plane = <usize>(d.input * h.input * w.input) * sizeof<T>();
  const few = d.kernel * h.kernel * w.kernel <= FEW_TAPS;
  const pairs = isPairs(w);
  const together = few ? windowsTogether(w) : 0;
  const start = w.first * w.stride - w.before;
  for (let p = 0; p < planes; p++) {
    for (let od = 0; od < d.output; od++)
      for (let oh = 0; oh < h.output; oh++) {
        const d0 = firstTap(d, od);
        const d1 = endTap(d, od);
        const h0 = firstTap(h, oh);
        const h1 = endTap(h, oh);
        const others = load<i32>(countsD + od * 4) * load<i32>(countsH + oh * 4);
        const sums = out + w.first * sizeof<T>();
        // A loop, since memory.fill leaves the module, and costs as much as a short row.
        for (let i = 0; i < together; i += lanes<T>()) v128.store(sums + i * sizeof<T>(), zero());
        for (let id = d0; together && id < d1; id += d.dilation)
          for (let ih = h0; ih < h1; ih += h.dilation) {
            const at = x + <usize>((id * h.input + ih) * w.input + start) * sizeof<T>();
            if (pairs) addPair<T>(at, together, sums);
            else
              for (let k = 0; k < w.kernel; k++)
                addTap<T>(at + <usize>(k * w.dilation) * sizeof<T>(), together, w.stride, sums);
          }
        for (let i = 0; i < together; i += lanes<T>()) {
          const sum = sums + i * sizeof<T>();
          v128.store(sum, v128.div<T>(v128.load(sum), divisors<T>(countsW, w.first + i, others)));
        }
        for (let ow = 0; ow < w.output; ow++) {
          if (together && ow == w.first) ow = w.end;
          if (ow == w.output) break;
          let sum: f64 = 0;
          for (let id = d0; id < d1; id += d.dilation)
            for (let ih = h0; ih < h1; ih += h.dilation)
              for (let iw = firstTap(w, ow), w1 = endTap(w, ow); iw < w1; iw += w.dilation)
                sum += <f64>load<T>(x + <usize>((id * h.input + ih) * w.input + iw) * sizeof<T>());
          store<T>(out + ow * sizeof<T>(), <T>(sum / (<f64>others * <f64>load<i32>(countsW + ow * 4))));
        }
        out += w.output * sizeof<T>();
      }
    x += plane;
  }
}

/** Adds `value` to elements `stride` apart, from `at` on, which no other lane of it touches. */
function addStrided<T>(at: usize, stride: i32, value: v128): void {
  if (stride == 1) {
    v128.store(at, v128.add<T>(v128.load(at), value));
    return;
  }
  const step = <usize>stride * sizeof<T>();
  store<T>(at, load<T>(at) + v128.extract_lane<T>(value, 0));
  store<T>(at + step, load<T>(at + step) + v128.extract_lane<T>(value, 1));
  if (sizeof<T>() == 4) {
    store<T>(at + 2 * step, load<T>(at + 2 * step) + v128.extract_lane<T>(value, 2));
    store<T>(at + 3 * step, load<T>(at + 3 * step) + v128.extract_lane<T>(value, 3));
  }
}

/** The way back of `addTap`: adds the shares of `count` windows to one tap of each. */
function spreadTap<T>(at: usize, count: i32, stride: i32, shares: usize): void {
  for (; count > 0; count -= lanes<T>()) {
    addStrided<T>(at, stride, v128.load(shares));
    at += <usize>stride * VECTOR;
    shares += VECTOR;
  }
}

/** The way back of `addPair`: each share goes to two neighbours. */
function spreadPair<T>(at: usize, count: i32, shares: usize): void {
  for (; count > 0; count -= lanes<T>()) {
    const share = v128.load(shares);
    const low = sizeof<T>() == 4 ? v128.shuffle<f32>(share, share, 0, 0, 1, 1) : v128.shuffle<i64>(share, share, 0, 0);
    const up = sizeof<T>() == 4 ? v128.shuffle<f32>(share, share, 2, 2, 3, 3) : v128.shuffle<i64>(share, share, 1, 1);
    v128.store(at, v128.add<T>(v128.load(at), low));
    v128.store(at, v128.add<T>(v128.load(at, VECTOR), up), VECTOR);
    at += 2 * VECTOR;
    shares += VECTOR;
  }
}

/** Every element of `dx[planes, …]`, zero before, gets its shares of `dout`, which is divided in place. */
export function averagePoolBackward<T>(
  axes: usize,
  planes: i32,
  countsD: usize,
  countsH: usize,
  countsW: usize,
  dout: usize,
  dx: usize,
): void {
  const d = axisOf(axes, 0);
  const h = axisOf(axes, 1);
  const w = axisOf(axes, 2);
  const plane = <usize>(d.input * h.input * w.input) * sizeof<T>();
  const pairs = isPairs(w);
  const together = (w.end - w.first) & -lanes<T>();
  const start = w.first * w.stride - w.before;
  for (let p = 0; p < planes; p++) {
    for (let od = 0; od < d.output; od++)
      for (let oh = 0; oh < h.output; oh++) {
        const d0 = firstTap(d, od);
        const d1 = endTap(d, od);
        const h0 = firstTap(h, oh);
        const h1 = endTap(h, oh);
        const others = load<i32>(countsD + od * 4) * load<i32>(countsH + oh * 4);
        const shares = dout + w.first * sizeof<T>();
        for (let i = 0; i < together; i += lanes<T>()) {
          const share = shares + i * sizeof<T>();
          v128.store(share, v128.div<T>(v128.load(share), divisors<T>(countsW, w.first + i, others)));
        }
        for (let id = d0; together && id < d1; id += d.dilation)
          for (let ih = h0; ih < h1; ih += h.dilation) {
            const at = dx + <usize>((id * h.input + ih) * w.input + start) * sizeof<T>();
            if (pairs) spreadPair<T>(at, together, shares);
            else
              for (let k = 0; k < w.kernel; k++)
                spreadTap<T>(at + <usize>(k * w.dilation) * sizeof<T>(), together, w.stride, shares);
          }
        for (let ow = 0; ow < w.output; ow++) {
          if (ow == w.first) ow += together;
          if (ow == w.output) break;
          const share = <T>(<f64>load<T>(dout + ow * sizeof<T>()) / (<f64>others * <f64>load<i32>(countsW + ow * 4)));
          for (let id = d0; id < d1; id += d.dilation)
            for (let ih = h0; ih < h1; ih += h.dilation)
              for (let iw = firstTap(w, ow), w1 = endTap(w, ow); iw < w1; iw += w.dilation) {
                const at = dx + <usize>((id * h.input + ih) * w.input + iw) * sizeof<T>();
                store<T>(at, load<T>(at) + share);
              }
        }
        dout += w.output * sizeof<T>();
      }
    dx += plane;
  }
}
