import { product, type WindowAxes, type WindowAxis } from '../../tensor/windows.js';

/**
 * For tap `k`, the output positions [first, end) whose tap lies inside the input: solves
 * 0 <= o * stride - before + k * dilation < input for o, so that the inner loops need no test.
 */
function inside(axis: WindowAxis, k: number): readonly [first: number, end: number] {
  const offset = k * axis.dilation - axis.before;
  const first = Math.max(0, Math.ceil(-offset / axis.stride));
  const end = Math.min(axis.output, Math.floor((axis.input - 1 - offset) / axis.stride) + 1);
  return [first, Math.max(first, end)];
}

/** Adjacent windows along the last axis for which a given tap of a given channel lies inside the input. */
export interface Run {
  /** Indices of the tap in `[A, K]`, of the first window in its plane, and of that window's tap in `[A, …input]`. */
  readonly tap: number;
  readonly window: number;
  readonly place: number;
  readonly count: number;
}

/** Calls `visit` for each run of A channels. No run has taps in the padding, so nothing is multiplied by them. */
export function eachRun([d, h, w]: WindowAxes, A: number, visit: (run: Run) => void): void {
  const plane = product([d, h, w], 'input');
  let tap = 0;
  for (let a = 0; a < A; a++)
    for (let kd = 0; kd < d.kernel; kd++)
      for (let kh = 0; kh < h.kernel; kh++)
        for (let kw = 0; kw < w.kernel; kw++, tap++) {
          const [d0, d1] = inside(d, kd);
          const [h0, h1] = inside(h, kh);
          const [w0, w1] = inside(w, kw);
          for (let od = d0; od < d1; od++) {
            const id = od * d.stride - d.before + kd * d.dilation;
            for (let oh = h0; oh < h1; oh++) {
              const ih = oh * h.stride - h.before + kh * h.dilation;
              const iw = w0 * w.stride - w.before + kw * w.dilation;
              visit({
                tap,
                window: (od * h.output + oh) * w.output + w0,
                place: a * plane + (id * h.input + ih) * w.input + iw,
                count: w1 - w0,
              });
            }
          }
        }
}
