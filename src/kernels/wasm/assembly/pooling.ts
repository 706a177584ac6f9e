/**
 * Pools one plane after the other. Windows of a row whose taps all lie in x are computed tap by tap, so that the
 * innermost loop is long and runs over vectors of output positions; the few windows at the edges, one by one.
 */
import { lanes, VECTOR, zero } from './vector';
import { Axis } from './windows';

/** One axis, and the windows [first, end) along it that lie within the input, in the layout that the bridge writes. */
@unmanaged
class PoolAxis extends Axis {
  first: i32;
  end: i32;
  /** For each output position, the number of taps along the axis that an average counts, as i32. */
  counts: usize;
}

/** Windows processed together, so that 32 bits of each fill a vector. */
const WINDOWS = 4;

/**
 * Number of windows processed together from the first whole one (all of its taps are in the input), padded to a full
 * vector. The padding reads beyond its row of x, and writes beyond its row of out, where nothing is written yet.
 * Vectors do not pay for a single window.
 */
function windowsTogether(axis: PoolAxis): i32 {
  const whole = axis.end - axis.first;
  return whole < 2 ? 0 : (whole + WINDOWS - 1) & -WINDOWS;
}

function axisOf(axes: usize, i: i32): PoolAxis {
  return changetype<PoolAxis>(axes + i * offsetof<PoolAxis>());
}

/** The first tap of window o in the input, and the end of its taps: bounds of a loop that steps by the dilation. */
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

/** Lanes 0, 2, … or 1, 3, … of two consecutive vectors. */
function evens<T>(a: v128, b: v128): v128 {
  if (sizeof<T>() == 4) return v128.shuffle<f32>(a, b, 0, 2, 4, 6);
  return v128.shuffle<i64>(a, b, 0, 2);
}
function odds<T>(a: v128, b: v128): v128 {
  if (sizeof<T>() == 4) return v128.shuffle<f32>(a, b, 1, 3, 5, 7);
  return v128.shuffle<i64>(a, b, 1, 3);
}

/** Whether windows are adjacent and have 2 taps, so that taps alternate in the lanes of two vectors. */
function isPairs(axis: PoolAxis): bool {
  return axis.kernel == 2 && axis.stride == 2 && axis.dilation == 1;
}

/** `mask ? a : b` of whole lanes: one instruction if the build has it, otherwise three. */
function choose(a: v128, b: v128, mask: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return i32x4.relaxed_laneselect(a, b, mask);
  return v128.bitselect(a, b, mask);
}

/** Turns masks over four values, in one vector or in two, into one over four indices. */
function maskOfIndices<T>(mask0: v128, mask1: v128): v128 {
  return sizeof<T>() == 4 ? mask0 : v128.shuffle<i32>(mask0, mask1, 0, 2, 4, 6);
}

function areNaN<T>(value: v128): v128 {
  return v128.ne<T>(value, value);
}

/** Initial state: a maximum below every value, and the tap's index. */
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

/** Updates maxima and indices by one tap of `count` windows, the first at `index`; returns a mask of NaNs. */
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
      nan = v128.or(nan, areNaN<T>(value1));
    }
    v128.store(out, v128.pmax<T>(max0, value0));
    nan = v128.or(nan, areNaN<T>(value0));
    const better = maskOfIndices<T>(v128.gt<T>(value0, max0), v128.gt<T>(value1, max1));
    v128.store(indices, choose(here, v128.load(indices), better));
    here = i32x4.add(here, between);
    at += <usize>(WINDOWS * stride) * sizeof<T>();
    out += WINDOWS * sizeof<T>();
    indices += VECTOR;
  }
  return nan;
}

/** The same for the two taps of adjacent windows. */
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
    nan = v128.or(nan, areNaN<T>(v128.add<T>(a, b)));
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
      nan = v128.or(nan, areNaN<T>(v128.add<T>(c, d)));
      v128.store(out, v128.pmax<T>(max1, best1), VECTOR);
      second = maskOfIndices<T>(second, v128.gt<T>(odd1, even1));
      better = maskOfIndices<T>(better, v128.gt<T>(best1, max1));
    }
    // A lane that is set in a mask is −1, so subtracting it adds 1.
    v128.store(indices, choose(i32x4.sub(here, second), v128.load(indices), better));
    here = i32x4.add(here, between);
    at += 2 * WINDOWS * sizeof<T>();
    out += WINDOWS * sizeof<T>();
    indices += VECTOR;
  }
  return nan;
}

