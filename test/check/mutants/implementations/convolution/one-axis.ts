/** Convolution over one axis, with every gradient as a sum of its own: dx gathers the windows that cover a position. */
import type { Answers } from '../../definition.js';

interface Given {
  x: number[][][];
  weight: number[][][];
  bias: number[] | undefined;
  stride: number[];
  padding: [number, number][];
  dilation: number[];
  groups: number;
  transposed: boolean;
  dout: number[][][] | undefined;
}

function range(length: number): number[] {
  return Array.from({ length }, (_, i) => i);
}

function sum(values: number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

export default function convolution(given: Given): Answers {
  const { x, weight, bias, groups, dout } = given;
  if (given.transposed) throw new Error('unsupported: transposed');
  if (given.stride.length !== 1) throw new Error('unsupported: more than one spatial axis');
  const stride = given.stride[0];
  const dilation = given.dilation[0];
  const [before, after] = given.padding[0];

  const N = x.length;
  const C = x[0].length;
  const L = x[0][0].length;
  const O = weight.length;
  const K = weight[0][0].length;
  const outputs = Math.floor((L + before + after - dilation * (K - 1) - 1) / stride) + 1;
  const perGroupIn = C / groups;
  const perGroupOut = O / groups;

  /** x at a position that may be in the padding. */
  function input(n: number, c: number, position: number): number {
    return position < 0 || position >= L ? 0 : x[n][c][position];
  }

  const out = range(N).map((n) =>
    range(O).map((o) =>
      range(outputs).map((p) => {
        const group = Math.floor(o / perGroupOut);
        let total = bias ? bias[o] : 0;
        for (let c = 0; c < perGroupIn; c++)
          for (let k = 0; k < K; k++)
            total += weight[o][c][k] * input(n, group * perGroupIn + c, p * stride + k * dilation - before);
        return total;
      }),
    ),
  );
  if (!dout) return { out };

  const dx = range(N).map((n) =>
    range(C).map((c) =>
      range(L).map((position) => {
        const group = Math.floor(c / perGroupIn);
        let total = 0;
        for (let k = 0; k < K; k++) {
          const start = position + before - k * dilation;
          if (start % stride !== 0) continue;
          const p = start / stride;
          if (p < 0 || p >= outputs) continue;
          for (let o = group * perGroupOut; o < (group + 1) * perGroupOut; o++)
            total += dout[n][o][p] * weight[o][c - group * perGroupIn][k];
        }
        return total;
      }),
    ),
  );
  const dweight = range(O).map((o) =>
    range(perGroupIn).map((c) =>
      range(K).map((k) => {
        const channel = Math.floor(o / perGroupOut) * perGroupIn + c;
        let total = 0;
        for (let n = 0; n < N; n++)
          for (let p = 0; p < outputs; p++)
            total += dout[n][o][p] * input(n, channel, p * stride + k * dilation - before);
        return total;
      }),
    ),
  );
  const dbias = range(O).map((o) => sum(range(N).map((n) => sum(dout[n][o]))));
  return bias ? { out, dx, dweight, dbias } : { out, dx, dweight };
}
