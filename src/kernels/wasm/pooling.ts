import { product, type WindowAxes, type WindowAxis } from '../../tensor/windows.js';
import type { AxisCounts, Kernels } from '../kernels.js';
import type { Memory } from './memory.js';

/** Bytes of planes per piece, which stay in the second-level cache together with their results. */
const PIECE_BYTES = 2 ** 17;

/** The windows [first, end) along an axis whose taps all lie in the input. */
function within({ input, kernel, stride, dilation, before, output }: WindowAxis): [first: number, end: number] {
  const first = Math.min(output, Math.ceil(before / stride));
  const end = Math.min(output, Math.floor((input - 1 - (kernel - 1) * dilation + before) / stride) + 1);
  return [first, Math.max(first, end)];
}

/** Writes the axes in the layout of `PoolAxis` in assembly/pooling.ts. */
function putAxes(memory: Memory, axes: WindowAxes, counts?: AxisCounts): number {
  const fields = axes.flatMap((axis, i) => {
    const { input, kernel, stride, dilation, before, output } = axis;
    return [input, kernel, stride, dilation, before, output, ...within(axis), memory.putIfGiven(counts?.[i])];
  });
  return memory.put(Int32Array.from(fields));
}

/** Calls `visit` for planes [start, end), as many at a time as a piece holds. */
function eachPiece(planes: number, planeBytes: number, visit: (start: number, end: number) => void): void {
  const step = atOnce(planes, planeBytes);
  for (let start = 0; start < planes; start += step) visit(start, Math.min(planes, start + step));
}

function atOnce(planes: number, planeBytes: number): number {
  return Math.min(planes, Math.max(1, Math.floor(PIECE_BYTES / planeBytes)));
}

/** Sets the stride of a single window to 1: it does not slide, so any stride has the same result. */
function sliding([d, h, w]: WindowAxes): WindowAxes {
  const of = (axis: WindowAxis): WindowAxis => (axis.output === 1 ? { ...axis, stride: 1 } : axis);
  return [of(d), of(h), of(w)];
}

/**
 * Bytes past a piece of x, or of out, that the last vector of its last row of windows may touch. Two windows within the
 * input are at most its length apart; a single one is computed without vectors.
 */
function overhang([, , axis]: WindowAxes): number {
  const [first, end] = within(axis);
  return 64 * (end - first < 2 ? 1 : axis.stride + 1);
}

type PoolingKernels = Pick<Kernels, 'maxPool' | 'maxPoolBackward' | 'averagePool' | 'averagePoolBackward'>;

export function poolingIn(memory: Memory): PoolingKernels {
  return {
    maxPool(x, planes, given, out, indices) {
      const axes = sliding(given);
      const [D, P] = [product(axes, 'input'), product(axes, 'output')];
      const planeBytes = D * x.BYTES_PER_ELEMENT;
      const most = atOnce(planes, planeBytes);
      memory.scope(() => {
        const geometry = putAxes(memory, axes);
        const behind = overhang(axes);
        const from = memory.take(most * planeBytes + behind);
        const to = memory.take(most * P * x.BYTES_PER_ELEMENT + behind);
        const where = memory.take(most * P * 4 + behind);
        eachPiece(planes, planeBytes, (start, end) => {
          memory.write(from, x.subarray(start * D, end * D));
          memory.of(x).maxPool(geometry, end - start, from, to, where);
          memory.read(to, out.subarray(start * P, end * P));
          memory.read(where, indices.subarray(start * P, end * P));
        });
      });
    },

    maxPoolBackward(dout, planes, axes, indices, dx) {
      const [D, P] = [product(axes, 'input'), product(axes, 'output')];
      const planeBytes = D * dx.BYTES_PER_ELEMENT;
      const most = atOnce(planes, planeBytes);
      memory.scope(() => {
        const [from, where] = [memory.take(most * P * dx.BYTES_PER_ELEMENT), memory.take(most * P * 4)];
        const to = memory.take(most * planeBytes);
        eachPiece(planes, planeBytes, (start, end) => {
          memory.write(from, dout.subarray(start * P, end * P));
          memory.write(where, indices.subarray(start * P, end * P));
          memory.clear(to, (end - start) * planeBytes);
          memory.of(dx).maxPoolBackward(end - start, P, D, where, from, to);
          memory.read(to, dx.subarray(start * D, end * D));
        });
      });
    },

    averagePool(x, planes, given, counts, out) {
      const axes = sliding(given);
      const [D, P] = [product(axes, 'input'), product(axes, 'output')];
      const planeBytes = D * x.BYTES_PER_ELEMENT;
      const most = atOnce(planes, planeBytes);
      memory.scope(() => {
        const geometry = putAxes(memory, axes, counts);
        const behind = overhang(axes);
        const from = memory.take(most * planeBytes + behind);
        const to = memory.take(most * P * x.BYTES_PER_ELEMENT + behind);
        eachPiece(planes, planeBytes, (start, end) => {
          memory.write(from, x.subarray(start * D, end * D));
          memory.of(x).averagePool(geometry, end - start, from, to);
          memory.read(to, out.subarray(start * P, end * P));
        });
      });
    },

    averagePoolBackward(dout, planes, given, counts, dx) {
      const axes = sliding(given);
      const [D, P] = [product(axes, 'input'), product(axes, 'output')];
      const planeBytes = D * dx.BYTES_PER_ELEMENT;
      const most = atOnce(planes, planeBytes);
      memory.scope(() => {
        const geometry = putAxes(memory, axes, counts);
        const [from, to] = [memory.take(most * P * dx.BYTES_PER_ELEMENT), memory.take(most * planeBytes)];
        eachPiece(planes, planeBytes, (start, end) => {
          memory.write(from, dout.subarray(start * P, end * P));
          memory.clear(to, (end - start) * planeBytes);
          memory.of(dx).averagePoolBackward(geometry, end - start, from, to);
          memory.read(to, dx.subarray(start * D, end * D));
        });
      });
    },
  };
}
