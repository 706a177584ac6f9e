/** Transposed convolution as a convolution: zeros between the elements of x, a full pad, and the kernel flipped. */
import type { Answers } from '../../definition.js';

type Plane = number[][];

interface Given {
  x: Plane[][];
  weight: Plane[][];
  bias: number[] | undefined;
  stride: number[];
  padding: [number, number][];
  dilation: number[];
  groups: number;
  transposed: boolean;
  output_padding: number[];
  dout: Plane[][] | undefined;
}

const zeros = (rows: number, columns: number): Plane =>
  Array.from({ length: rows }, () => new Array<number>(columns).fill(0));

const plus = (a: Plane, b: Plane): Plane => a.map((row, i) => row.map((value, j) => value + b[i][j]));

const flip = (kernel: Plane): Plane => kernel.map((row) => row.toReversed()).toReversed();

const crop = (plane: Plane, rows: number, columns: number): Plane =>
  plane.slice(0, rows).map((row) => row.slice(0, columns));

function insertZeros(plane: Plane, strideH: number, strideW: number): Plane {
  const result = zeros((plane.length - 1) * strideH + 1, (plane[0].length - 1) * strideW + 1);
  for (let i = 0; i < plane.length; i++)
    for (let j = 0; j < plane[0].length; j++) result[i * strideH][j * strideW] = plane[i][j];
  return result;
}

/** Correlates a plane, as if it were padded, with a kernel. A negative pad cuts the plane. */
function correlate(plane: Plane, kernel: Plane, padding: number[][], stride: number[], dilation: number[]): Plane {
  const [[top, bottom], [left, right]] = padding;
  const [KH, KW] = [kernel.length, kernel[0].length];
  const rows = Math.floor((plane.length + top + bottom - dilation[0] * (KH - 1) - 1) / stride[0]) + 1;
  const columns = Math.floor((plane[0].length + left + right - dilation[1] * (KW - 1) - 1) / stride[1]) + 1;
  const result = zeros(rows, columns);
  for (let i = 0; i < rows; i++)
    for (let j = 0; j < columns; j++)
      for (let u = 0; u < KH; u++)
        for (let v = 0; v < KW; v++) {
          const row = i * stride[0] + u * dilation[0] - top;
          const column = j * stride[1] + v * dilation[1] - left;
          if (row < 0 || row >= plane.length || column < 0 || column >= plane[0].length) continue;
          result[i][j] += plane[row][column] * kernel[u][v];
        }
  return result;
}

export default function convolution(given: Given): Answers {
  const { x, weight, bias, stride, padding, dilation, groups, output_padding, dout } = given;
  if (!given.transposed) throw new Error('unsupported: not transposed');
  if (stride.length !== 2) throw new Error('unsupported: other than two spatial axes');

  const C = x[0].length;
  const [H, W] = [x[0][0].length, x[0][0][0].length];
  const filters = weight[0].length;
  const [KH, KW] = [weight[0][0].length, weight[0][0][0].length];
  const O = filters * groups;
  const perGroup = C / groups;
  const fullPadding = [KH, KW].map((K, axis) => {
    const reach = dilation[axis] * (K - 1);
    return [reach - padding[axis][0], reach - padding[axis][1] + output_padding[axis]];
  });

  const out = x.map((image) => {
    const spread = image.map((plane) => insertZeros(plane, stride[0], stride[1]));
    return Array.from({ length: O }, (_, o) => {
      const group = Math.floor(o / filters);
      let sum: Plane | undefined;
      for (let c = group * perGroup; c < (group + 1) * perGroup; c++) {
        const part = correlate(spread[c], flip(weight[c][o % filters]), fullPadding, [1, 1], dilation);
        sum = sum ? plus(sum, part) : part;
      }
      return (sum ?? []).map((row) => row.map((value) => value + (bias ? bias[o] : 0)));
    });
  });
  if (!dout) return { out };

  // Backward is an ordinary convolution. Output padding may leave room for one window more than x has elements.
  const dx = dout.map((gradients) =>
    weight.map((kernels, c) => {
      const group = Math.floor(c / perGroup);
      return kernels
        .map((kernel, f) => correlate(gradients[group * filters + f], kernel, padding, stride, dilation))
        .map((plane) => crop(plane, H, W))
        .reduce(plus);
    }),
  );
  const dweight = weight.map((kernels, c) =>
    kernels.map((_, f) => {
      const o = Math.floor(c / perGroup) * filters + f;
      return x
        .map((image, n) => correlate(dout[n][o], image[c], padding, dilation, stride))
        .map((plane) => crop(plane, KH, KW))
        .reduce(plus);
    }),
  );
  const dbias = Array.from({ length: O }, (_, o) =>
    dout.reduce((total, gradients) => total + gradients[o].flat().reduce((sum, value) => sum + value, 0), 0),
  );
  return { out, dx, dweight, ...(bias ? { dbias } : {}) };
}
