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
export function unflattened(index: number, axes: readonly WindowAxis[], of: 'kernel' | 'output'): number[] {
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

/**
 * The flat index of what tap k of window p sees, as [p, k].
 *
 * @param sizeOfRow by which the index along the axes before is multiplied
 */
export function windowTable(
  axes: readonly WindowAxis[],
  look: Look = positionOf,
  sizeOfRow: (axis: WindowAxis) => number = ({ input }) => input,
): Int32Array {
  const [windows, taps, elements] = [sizeOf(axes, 'output'), sizeOf(axes, 'kernel'), sizeOf(axes, 'input')];
  const table = new Int32Array(windows * taps);
  const tapsOf = Array.from({ length: taps }, (_, k) => unflattened(k, axes, 'kernel'));
  for (let window = 0; window < windows; window++) {
    const p = unflattened(window, axes, 'output');
    for (let tap = 0; tap < taps; tap++) {
      const k = tapsOf[tap];
      let at = 0;
      for (let axis = 0; axis < axes.length && at >= 0; axis++) {
        const place = look(axes[axis], p[axis], k[axis], { axis, p, k });
        at = place < 0 || place >= axes[axis].input ? -1 : at * sizeOfRow(axes[axis]) + place;
      }
      table[window * taps + tap] = at < elements ? at : -1;
    }
  }
  return table;
}

/** The table with the taps of each window in another order. */
export function withTapsMoved(table: Int32Array, order: readonly number[]): Int32Array {
  const K = order.length;
  const moved = new Int32Array(table.length);
  for (let i = 0; i < table.length; i++) moved[i - (i % K) + order[i % K]] = table[i];
  return moved;
}

/** Where each tap comes if the axes of the kernel are walked in another order, its last one fastest. */
export function tapsAlong(axes: readonly WindowAxis[], order: readonly number[]): number[] {
  return Array.from({ length: sizeOf(axes, 'kernel') }, (_, tap) => {
    const k = unflattened(tap, axes, 'kernel');
    return order.reduce((at, axis) => at * axes[axis].kernel + k[axis], 0);
  });
}

/** Orders of axes other than their own: the reverse one, the last two exchanged, and the first two. */
export function otherOrders(count: number): number[][] {
  const own = Array.from({ length: count }, (_, axis) => axis);
  const orders = [
    own.toReversed(),
    [...own.slice(0, -2), ...own.slice(-2).reverse()],
    [...own.slice(0, 2).reverse(), ...own.slice(2)],
  ];
  return orders.filter((order, i) => count > 1 && orders.findIndex((other) => other.join() === order.join()) === i);
}

/** The table with only one entry of each group that is inside, the last or the first; the others count as outside. */
export function withOneOf(
  table: Int32Array,
  which: 'first' | 'last',
  groupOf: (place: number, at: number) => number,
): Int32Array {
  const kept = new Map<number, number>();
  table.forEach((place, at) => {
    if (place < 0) return;
    const group = groupOf(place, at);
    if (which === 'last' || !kept.has(group)) kept.set(group, at);
  });
  const only = new Int32Array(table.length).fill(-1);
  for (const at of kept.values()) only[at] = table[at];
  return only;
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
