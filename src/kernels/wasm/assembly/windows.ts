/**
 * The positions of the windows of a convolution, for convolution.ts and direct.ts.
 *
 * A channels of planes that windows slide over, K taps per window, P windows per plane. In padded planes, the position
 * of a tap of a window is the sum of two offsets, one of the tap and one of the window, so one table of each describes
 * the whole geometry.
 */
import { panelWidth } from './matmul';
import { take } from './arena';
import { lanes, VECTOR } from './vector';

/** In the layout that the bridge writes. */
@unmanaged
export class Axis {
  input: i32;
  kernel: i32;
  stride: i32;
  dilation: i32;
  before: i32;
  output: i32;
}

@unmanaged
export class Windows {
  /** `[3]` */
  axes: usize;
  A: i32;
  K: i32;
  P: i32;
  /** Sizes of the padded planes. */
  depth: i32;
  height: i32;
  width: i32;
  /** Elements from one padded plane to the next. */
  plane: i32;
  /** `[A][depth, height, width]`, zero in the padding. */
  padded: usize;
  /** Offset of each tap, `[A · K]`, and of each window, `[P]`, in bytes. */
  tapOffsets: usize;
  windowOffsets: usize;
}

export function axisOf(axes: usize, i: i32): Axis {
  return changetype<Axis>(axes + i * offsetof<Axis>());
}

/** Number of elements that the windows of an axis reach over. */
function paddedSize(axis: Axis): i32 {
  return (axis.output - 1) * axis.stride + (axis.kernel - 1) * axis.dilation + 1;
}

/** Elements per plane: an odd number of cache lines, so that the channels of a window do not share a few cache sets. */
function planeSize<T>(points: i32): i32 {
  const ofLine = 64 / <i32>sizeof<T>();
  return points < 4 * ofLine ? points : (((points + ofLine - 1) / ofLine) | 1) * ofLine;
}

/** Makes the tables and padded planes for A channels; they are released with the scope in which they are made. */
export function makeWindows<T>(axes: usize, A: i32): Windows {
  const windows = changetype<Windows>(take(offsetof<Windows>()));
  const d = axisOf(axes, 0);
  const h = axisOf(axes, 1);
  const w = axisOf(axes, 2);
  const depth = paddedSize(d);
  const height = paddedSize(h);
  const width = paddedSize(w);
  const K = d.kernel * h.kernel * w.kernel;
  const P = d.output * h.output * w.output;
  const plane = planeSize<T>(depth * height * width);
  const paddedBytes = <usize>A * plane * sizeof<T>();
  windows.plane = plane;
  windows.axes = axes;
  windows.A = A;
  windows.K = K;
  windows.P = P;
  windows.depth = depth;
  windows.height = height;
  windows.width = width;
  windows.padded = take(paddedBytes);
  memory.fill(windows.padded, 0, paddedBytes);

  let at = (windows.tapOffsets = take(<usize>A * K * 4));
  for (let a = 0; a < A; a++)
    for (let kd = 0; kd < d.kernel; kd++)
      for (let kh = 0; kh < h.kernel; kh++)
        for (let kw = 0; kw < w.kernel; kw++) {
          const row = kd * d.dilation * height + kh * h.dilation;
          store<i32>(at, (a * plane + row * width + kw * w.dilation) * <i32>sizeof<T>());
          at += 4;
        }
  // A panel that extends past the end repeats the last window; its surplus columns are discarded.
  at = windows.windowOffsets = take(<usize>(P + panelWidth<T>()) * 4);
  let offset = 0;
  for (let od = 0; od < d.output; od++)
    for (let oh = 0; oh < h.output; oh++)
      for (let ow = 0; ow < w.output; ow++) {
        offset = ((od * d.stride * height + oh * h.stride) * width + ow * w.stride) * <i32>sizeof<T>();
        store<i32>(at, offset);
        at += 4;
      }
  for (let i = 0; i < panelWidth<T>(); i++) store<i32>(at + i * 4, offset);
  return windows;
}

function copy<T>(to: usize, from: usize, count: i32): void {
  let i = 0;
  for (; i + lanes<T>() <= count; i += lanes<T>()) {
    v128.store(to, v128.load(from));
    to += VECTOR;
    from += VECTOR;
  }
  for (; i < count; i++) {
    store<T>(to, load<T>(from));
    to += sizeof<T>();
    from += sizeof<T>();
  }
}

/** First and last + 1 input element of an axis that a window can reach; a negative pad crops. */
function firstOf(axis: Axis): i32 {
  return max(0, -axis.before);
}
function endOf(axis: Axis): i32 {
  return min(axis.input, paddedSize(axis) - axis.before);
}

/** Copies `x[A, …]` into the padded planes or, if `back`, adds the planes to x; only what a window can reach. */
export function exchange<T>(windows: Windows, x: usize, back: bool): void {
  const d = axisOf(windows.axes, 0);
  const h = axisOf(windows.axes, 1);
  const w = axisOf(windows.axes, 2);
  const first = firstOf(w);
  const count = endOf(w) - first;
  for (let a = 0; a < windows.A; a++)
    for (let id = firstOf(d); id < endOf(d); id++)
      for (let ih = firstOf(h); ih < endOf(h); ih++) {
        const line = (id + d.before) * windows.height + ih + h.before;
        const place = a * windows.plane + line * windows.width + first + w.before;
        const padded = windows.padded + <usize>place * sizeof<T>();
        const row = x + (<usize>((a * d.input + id) * h.input + ih) * w.input + first) * sizeof<T>();
        if (back) addTo<T>(row, padded, count);
        else copy<T>(padded, row, count);
      }
}

function addTo<T>(to: usize, from: usize, count: i32): void {
  for (let i = 0; i < count; i++) {
    const at = to + i * sizeof<T>();
    store<T>(at, load<T>(at) + load<T>(from + i * sizeof<T>()));
  }
}
