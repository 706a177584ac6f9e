/** Pooling in nested loops over windows. One or two spatial axes are taken for three, of which the first have size 1. */
import type { Answers, Nested } from '../../definition.js';

interface Given {
  x: Nested;
  mode: 'max' | 'average';
  kernel_size?: number[] | undefined;
  stride: number[];
  padding: [number, number][];
  dilation: number[];
  ceil_mode: boolean;
  count_include_pad: boolean;
  global: boolean;
  return_indices: boolean;
  dout?: Nested | undefined;
}

type Volume = number[][][];

function toVolume(plane: Nested, axes: number): Volume {
  return (axes === 3 ? plane : axes === 2 ? [plane] : [[plane]]) as Volume;
}

function fromVolume(volume: Volume, axes: number): Nested {
  return axes === 3 ? volume : axes === 2 ? volume[0] : volume[0][0];
}

function zeros(D: number, H: number, W: number): Volume {
  return Array.from({ length: D }, () => Array.from({ length: H }, () => Array<number>(W).fill(0)));
}

function outputSize(size: number, kernel: number, stride: number, pad: number[], dilation: number, ceil: boolean) {
  const room = size + pad[0] + pad[1] - dilation * (kernel - 1) - 1;
  if (!ceil) return Math.floor(room / stride) + 1;
  const windows = Math.ceil(room / stride) + 1;
  // A window must not start in the padding after the input.
  return (windows - 1) * stride >= size + pad[0] ? windows - 1 : windows;
}

export default function pooling(given: Given): Answers {
  const { mode, global, ceil_mode, count_include_pad } = given;
  const x = given.x as Nested[][];
  let axes = 0;
  for (let part = x[0][0]; Array.isArray(part); part = part[0]) axes++;
  if (axes < 1 || axes > 3) throw new Error(`unsupported: ${axes} spatial axes`);
  const first = toVolume(x[0][0], axes);
  const [D, H, W] = [first.length, first[0].length, first[0][0].length];

  const lead = Array<number>(3 - axes).fill(1);
  const [KD, KH, KW] = global ? [D, H, W] : [...lead, ...(given.kernel_size ?? [])];
  const [SD, SH, SW] = global ? [D, H, W] : [...lead, ...given.stride];
  const [DD, DH, DW] = global ? [1, 1, 1] : [...lead, ...given.dilation];
  const [PD, PH, PW] = global ? lead.concat(1, 1, 1).map(() => [0, 0]) : [...lead.map(() => [0, 0]), ...given.padding];
  const OD = outputSize(D, KD, SD, PD, DD, ceil_mode);
  const OH = outputSize(H, KH, SH, PH, DH, ceil_mode);
  const OW = outputSize(W, KW, SW, PW, DW, ceil_mode);

  /** Pools one plane; with an upstream gradient, also back. */
  function pool(volume: Volume, dout: Volume | undefined) {
    const out = zeros(OD, OH, OW);
    const indices = zeros(OD, OH, OW);
    const dx = zeros(D, H, W);
    for (let od = 0; od < OD; od++) {
      for (let oh = 0; oh < OH; oh++) {
        for (let ow = 0; ow < OW; ow++) {
          let max = -Infinity;
          let best = [-1, -1, -1];
          let sum = 0;
          let count = 0;
          const inside: number[][] = [];
          for (let kd = 0; kd < KD; kd++) {
            for (let kh = 0; kh < KH; kh++) {
              for (let kw = 0; kw < KW; kw++) {
                const d = od * SD + kd * DD - PD[0];
                const h = oh * SH + kh * DH - PH[0];
                const w = ow * SW + kw * DW - PW[0];
                // The end of a window that extends past the padding does not count.
                if (count_include_pad && d < D + PD[1] && h < H + PH[1] && w < W + PW[1]) count++;
                if (d < 0 || h < 0 || w < 0 || d >= D || h >= H || w >= W) continue;
                if (!count_include_pad) count++;
                const value = volume[d][h][w];
                inside.push([d, h, w]);
                sum += value;
                if (value > max || best[0] < 0 || Number.isNaN(value)) {
                  max = value;
                  best = [d, h, w];
                }
              }
            }
          }
          const [d, h, w] = best;
          out[od][oh][ow] = mode === 'max' ? max : sum / count;
          indices[od][oh][ow] = (d * H + h) * W + w;
          if (!dout) continue;
          if (mode === 'max') dx[d][h][w] += dout[od][oh][ow];
          else for (const [i, j, k] of inside) dx[i][j][k] += dout[od][oh][ow] / count;
        }
      }
    }
    return { out, indices, dx };
  }

  const dout = given.dout as Nested[][] | undefined;
  const pooled = x.map((sample, n) =>
    sample.map((plane, c) => pool(toVolume(plane, axes), dout && toVolume(dout[n][c], axes))),
  );
  const collect = (name: 'out' | 'indices' | 'dx') =>
    pooled.map((sample) => sample.map((plane) => fromVolume(plane[name], axes)));
  const answers: Record<string, Nested> = { out: collect('out') };
  if (given.return_indices) answers.indices = collect('indices');
  if (dout) answers.dx = collect('dx');
  return answers;
}
