import { product, type WindowAxis } from '../../tensor/windows.js';
import type { Kernels } from '../kernels.js';

/** Along one axis, the taps of window o that lie inside the input: first[o], first[o] + step, … below end[o]. */
interface Taps {
  readonly first: Int32Array;
  readonly end: Int32Array;
  readonly step: number;
}

function tapsOf(axis: WindowAxis): Taps {
  const first = new Int32Array(axis.output);
  const end = new Int32Array(axis.output);
  for (let o = 0; o < axis.output; o++) {
    const start = o * axis.stride - axis.before;
    first[o] = start >= 0 ? start : start + Math.ceil(-start / axis.dilation) * axis.dilation;
    end[o] = Math.min(axis.input, start + (axis.kernel - 1) * axis.dilation + 1);
  }
  return { first, end, step: axis.dilation };
}

export const maxPool: Kernels['maxPool'] = (x, planes, axes, out, indices) => {
  const plane = product(axes, 'input');
  const [, { input: H }, { input: W }] = axes;
  const [d, h, w] = axes.map(tapsOf);
  for (let p = 0, o = 0; p < planes; p++)
    for (let od = 0; od < d.first.length; od++)
      for (let oh = 0; oh < h.first.length; oh++)
        for (let ow = 0; ow < w.first.length; ow++, o++) {
          let max = -Infinity;
          let at = -1;
          for (let id = d.first[od]; id < d.end[od]; id += d.step)
            for (let ih = h.first[oh]; ih < h.end[oh]; ih += h.step)
              for (let iw = w.first[ow]; iw < w.end[ow]; iw += w.step) {
                const index = (id * H + ih) * W + iw;
                const value = x[p * plane + index];
                if (value > max || at < 0 || Number.isNaN(value)) {
                  max = value;
                  at = index;
                }
              }
          out[o] = max;
          indices[o] = at;
        }
};

export const maxPoolBackward: Kernels['maxPoolBackward'] = (dout, planes, axes, indices, dx) => {
  const plane = product(axes, 'input');
  const P = product(axes, 'output');
  dx.fill(0);
  for (let p = 0, o = 0; p < planes; p++) for (let i = 0; i < P; i++, o++) dx[p * plane + indices[o]] += dout[o];
};

export const averagePool: Kernels['averagePool'] = (x, planes, axes, counts, out) => {
  const plane = product(axes, 'input');
  const [, { input: H }, { input: W }] = axes;
  const [d, h, w] = axes.map(tapsOf);
  for (let p = 0, o = 0; p < planes; p++)
    for (let od = 0; od < d.first.length; od++)
      for (let oh = 0; oh < h.first.length; oh++)
        for (let ow = 0; ow < w.first.length; ow++, o++) {
          let sum = 0;
          for (let id = d.first[od]; id < d.end[od]; id += d.step)
            for (let ih = h.first[oh]; ih < h.end[oh]; ih += h.step)
              for (let iw = w.first[ow]; iw < w.end[ow]; iw += w.step) sum += x[p * plane + (id * H + ih) * W + iw];
          out[o] = sum / (counts[0][od] * counts[1][oh] * counts[2][ow]);
        }
};

export const averagePoolBackward: Kernels['averagePoolBackward'] = (dout, planes, axes, counts, dx) => {
  const plane = product(axes, 'input');
  const [, { input: H }, { input: W }] = axes;
  const [d, h, w] = axes.map(tapsOf);
  dx.fill(0);
  for (let p = 0, o = 0; p < planes; p++)
    for (let od = 0; od < d.first.length; od++)
      for (let oh = 0; oh < h.first.length; oh++)
        for (let ow = 0; ow < w.first.length; ow++, o++) {
          const share = dout[o] / (counts[0][od] * counts[1][oh] * counts[2][ow]);
          for (let id = d.first[od]; id < d.end[od]; id += d.step)
            for (let ih = h.first[oh]; ih < h.end[oh]; ih += h.step)
              for (let iw = w.first[ow]; iw < w.end[ow]; iw += w.step) dx[p * plane + (id * H + ih) * W + iw] += share;
        }
};
