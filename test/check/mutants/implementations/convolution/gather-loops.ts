/** Convolution in nested loops. Each output gathers its taps, and backward scatters over the same taps. */
import type { Answers } from '../../definition.js';

type Images = number[][][][];

interface Given {
  x: Images;
  weight: Images;
  bias: number[] | undefined;
  stride: number[];
  padding: [number, number][];
  dilation: number[];
  groups: number;
  transposed: boolean;
  dout: Images | undefined;
}

function zeros(a: number, b: number, c: number, d: number): Images {
  const row = () => Array.from({ length: d }, () => 0);
  const plane = () => Array.from({ length: c }, row);
  return Array.from({ length: a }, () => Array.from({ length: b }, plane));
}

export default function convolution(given: Given): Answers {
  const { x, weight, bias, stride, padding, dilation, groups, transposed, dout } = given;
  if (transposed) throw new Error('unsupported: transposed');
  if (stride.length !== 2) throw new Error('unsupported: other than two spatial axes');

  const N = x.length;
  const C = x[0].length;
  const height = x[0][0].length;
  const width = x[0][0][0].length;
  const O = weight.length;
  const channels = weight[0].length;
  const KH = weight[0][0].length;
  const KW = weight[0][0][0].length;
  const [strideH, strideW] = stride;
  const [dilationH, dilationW] = dilation;
  const [[top, bottom], [left, right]] = padding;
  const outH = Math.floor((height + top + bottom - dilationH * (KH - 1) - 1) / strideH) + 1;
  const outW = Math.floor((width + left + right - dilationW * (KW - 1) - 1) / strideW) + 1;
  const filters = O / groups;

  const out = zeros(N, O, outH, outW);
  for (let n = 0; n < N; n++) {
    for (let o = 0; o < O; o++) {
      const first = Math.floor(o / filters) * channels;
      for (let i = 0; i < outH; i++) {
        for (let j = 0; j < outW; j++) {
          let sum = bias ? bias[o] : 0;
          for (let c = 0; c < channels; c++) {
            for (let kh = 0; kh < KH; kh++) {
              for (let kw = 0; kw < KW; kw++) {
                const row = i * strideH - top + kh * dilationH;
                const col = j * strideW - left + kw * dilationW;
                if (row < 0 || row >= height || col < 0 || col >= width) continue;
                sum += x[n][first + c][row][col] * weight[o][c][kh][kw];
              }
            }
          }
          out[n][o][i][j] = sum;
        }
      }
    }
  }
  if (!dout) return { out };

  const dx = zeros(N, C, height, width);
  const dweight = zeros(O, channels, KH, KW);
  const dbias = Array.from({ length: O }, () => 0);
  for (let n = 0; n < N; n++) {
    for (let o = 0; o < O; o++) {
      const first = Math.floor(o / filters) * channels;
      for (let i = 0; i < outH; i++) {
        for (let j = 0; j < outW; j++) {
          const d = dout[n][o][i][j];
          dbias[o] += d;
          for (let c = 0; c < channels; c++) {
            for (let kh = 0; kh < KH; kh++) {
              for (let kw = 0; kw < KW; kw++) {
                const row = i * strideH - top + kh * dilationH;
                const col = j * strideW - left + kw * dilationW;
                if (row < 0 || row >= height || col < 0 || col >= width) continue;
                dx[n][first + c][row][col] += d * weight[o][c][kh][kw];
                dweight[o][c][kh][kw] += d * x[n][first + c][row][col];
              }
            }
          }
        }
      }
    }
  }
  return bias ? { out, dx, dweight, dbias } : { out, dx, dweight };
}
