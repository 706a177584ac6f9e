/** Windows along spatial axes as tables of indices, −1 for outside. */
import type { WindowAxis } from '../tensor/windows.js';

/** Window and tap along each axis, and which axis is looked at. */
export interface Position {
  readonly axis: number;
  readonly p: readonly number[];
  readonly k: readonly number[];
}

/** The element that tap k of window p sees along one axis, −1 if it is outside. */
export type Look = (axis: WindowAxis, p: number, k: number, all: Position) => number;

/** The index along each axis, from a flat one. */
function unflattened(index: number, axes: readonly WindowAxis[], of: 'kernel' | 'output'): number[] {
  const found = Array<number>(axes.length);
  for (let i = axes.length - 1, rest = index; i >= 0; rest = Math.floor(rest / axes[i--][of]))
    found[i] = rest % axes[i][of];
  return found;
}

/** The element that tap k of window p sees along one axis, if it is inside. */
export const positionOf = ({ stride, dilation, before }: WindowAxis, p: number, k: number): number =>
  p * stride + k * dilation - before;

const sizeOf = (axes: readonly WindowAxis[], of: 'input' | 'kernel' | 'output') =>
  axes.reduce((size, axis) => size * axis[of], 1);

/** The flat index of what tap k of window p sees, as [p, k]. */
export function windowTable(axes: readonly WindowAxis[], look: Look = positionOf): Int32Array {
  const [windows, taps] = [sizeOf(axes, 'output'), sizeOf(axes, 'kernel')];
  const table = new Int32Array(windows * taps);
  const tapsOf = Array.from({ length: taps }, (_, k) => unflattened(k, axes, 'kernel'));
  for (let window = 0; window < windows; window++) {
    const p = unflattened(window, axes, 'output');
    for (let tap = 0; tap < taps; tap++) {
      const k = tapsOf[tap];
      let at = 0;
      for (let axis = 0; axis < axes.length && at >= 0; axis++) {
        const place = look(axes[axis], p[axis], k[axis], { axis, p, k });
        at = place < 0 || place >= axes[axis].input ? -1 : at * axes[axis].input + place;
      }
      table[window * taps + tap] = at;
    }
  }
  return table;
}

/** Number of elements of each window that an average divides by: those inside, or those of the padded input too. */
export function windowCounts(axes: readonly WindowAxis[], includesPadding: boolean): Float64Array {
  const windows = sizeOf(axes, 'output');
  return Float64Array.from({ length: windows }, (_, p) => {
    let [count, window] = [1, p];
    for (let i = axes.length - 1; i >= 0; i--) {
      const { input, kernel, output, before, after } = axes[i];
      const [from, to] = includesPadding ? [-before, input + after] : [0, input];
      let inside = 0;
      for (let k = 0; k < kernel; k++) {
        const place = positionOf(axes[i], window % output, k);
        if (place >= from && place < to) inside++;
      }
      count *= inside;
      window = Math.floor(window / output);
    }
    return count;
  });
}
