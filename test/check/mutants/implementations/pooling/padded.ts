/** Pooling over images: the image is padded first, windows are read from the padded one, and dx is cropped at the end. */
import type { Answers } from '../../definition.js';

type Image = number[][];

interface Given {
  x: Image[][];
  mode: 'max' | 'average';
  kernel_size?: number[] | undefined;
  stride: number[];
  padding: [number, number][];
  dilation: number[];
  ceil_mode: boolean;
  count_include_pad: boolean;
  global: boolean;
  return_indices: boolean;
  dout?: Image[][] | undefined;
}

function full(rows: number, columns: number, value: number): Image {
  return Array.from({ length: rows }, () => Array<number>(columns).fill(value));
}

/** Copies an image into a larger one. */
function paste(image: Image, into: Image, top: number, left: number): Image {
  image.forEach((row, i) => {
    row.forEach((value, j) => {
      into[top + i][left + j] = value;
    });
  });
  return into;
}

export default function pooling(given: Given): Answers {
  const { x, mode, ceil_mode, count_include_pad, return_indices, dout } = given;
  if (given.global) throw new Error('unsupported: global');
  if (!Array.isArray(x[0][0][0]) || Array.isArray(x[0][0][0][0])) throw new Error('unsupported: not two spatial axes');
  const [H, W] = [x[0][0].length, x[0][0][0].length];
  const [KH, KW] = given.kernel_size ?? [1, 1];
  const [SH, SW] = given.stride;
  const [DH, DW] = given.dilation;
  const [[top, bottom], [left, right]] = given.padding;
  const spanH = DH * (KH - 1) + 1;
  const spanW = DW * (KW - 1) + 1;
  const round = ceil_mode ? Math.ceil : Math.floor;
  let OH = round((H + top + bottom - spanH) / SH) + 1;
  let OW = round((W + left + right - spanW) / SW) + 1;
  if (ceil_mode && (OH - 1) * SH >= H + top) OH--;
  if (ceil_mode && (OW - 1) * SW >= W + left) OW--;
  // Room for a last window that extends past the padding.
  const rows = Math.max(H + top + bottom, (OH - 1) * SH + spanH);
  const columns = Math.max(W + left + right, (OW - 1) * SW + spanW);

  // 1 where an element counts for the average.
  const counted = count_include_pad
    ? paste(full(H + top + bottom, W + left + right, 1), full(rows, columns, 0), 0, 0)
    : paste(full(H, W, 1), full(rows, columns, 0), top, left);

  function forwardAndBackward(image: Image, upstream: Image | undefined) {
    const padded = paste(image, full(rows, columns, mode === 'max' ? -Infinity : 0), top, left);
    const dpadded = full(rows, columns, 0);
    const out = full(OH, OW, 0);
    const indices = full(OH, OW, 0);
    for (let i = 0; i < OH; i++) {
      for (let j = 0; j < OW; j++) {
        const [y, z] = [i * SH, j * SW];
        let sum = 0;
        let count = 0;
        let [bestY, bestZ] = [y, z];
        for (let r = y; r < y + spanH; r += DH) {
          for (let s = z; s < z + spanW; s += DW) {
            sum += padded[r][s];
            count += counted[r][s];
            if (padded[r][s] > padded[bestY][bestZ]) [bestY, bestZ] = [r, s];
          }
        }
        out[i][j] = mode === 'max' ? padded[bestY][bestZ] : sum / count;
        indices[i][j] = (bestY - top) * W + (bestZ - left);
        if (!upstream) continue;
        if (mode === 'max') {
          dpadded[bestY][bestZ] += upstream[i][j];
          continue;
        }
        for (let r = y; r < y + spanH; r += DH)
          for (let s = z; s < z + spanW; s += DW) dpadded[r][s] += upstream[i][j] / count;
      }
    }
    const dx = dpadded.slice(top, top + H).map((row) => row.slice(left, left + W));
    return { out, indices, dx };
  }

  const results = x.map((sample, n) => sample.map((image, c) => forwardAndBackward(image, dout?.[n][c])));
  return {
    out: results.map((sample) => sample.map(({ out }) => out)),
    ...(return_indices ? { indices: results.map((sample) => sample.map(({ indices }) => indices)) } : {}),
    ...(dout ? { dx: results.map((sample) => sample.map(({ dx }) => dx)) } : {}),
  };
}
