/** Convolution by planes: dx is the full correlation of the spread-out dout with the flipped kernel. */
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
  dout: Plane[][] | undefined;
}

function zeros(rows: number, columns: number): Plane {
  return Array.from({ length: rows }, () => new Array<number>(columns).fill(0));
}

function addInto(sum: Plane, plane: Plane): void {
  sum.forEach((row, i) => {
    row.forEach((_, j) => (row[j] += plane[i][j]));
  });
}

/** Adds zeros on the four sides; a negative number of them cuts the side off. */
function pad(plane: Plane, top: number, bottom: number, left: number, right: number): Plane {
  const padded = zeros(plane.length + top + bottom, plane[0].length + left + right);
  for (let i = 0; i < padded.length; i++)
    for (let j = 0; j < padded[0].length; j++) {
      const row = i - top;
      const column = j - left;
      const isInside = row >= 0 && row < plane.length && column >= 0 && column < plane[0].length;
      if (isInside) padded[i][j] = plane[row][column];
    }
  return padded;
}

/** Puts stride − 1 zeros between neighbours. */
function spread(plane: Plane, strideH: number, strideW: number): Plane {
  const wide = zeros((plane.length - 1) * strideH + 1, (plane[0].length - 1) * strideW + 1);
  plane.forEach((row, i) => {
    row.forEach((value, j) => (wide[i * strideH][j * strideW] = value));
  });
  return wide;
}

function flip(kernel: Plane): Plane {
  return kernel.map((row) => [...row].reverse()).reverse();
}

/** Valid cross-correlation of one plane with one kernel. */
function correlate(plane: Plane, kernel: Plane, [strideH, strideW]: number[], [dilationH, dilationW]: number[]): Plane {
  const rows = Math.floor((plane.length - dilationH * (kernel.length - 1) - 1) / strideH) + 1;
  const columns = Math.floor((plane[0].length - dilationW * (kernel[0].length - 1) - 1) / strideW) + 1;
  const result = zeros(rows, columns);
  for (let i = 0; i < rows; i++)
    for (let j = 0; j < columns; j++)
      for (let u = 0; u < kernel.length; u++)
        for (let v = 0; v < kernel[0].length; v++)
          result[i][j] += kernel[u][v] * plane[i * strideH + u * dilationH][j * strideW + v * dilationW];
  return result;
}

export default function convolution(given: Given): Answers {
  const { x, weight, bias, stride, padding, dilation, groups, dout } = given;
  if (given.transposed) throw new Error('unsupported: transposed');
  if (stride.length !== 2) throw new Error('unsupported: other than two spatial axes');

  const [N, O] = [x.length, weight.length];
  const [height, width] = [x[0][0].length, x[0][0][0].length];
  const channels = weight[0].length;
  const [KH, KW] = [weight[0][0].length, weight[0][0][0].length];
  const [[top, bottom], [left, right]] = padding;
  const groupOf = (o: number) => Math.floor((o * groups) / O);
  const padded = x.map((image) => image.map((plane) => pad(plane, top, bottom, left, right)));

  const out = padded.map((image) =>
    weight.map((filter, o) => {
      const planes = filter.map((kernel, c) => correlate(image[groupOf(o) * channels + c], kernel, stride, dilation));
      const sum = zeros(planes[0].length, planes[0][0].length);
      for (const plane of planes) addInto(sum, plane);
      return bias ? sum.map((row) => row.map((value) => value + bias[o])) : sum;
    }),
  );
  if (!dout) return { out };

  const dx = x.map((image) => image.map(() => zeros(height, width)));
  const dweight = weight.map((filter) => filter.map(() => zeros(KH, KW)));
  const dbias = new Array<number>(O).fill(0);
  const reachH = dilation[0] * (KH - 1);
  const reachW = dilation[1] * (KW - 1);
  for (let n = 0; n < N; n++) {
    for (let o = 0; o < O; o++) {
      dbias[o] += dout[n][o].flat().reduce((sum, value) => sum + value, 0);
      const wide = spread(dout[n][o], stride[0], stride[1]);
      // As much after the end as it takes to get back to the size of x.
      const below = height - wide.length + top;
      const beyond = width - wide[0].length + left;
      const full = pad(wide, reachH - top, below, reachW - left, beyond);
      for (let c = 0; c < channels; c++) {
        const source = groupOf(o) * channels + c;
        addInto(dx[n][source], correlate(full, flip(weight[o][c]), [1, 1], dilation));
        // Stride and dilation change places. What the last window did not reach is ignored.
        addInto(dweight[o][c], correlate(padded[n][source], dout[n][o], dilation, stride));
      }
    }
  }
  return { out, dx, dweight, ...(bias ? { dbias } : {}) };
}
