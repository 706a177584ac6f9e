/**
 * Pooling of one plane after the other. Along the last axis the windows whose taps all lie in x go by vectors of
 * output positions; the few at the edges, one by one.
 */
import { lanes, VECTOR } from './vector';

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
  if (stride == 2) {
    if (sizeof<T>() == 4) return v128.shuffle<f32>(v128.load(at), v128.load(at, VECTOR), 0, 2, 4, 6);
    return v128.shuffle<i64>(v128.load(at), v128.load(at, VECTOR), 0, 2);
  }
  const step = <usize>stride * sizeof<T>();
  let vector = v128.load_splat<T>(at);
  vector = v128.replace_lane<T>(vector, 1, load<T>(at + step));
  if (sizeof<T>() == 4) {
    vector = v128.replace_lane<T>(vector, 2, load<T>(at + 2 * step));
    vector = v128.replace_lane<T>(vector, 3, load<T>(at + 3 * step));
  }
  return vector;
}

/** Greater, or the first NaN. */
function wins<T>(value: v128, max: v128): v128 {
  return v128.andnot(v128.eq<T>(max, max), v128.le<T>(value, max));
}

function splatIndex<T>(index: i32): v128 {
  return sizeof<T>() == 4 ? i32x4.splat(index) : i64x2.splat(index);
}

function addIndex<T>(a: v128, b: v128): v128 {
  return sizeof<T>() == 4 ? i32x4.add(a, b) : i64x2.add(a, b);
}

