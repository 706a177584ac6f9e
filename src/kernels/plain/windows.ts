import type { FloatArray } from '../../tensor/tensor.js';
import { product, type WindowAxes, type WindowAxis } from '../../tensor/windows.js';

/**
 * For tap `k`, the output positions [first, end) whose tap lies inside the input: solves
 * 0 <= o * stride - before + k * dilation < input for o, so that the loops below need no test inside.
 */
function inside(axis: WindowAxis, k: number): readonly [first: number, end: number] {
  const offset = k * axis.dilation - axis.before;
  const first = Math.max(0, Math.ceil(-offset / axis.stride));
  const end = Math.min(axis.output, Math.floor((axis.input - 1 - offset) / axis.stride) + 1);
  return [first, Math.max(first, end)];
}

/** Calls `visit` for each run of windows along the last axis whose tap lies inside the input. */
function eachRun(
  axes: WindowAxes,
  planes: number,
  visit: (column: number, x: number, count: number, stride: number) => void,
): void {
  const [d, h, w] = axes;
  const P = product(axes, 'output');
  const plane = product(axes, 'input');
  let row = 0;
  for (let p = 0; p < planes; p++)
    for (let kd = 0; kd < d.kernel; kd++)
      for (let kh = 0; kh < h.kernel; kh++)
        for (let kw = 0; kw < w.kernel; kw++, row++) {
          const [d0, d1] = inside(d, kd);
          const [h0, h1] = inside(h, kh);
          const [w0, w1] = inside(w, kw);
          for (let od = d0; od < d1; od++) {
            const id = od * d.stride - d.before + kd * d.dilation;
            for (let oh = h0; oh < h1; oh++) {
              const ih = oh * h.stride - h.before + kh * h.dilation;
              const iw = w0 * w.stride - w.before + kw * w.dilation;
              const column = row * P + (od * h.output + oh) * w.output + w0;
              visit(column, p * plane + (id * h.input + ih) * w.input + iw, w1 - w0, w.stride);
            }
          }
        }
}

/** `columns[plane, tap, window]` of `x[planes, D, H, W]`; a tap in the padding gives 0. */
export function unfold(x: FloatArray, planes: number, axes: WindowAxes, columns: FloatArray): void {
  columns.fill(0);
  eachRun(axes, planes, (column, start, count, stride) => {
    for (let i = 0; i < count; i++) columns[column + i] = x[start + i * stride];
  });
}

/** The transpose of `unfold`: adds every tap to the place that it came from. `x` is overwritten. */
export function fold(columns: FloatArray, planes: number, axes: WindowAxes, x: FloatArray): void {
  x.fill(0);
  eachRun(axes, planes, (column, start, count, stride) => {
    for (let i = 0; i < count; i++) x[start + i * stride] += columns[column + i];
  });
}