/** @bridge */
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
        // Comparisons miss NaN and cannot select the last one, so a row with NaN is computed one by one.
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
                if (where < 0 || value > max || isNaN<T>(value)) {
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

/**
 * Adds each of `dout[planes, outputs]` to `dx[planes, plane]`, initially zero, at its index.
 * @bridge
 */
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

/** Of four elements, the first two or the last two as float64. */
function wideLow<T>(low: v128): v128 {
  return sizeof<T>() == 4 ? f64x2.promote_low_f32x4(low) : low;
}
function wideHigh<T>(low: v128, high: v128): v128 {
  return sizeof<T>() == 4 ? f64x2.promote_low_f32x4(v128.shuffle<i64>(low, low, 1, 1)) : high;
}

/** Four elements from two vectors of float64. */
function storeNarrow<T>(at: usize, low: v128, high: v128): void {
  if (sizeof<T>() == 4) {
    v128.store(at, v128.shuffle<i64>(f32x4.demote_f64x2_zero(low), f32x4.demote_f64x2_zero(high), 0, 2));
    return;
  }
  v128.store(at, low);
  v128.store(at, high, VECTOR);
}

/** Taps that two windows starting at `ow` count along the last axis, times `others`. */
function divisors(counts: usize, ow: i32, others: f64): v128 {
  return f64x2.mul(f64x2.convert_low_i32x4_s(v128.load64_zero(counts + ow * 4)), f64x2.splat(others));
}

/**
 * Sums are float64 whatever the dtype, of each window's taps in row-major order: so a window's average is the same
 * among others, by vectors, as without, and float32 neither overflows on the way nor loses a digit.
 * @bridge
 */
export function averagePool<T>(axes: usize, planes: i32, x: usize, out: usize): void {
  const d = axisOf(axes, 0);
  const h = axisOf(axes, 1);
  const w = axisOf(axes, 2);
  const countsW = w.counts;
  const plane = <usize>(d.input * h.input * w.input) * sizeof<T>();
  const pairs = isPairs(w);
  const together = windowsTogether(w);
  const start = w.first * w.stride - w.before;
  const between = <usize>(WINDOWS * w.stride) * sizeof<T>();
  for (let p = 0; p < planes; p++) {
    for (let od = 0; od < d.output; od++)
      for (let oh = 0; oh < h.output; oh++) {
        const d0 = firstTap(d, od);
        const d1 = endTap(d, od);
        const h0 = firstTap(h, oh);
        const h1 = endTap(h, oh);
        const others = <f64>load<i32>(d.counts + od * 4) * <f64>load<i32>(h.counts + oh * 4);
        let first = x + <usize>start * sizeof<T>();
        for (let i = w.first; i < w.first + together; i += WINDOWS) {
          let low = zero();
          let high = zero();
          for (let id = d0; id < d1; id += d.dilation)
            for (let ih = h0; ih < h1; ih += h.dilation) {
              let at = first + <usize>((id * h.input + ih) * w.input) * sizeof<T>();
              if (pairs) {
                const a = v128.load(at);
                const b = v128.load(at, VECTOR);
                const c = sizeof<T>() == 4 ? a : v128.load(at, 2 * VECTOR);
                const e = sizeof<T>() == 4 ? b : v128.load(at, 3 * VECTOR);
                const even = evens<T>(a, b);
                const odd = odds<T>(a, b);
                low = f64x2.add(f64x2.add(low, wideLow<T>(even)), wideLow<T>(odd));
                high = f64x2.add(high, wideHigh<T>(even, evens<T>(c, e)));
                high = f64x2.add(high, wideHigh<T>(odd, odds<T>(c, e)));
              } else
                for (let k = 0; k < w.kernel; k++) {
                  const value = strided<T>(at, w.stride);
                  const next = sizeof<T>() == 4 ? value : strided<T>(at + 2 * w.stride * sizeof<T>(), w.stride);
                  low = f64x2.add(low, wideLow<T>(value));
                  high = f64x2.add(high, wideHigh<T>(value, next));
                  at += <usize>w.dilation * sizeof<T>();
                }
            }
          low = f64x2.div(low, divisors(countsW, i, others));
          high = f64x2.div(high, divisors(countsW, i + 2, others));
          storeNarrow<T>(out + i * sizeof<T>(), low, high);
          first += between;
        }
        for (let ow = 0; ow < w.output; ow++) {
          if (together && ow == w.first) ow = w.end;
          if (ow == w.output) break;
          let sum: f64 = 0;
          for (let id = d0; id < d1; id += d.dilation)
            for (let ih = h0; ih < h1; ih += h.dilation)
              for (let iw = firstTap(w, ow), w1 = endTap(w, ow); iw < w1; iw += w.dilation)
                sum += <f64>load<T>(x + <usize>((id * h.input + ih) * w.input + iw) * sizeof<T>());
          store<T>(out + ow * sizeof<T>(), <T>(sum / (others * <f64>load<i32>(countsW + ow * 4))));
        }
        out += w.output * sizeof<T>();
      }
    x += plane;
  }
}

/** Adds each lane of `value` to one of the elements that start at `at` and are `stride` apart. */
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

/** Adds the shares of `count` windows to one tap of each. */
function spreadTap<T>(at: usize, count: i32, stride: i32, shares: usize): void {
  for (; count >= lanes<T>(); count -= lanes<T>()) {
    addStrided<T>(at, stride, v128.load(shares));
    at += <usize>stride * VECTOR;
    shares += VECTOR;
  }
  for (; count > 0; count--) {
    store<T>(at, load<T>(at) + load<T>(shares));
    at += <usize>stride * sizeof<T>();
    shares += sizeof<T>();
  }
}

/** Adds the shares of windows [from, to) of a row to each of their taps in a row of the input, tap by tap. */
function spreadRow<T>(axis: PoolAxis, from: i32, to: i32, row: usize, shares: usize): void {
  if (from == to) return;
  const whole = from >= axis.first && to <= axis.end;
  for (let k = 0; k < axis.kernel; k++) {
    // The windows whose tap lies in the input: 0 <= o · stride + offset < input.
    const offset = k * axis.dilation - axis.before;
    const first = whole || offset >= 0 ? from : max(from, (axis.stride - 1 - offset) / axis.stride);
    const end = whole ? to : min(to, offset >= axis.input ? 0 : (axis.input - 1 - offset) / axis.stride + 1);
    const at = row + <usize>(first * axis.stride + offset) * sizeof<T>();
    spreadTap<T>(at, end - first, axis.stride, shares + first * sizeof<T>());
  }
}

/** Adds each share to two neighbouring elements. */
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

/** All integers up to this are exact in float32. */
const EXACT: f64 = 16777216;

/**
 * Adds to every element of `dx[planes, …]`, initially zero, its shares of `dout`, which is divided in place: one row of
 * windows after the other, and within a row tap by tap.
 * @bridge
 */
export function averagePoolBackward<T>(axes: usize, planes: i32, dout: usize, dx: usize): void {
  const d = axisOf(axes, 0);
  const h = axisOf(axes, 1);
  const w = axisOf(axes, 2);
  const countsW = w.counts;
  const plane = <usize>(d.input * h.input * w.input) * sizeof<T>();
  const pairs = isPairs(w);
  // If float32 holds the count exactly, dividing in float32 equals dividing in float64 and rounding (Figueroa 1995).
  const narrow = sizeof<T>() == 4 && <f64>d.kernel * <f64>h.kernel * <f64>w.kernel <= EXACT;
  for (let p = 0; p < planes; p++) {
    for (let od = 0; od < d.output; od++)
      for (let oh = 0; oh < h.output; oh++) {
        const d0 = firstTap(d, od);
        const d1 = endTap(d, od);
        const h0 = firstTap(h, oh);
        const h1 = endTap(h, oh);
        const others = <f64>load<i32>(d.counts + od * 4) * <f64>load<i32>(h.counts + oh * 4);
        let i = 0;
        for (; i + WINDOWS <= w.output; i += WINDOWS) {
          const at = dout + i * sizeof<T>();
          const given = v128.load(at);
          if (narrow) {
            const by = f32x4.mul(f32x4.convert_i32x4_s(v128.load(countsW + i * 4)), f32x4.splat(<f32>others));
            v128.store(at, f32x4.div(given, by));
            continue;
          }
          const next = sizeof<T>() == 4 ? given : v128.load(at, VECTOR);
          const low = f64x2.div(wideLow<T>(given), divisors(countsW, i, others));
          storeNarrow<T>(at, low, f64x2.div(wideHigh<T>(given, next), divisors(countsW, i + 2, others)));
        }
        for (; i < w.output; i++) {
          const at = dout + i * sizeof<T>();
          store<T>(at, <T>(<f64>load<T>(at) / (others * <f64>load<i32>(countsW + i * 4))));
        }
        for (let id = d0; id < d1; id += d.dilation)
          for (let ih = h0; ih < h1; ih += h.dilation) {
            const row = dx + <usize>((id * h.input + ih) * w.input) * sizeof<T>();
            if (pairs) {
              const whole = (w.end - w.first) & -lanes<T>();
              const at = row + <usize>(w.first * w.stride - w.before) * sizeof<T>();
              spreadPair<T>(at, whole, dout + w.first * sizeof<T>());
              spreadRow<T>(w, 0, w.first, row, dout);
              spreadRow<T>(w, w.first + whole, w.output, row, dout);
            } else spreadRow<T>(w, 0, w.output, row, dout);
          }
        dout += w.output * sizeof<T>();
      }
    dx += plane;
  }
}
