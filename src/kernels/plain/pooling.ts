import { product, type WindowAxis } from '../../tensor/windows.js';
import type { Kernels } from '../kernels.js';

/** The taps of one window along one axis that lie inside the input: first, first + step, … below end. */
interface Taps {
  readonly first: number;
  readonly end: number;
  readonly step: number;
}

function tapsOf(axis: WindowAxis): Taps[] {
  return Array.from({ length: axis.output }, (_, o) => {
    const start = o * axis.stride - axis.before;
    const first = start >= 0 ? start : start + Math.ceil(-start / axis.dilation) * axis.dilation;
    const end = Math.min(axis.input, start + (axis.kernel - 1) * axis.dilation + 1);
    return { first, end, step: axis.dilation };
  });
}

export const maxPool: Kernels['maxPool'] = (x, planes, axes, out, indices) => {
  const plane = product(axes, 'input');
  const [, { input: H }, { input: W }] = axes;
  const [depth, height, width] = axes.map(tapsOf);
  for (let p = 0, o = 0; p < planes; p++)
    for (const d of depth)
      for (const h of height)
        for (const w of width) {
          let max = -Infinity;
          let at = -1;
          for (let id = d.first; id < d.end; id += d.step)
            for (let ih = h.first; ih < h.end; ih += h.step)
              for (let iw = w.first; iw < w.end; iw += w.step) {
                const index = (id * H + ih) * W + iw;
                const value = x[p * plane + index];
                if (value > max || at < 0 || (Number.isNaN(value) && !Number.isNaN(max))) {
                  max = value;
                  at = index;
                }
              }
          out[o] = max;
          indices[o++] = at;
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
  const [depth, height, width] = axes.map(tapsOf);
  for (let p = 0, o = 0; p < planes; p++)
    for (let od = 0; od < depth.length; od++)
      for (let oh = 0; oh < height.length; oh++)
        for (let ow = 0; ow < width.length; ow++, o++) {
          const [d, h, w] = [depth[od], height[oh], width[ow]];
          let sum = 0;
          for (let id = d.first; id < d.end; id += d.step)
            for (let ih = h.first; ih < h.end; ih += h.step)
              for (let iw = w.first; iw < w.end; iw += w.step) sum += x[p * plane + (id * H + ih) * W + iw];
          out[o] = sum / (counts[0][od] * counts[1][oh] * counts[2][ow]);
        }
};

export const averagePoolBackward: Kernels['averagePoolBackward'] = (dout, planes, axes, counts, dx) => {
  const plane = product(axes, 'input');
  const [, { input: H }, { input: W }] = axes;
  const [depth, height, width] = axes.map(tapsOf);
  dx.fill(0);
  for (let p = 0, o = 0; p < planes; p++)
    for (let od = 0; od < depth.length; od++)
      for (let oh = 0; oh < height.length; oh++)
        for (let ow = 0; ow < width.length; ow++, o++) {
          const [d, h, w] = [depth[od], height[oh], width[ow]];
          const share = dout[o] / (counts[0][od] * counts[1][oh] * counts[2][ow]);
          for (let id = d.first; id < d.end; id += d.step)
            for (let ih = h.first; ih < h.end; ih += h.step)
              for (let iw = w.first; iw < w.end; iw += w.step) dx[p * plane + (id * H + ih) * W + iw] += share;
        }
};
