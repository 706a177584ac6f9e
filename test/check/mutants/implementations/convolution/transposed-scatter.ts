/** Transposed convolution: each element of x adds a scaled kernel to the output. A signal is an image of one row. */
import type { Answers, Nested } from '../../definition.js';

type Images = number[][][][];

interface Given {
  x: Nested;
  weight: Nested;
  bias: number[] | undefined;
  stride: number[];
  padding: [number, number][];
  dilation: number[];
  groups: number;
  transposed: boolean;
  output_padding: number[];
  dout: Nested | undefined;
}

function zeros(a: number, b: number, c: number, d: number): Images {
  return Array.from({ length: a }, () =>
    Array.from({ length: b }, () => Array.from({ length: c }, () => Array.from({ length: d }, () => 0))),
  );
}

export default function convolution(given: Given): Answers {
  const { bias, groups } = given;
  if (!given.transposed) throw new Error('unsupported: not transposed');
  const axes = given.stride.length;
  if (axes > 2) throw new Error('unsupported: three spatial axes');

  const lift = (tensor: Nested): Images =>
    axes === 2 ? (tensor as Images) : (tensor as number[][][]).map((rows) => rows.map((row) => [row]));
  const drop = (images: Images): Nested => (axes === 2 ? images : images.map((planes) => planes.map(([row]) => row)));
  const [strideH, strideW] = axes === 2 ? given.stride : [1, given.stride[0]];
  const [dilationH, dilationW] = axes === 2 ? given.dilation : [1, given.dilation[0]];
  const [[top, bottom], [left, right]] = axes === 2 ? given.padding : [[0, 0], given.padding[0]];
  const [extraH, extraW] = axes === 2 ? given.output_padding : [0, given.output_padding[0]];
  const x = lift(given.x);
  const weight = lift(given.weight);

  const [N, C, H, W] = [x.length, x[0].length, x[0][0].length, x[0][0][0].length];
  const filters = weight[0].length;
  const [KH, KW] = [weight[0][0].length, weight[0][0][0].length];
  const O = filters * groups;
  const outH = (H - 1) * strideH - top - bottom + dilationH * (KH - 1) + extraH + 1;
  const outW = (W - 1) * strideW - left - right + dilationW * (KW - 1) + extraW + 1;

  const out = zeros(N, O, outH, outW);
  const dx = zeros(N, C, H, W);
  const dweight = zeros(C, filters, KH, KW);
  const dbias = new Array<number>(O).fill(0);
  const dout = given.dout === undefined ? undefined : lift(given.dout);

  for (let n = 0; n < N; n++) {
    for (let c = 0; c < C; c++) {
      const group = Math.floor(c / (C / groups));
      for (let f = 0; f < filters; f++) {
        const o = group * filters + f;
        for (let i = 0; i < H; i++) {
          for (let j = 0; j < W; j++) {
            for (let u = 0; u < KH; u++) {
              for (let v = 0; v < KW; v++) {
                const row = i * strideH + u * dilationH - top;
                const column = j * strideW + v * dilationW - left;
                if (row < 0 || row >= outH || column < 0 || column >= outW) continue;
                out[n][o][row][column] += x[n][c][i][j] * weight[c][f][u][v];
                if (!dout) continue;
                dx[n][c][i][j] += dout[n][o][row][column] * weight[c][f][u][v];
                dweight[c][f][u][v] += dout[n][o][row][column] * x[n][c][i][j];
              }
            }
          }
        }
      }
    }
    for (let o = 0; o < O; o++) {
      for (let i = 0; i < outH; i++) {
        for (let j = 0; j < outW; j++) {
          if (bias) out[n][o][i][j] += bias[o];
          if (dout) dbias[o] += dout[n][o][i][j];
        }
      }
    }
  }
  if (!dout) return { out: drop(out) };
  return { out: drop(out), dx: drop(dx), dweight: drop(dweight), ...(bias ? { dbias } : {}) };
}
