/** Windows along spatial axes as tables of indices, −1 for outside. */
import type { WindowAxis } from '../tensor/windows.js';

/** The element that tap k of window p sees along one axis, −1 if it is outside. */
export type Look = (axis: WindowAxis, p: number, k: number) => number;

const usual: Look = ({ stride, dilation, before }, p, k) => p * stride + k * dilation - before;

const sizeOf = (axes: readonly WindowAxis[], of: 'input' | 'kernel' | 'output') =>
  axes.reduce((size, axis) => size * axis[of], 1);

/** The flat index of what tap k of window p sees, as [p, k]. */
export function windowTable(axes: readonly WindowAxis[], look: Look = usual): Int32Array {
  const [windows, taps] = [sizeOf(axes, 'output'), sizeOf(axes, 'kernel')];
  const table = new Int32Array(windows * taps);
  for (let p = 0; p < windows; p++)
    for (let k = 0; k < taps; k++) {
      let [at, window, tap, size] = [0, p, k, 1];
      for (let i = axes.length - 1; i >= 0; i--) {
        const axis = axes[i];
        const place = look(axis, window % axis.output, tap % axis.kernel);
        if (place < 0 || place >= axis.input) {
          at = -1;
          break;
        }
        at += place * size;
        size *= axis.input;
        window = Math.floor(window / axis.output);
        tap = Math.floor(tap / axis.kernel);
      }
      table[p * taps + k] = at;
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
        const place = usual(axes[i], window % output, k);
        if (place >= from && place < to) inside++;
      }
      count *= inside;
      window = Math.floor(window / output);
    }
    return count;
  });
}
