/** Convolution over a padded copy of each image: a window is cut out and multiplied by the kernel elementwise. */
import type { Answers } from '../../definition.js';

type Volume = number[][][];

interface Given {
  x: Volume[];
  weight: Volume[];
  bias: number[] | undefined;
  stride: number[];
  padding: [number, number][];
  dilation: number[];
  groups: number;
  transposed: boolean;
  dout: Volume[] | undefined;
}

const zeros = (a: number, b: number, c: number): Volume =>
  Array.from({ length: a }, () => Array.from({ length: b }, () => new Array<number>(c).fill(0)));

const zerosLike = (volume: Volume) => zeros(volume.length, volume[0].length, volume[0][0].length);

export default function convolution(given: Given): Answers {
  const { x, weight, bias, stride, padding, dilation, groups, dout } = given;
  if (given.transposed) throw new Error('unsupported: transposed');
  if (stride.length !== 2) throw new Error('unsupported: other than two spatial axes');

  const [C, H, W] = [x[0].length, x[0][0].length, x[0][0][0].length];
  const F = weight.length;
  const [CG, HH, WW] = [weight[0].length, weight[0][0].length, weight[0][0][0].length];
  const [[top, bottom], [left, right]] = padding;
  const paddedH = H + top + bottom;
  const paddedW = W + left + right;
  const spanH = (HH - 1) * dilation[0] + 1;
  const spanW = (WW - 1) * dilation[1] + 1;
  const outH = 1 + Math.floor((paddedH - spanH) / stride[0]);
  const outW = 1 + Math.floor((paddedW - spanW) / stride[1]);

  function pad(image: Volume): Volume {
    const padded = zeros(C, paddedH, paddedW);
    for (let c = 0; c < C; c++)
      for (let i = 0; i < H; i++) for (let j = 0; j < W; j++) padded[c][i + top][j + left] = image[c][i][j];
    return padded;
  }

  /** The part of a padded image that filter f sees at output position (i, j). */
  function windowAt(padded: Volume, f: number, i: number, j: number): Volume {
    const group = Math.floor(f / (F / groups));
    const window = zeros(CG, HH, WW);
    for (let c = 0; c < CG; c++)
      for (let u = 0; u < HH; u++)
        for (let v = 0; v < WW; v++)
          window[c][u][v] = padded[group * CG + c][i * stride[0] + u * dilation[0]][j * stride[1] + v * dilation[1]];
    return window;
  }

  function sumOfProducts(a: Volume, b: Volume): number {
    let sum = 0;
    a.forEach((plane, c) => {
      plane.forEach((row, u) => {
        row.forEach((value, v) => (sum += value * b[c][u][v]));
      });
    });
    return sum;
  }

  const padded = x.map(pad);
  const out = padded.map((image) => {
    const result = zeros(F, outH, outW);
    for (let f = 0; f < F; f++)
      for (let i = 0; i < outH; i++)
        for (let j = 0; j < outW; j++)
          result[f][i][j] = sumOfProducts(windowAt(image, f, i, j), weight[f]) + (bias ? bias[f] : 0);
    return result;
  });
  if (!dout) return { out };

  const dweight = weight.map(zerosLike);
  const dbias = new Array<number>(F).fill(0);
  const dx = padded.map((image, n) => {
    const dpadded = zerosLike(image);
    for (let f = 0; f < F; f++) {
      const group = Math.floor(f / (F / groups));
      for (let i = 0; i < outH; i++) {
        for (let j = 0; j < outW; j++) {
          const upstream = dout[n][f][i][j];
          const window = windowAt(image, f, i, j);
          dbias[f] += upstream;
          for (let c = 0; c < CG; c++) {
            for (let u = 0; u < HH; u++) {
              for (let v = 0; v < WW; v++) {
                const row = i * stride[0] + u * dilation[0];
                const column = j * stride[1] + v * dilation[1];
                dweight[f][c][u][v] += window[c][u][v] * upstream;
                dpadded[group * CG + c][row][column] += weight[f][c][u][v] * upstream;
              }
            }
          }
        }
      }
    }
    // The gradient of the padding is cut off.
    return dpadded.map((plane) => plane.slice(top, top + H).map((row) => row.slice(left, left + W)));
  });
  return { out, dx, dweight, ...(bias ? { dbias } : {}) };
}