export function maxPool<T>(axes: usize, planes: i32, x: usize, out: usize, indices: usize): void {
  const d = axisOf(axes, 0);
  const h = axisOf(axes, 1);
  const w = axisOf(axes, 2);
  const plane = <usize>d.input * h.input * w.input * sizeof<T>();
  const stride = w.stride;
  const dilation = w.dilation;
  const steps = sizeof<T>() == 4 ? i32x4(0, stride, 2 * stride, 3 * stride) : i64x2(0, stride);
  for (let p = 0; p < planes; p++) {
    for (let od = 0; od < d.output; od++)
      for (let oh = 0; oh < h.output; oh++) {
        const d0 = firstTap(d, od);
        const d1 = endTap(d, od);
        const h0 = firstTap(h, oh);
        const h1 = endTap(h, oh);
        for (let ow = 0; ow < w.output;) {
          if (ow >= w.first && ow + lanes<T>() <= w.end) {
            const start = ow * stride - w.before;
            let at = (d0 * h.input + h0) * w.input + start;
            let max = strided<T>(x + at * sizeof<T>(), stride);
            let where = addIndex<T>(splatIndex<T>(at), steps);
            for (let id = d0; id < d1; id += d.dilation)
              for (let ih = h0; ih < h1; ih += h.dilation) {
                at = (id * h.input + ih) * w.input + start;
                for (let k = 0; k < w.kernel; k++) {
                  const value = strided<T>(x + at * sizeof<T>(), stride);
                  const better = wins<T>(value, max);
                  max = v128.bitselect(value, max, better);
                  where = v128.bitselect(addIndex<T>(splatIndex<T>(at), steps), where, better);
                  at += dilation;
                }
              }
            v128.store(out, max);
            if (sizeof<T>() == 4) v128.store(indices, where);
            else v128.store_lane<i64>(indices, v128.shuffle<i32>(where, where, 0, 2, 0, 2), 0);
            ow += lanes<T>();
            out += VECTOR;
            indices += lanes<T>() * 4;
            continue;
          }
          let max: T = 0;
          let where = -1;
          for (let id = d0; id < d1; id += d.dilation)
            for (let ih = h0; ih < h1; ih += h.dilation)
              for (let iw = firstTap(w, ow), w1 = endTap(w, ow); iw < w1; iw += dilation) {
                const at = (id * h.input + ih) * w.input + iw;
                const value = load<T>(x + at * sizeof<T>());
                if (where < 0 || (max == max && !(value <= max))) {
                  max = value;
                  where = at;
                }
              }
          store<T>(out, max);
          store<i32>(indices, where);
          ow++;
          out += sizeof<T>();
          indices += 4;
        }
      }
    x += plane;
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
  const plane = <usize>d.input * h.input * w.input * sizeof<T>();
  const few = d.kernel * h.kernel * w.kernel <= FEW_TAPS;
  const stride = w.stride;
  for (let p = 0; p < planes; p++) {
    for (let od = 0; od < d.output; od++)
      for (let oh = 0; oh < h.output; oh++) {
        const d0 = firstTap(d, od);
        const d1 = endTap(d, od);
        const h0 = firstTap(h, oh);
        const h1 = endTap(h, oh);
        const others = load<i32>(countsD + od * 4) * load<i32>(countsH + oh * 4);
        for (let ow = 0; ow < w.output;) {
          if (few && ow >= w.first && ow + lanes<T>() <= w.end) {
            let sum = v128.splat<T>(<T>0);
            for (let id = d0; id < d1; id += d.dilation)
              for (let ih = h0; ih < h1; ih += h.dilation) {
                let at = x + <usize>((id * h.input + ih) * w.input + ow * stride - w.before) * sizeof<T>();
                for (let k = 0; k < w.kernel; k++) {
                  sum = v128.add<T>(sum, strided<T>(at, stride));
                  at += w.dilation * sizeof<T>();
                }
              }
            v128.store(out, v128.div<T>(sum, divisors<T>(countsW, ow, others)));
            ow += lanes<T>();
            out += VECTOR;
            continue;
          }
          let sum: f64 = 0;
          for (let id = d0; id < d1; id += d.dilation)
            for (let ih = h0; ih < h1; ih += h.dilation)
              for (let iw = firstTap(w, ow), w1 = endTap(w, ow); iw < w1; iw += w.dilation)
                sum += <f64>load<T>(x + <usize>((id * h.input + ih) * w.input + iw) * sizeof<T>());
          store<T>(out, <T>(sum / (<f64>others * <f64>load<i32>(countsW + ow * 4))));
          ow++;
          out += sizeof<T>();
        }
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

/** Every element of `dx[planes, …]`, zero before, gets its shares of `dout`. */
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
  const plane = <usize>d.input * h.input * w.input * sizeof<T>();
  const stride = w.stride;
  const pairs = stride == 2 && w.kernel == 2 && w.dilation == 1;
  for (let p = 0; p < planes; p++) {
    for (let od = 0; od < d.output; od++)
      for (let oh = 0; oh < h.output; oh++) {
        const others = load<i32>(countsD + od * 4) * load<i32>(countsH + oh * 4);
        const d0 = firstTap(d, od);
        const d1 = endTap(d, od);
        const h0 = firstTap(h, oh);
        const h1 = endTap(h, oh);
        for (let ow = 0; ow < w.output;) {
          const whole = ow >= w.first && ow + lanes<T>() <= w.end;
          if (whole) {
            const share = v128.div<T>(v128.load(dout), divisors<T>(countsW, ow, others));
            for (let id = d0; id < d1; id += d.dilation)
              for (let ih = h0; ih < h1; ih += h.dilation) {
                let at = dx + <usize>((id * h.input + ih) * w.input + ow * stride - w.before) * sizeof<T>();
                if (pairs) {
                  // Each share goes to two neighbours, and no two windows of a row overlap.
                  const low =
                    sizeof<T>() == 4
                      ? v128.shuffle<f32>(share, share, 0, 0, 1, 1)
                      : v128.shuffle<i64>(share, share, 0, 0);
                  const up =
                    sizeof<T>() == 4
                      ? v128.shuffle<f32>(share, share, 2, 2, 3, 3)
                      : v128.shuffle<i64>(share, share, 1, 1);
                  v128.store(at, v128.add<T>(v128.load(at), low));
                  v128.store(at, v128.add<T>(v128.load(at, VECTOR), up), VECTOR);
                } else
                  for (let k = 0; k < w.kernel; k++) {
                    addStrided<T>(at, stride, share);
                    at += w.dilation * sizeof<T>();
                  }
              }
          } else {
            const share = <T>(<f64>load<T>(dout) / (<f64>others * <f64>load<i32>(countsW + ow * 4)));
            for (let id = d0; id < d1; id += d.dilation)
              for (let ih = h0; ih < h1; ih += h.dilation)
                for (let iw = firstTap(w, ow), w1 = endTap(w, ow); iw < w1; iw += w.dilation) {
                  const at = dx + <usize>((id * h.input + ih) * w.input + iw) * sizeof<T>();
                  store<T>(at, load<T>(at) + share);
                }
          }
          const step = whole ? lanes<T>() : 1;
          ow += step;
          dout += step * sizeof<T>();
        }
      }
    dx += plane;
  }
}
