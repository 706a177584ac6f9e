/** Pooling by im2col: every window becomes a column of indices, which are gathered, reduced, and scattered back. */
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

const PAD = -1;

function shapeOf(x: Nested): number[] {
  return Array.isArray(x) ? [x.length, ...shapeOf(x[0])] : [];
}

function flatten(x: Nested): number[] {
  return Array.isArray(x) ? x.flatMap(flatten) : [x];
}

function reshape(values: number[], shape: number[]): Nested {
  if (shape.length === 1) return values;
  const [first, ...rest] = shape;
  const size = values.length / first;
  return Array.from({ length: first }, (_, i) => reshape(values.slice(i * size, (i + 1) * size), rest));
}

/** All positions in a grid, row by row. */
function grid(shape: number[]): number[][] {
  let positions: number[][] = [[]];
  for (const size of shape)
    positions = positions.flatMap((position) => Array.from({ length: size }, (_, i) => [...position, i]));
  return positions;
}

function sizesOfOutput(size: number[], kernel: number[], { stride, padding, dilation, ceil_mode }: Given): number[] {
  return size.map((length, a) => {
    const [before, after] = padding[a];
    const steps = (length + before + after - dilation[a] * (kernel[a] - 1) - 1) / stride[a];
    if (!ceil_mode) return Math.floor(steps) + 1;
    const last = Math.ceil(steps);
    return last * stride[a] < length + before ? last + 1 : last;
  });
}

/** The indices that each window reads in the flat plane, or PAD in the padding. What lies past the padding is left out. */
function im2col(size: number[], kernel: number[], outSize: number[], given: Given): number[][] {
  const { stride, padding, dilation } = given;
  return grid(outSize).map((p) => {
    const column: number[] = [];
    for (const k of grid(kernel)) {
      const at = size.map((_, a) => p[a] * stride[a] - padding[a][0] + k[a] * dilation[a]);
      if (at.some((i, a) => i >= size[a] + padding[a][1])) continue;
      const isInside = at.every((i, a) => i >= 0 && i < size[a]);
      column.push(isInside ? at.reduce((index, i, a) => index * size[a] + i, 0) : PAD);
    }
    return column;
  });
}

function argmax(values: number[]): number {
  return values.reduce((best, value, i) => (value > values[best] ? i : best), 0);
}

export default function pooling(given: Given): Answers {
  const { mode, count_include_pad, return_indices, dout } = given;
  if (given.global) throw new Error('unsupported: global');
  const [N, C, ...size] = shapeOf(given.x);
  const kernel = given.kernel_size ?? [];
  const outSize = sizesOfOutput(size, kernel, given);
  const columns = im2col(size, kernel, outSize, given);
  const insides = columns.map((column) => column.filter((index) => index !== PAD));
  const counts = count_include_pad ? columns.map((column) => column.length) : insides.map((inside) => inside.length);

  const x = reshape(flatten(given.x), [N * C, flatten(given.x).length / (N * C)]) as number[][];
  const maxima = x.map((plane) => insides.map((inside) => inside[argmax(inside.map((index) => plane[index]))]));
  const averages = x.map((plane) =>
    insides.map((inside, p) => inside.reduce((sum, index) => sum + plane[index], 0) / counts[p]),
  );
  const out = mode === 'max' ? maxima.map((indices, plane) => indices.map((i) => x[plane][i])) : averages;
  const answers: Record<string, Nested> = { out: reshape(flatten(out), [N, C, ...outSize]) };
  if (return_indices) answers.indices = reshape(flatten(maxima), [N, C, ...outSize]);
  if (dout === undefined) return answers;

  const upstream = reshape(flatten(dout), [N * C, columns.length]) as number[][];
  const dx = x.map((plane, q) => {
    const gradient = plane.map(() => 0);
    upstream[q].forEach((d, p) => {
      if (mode === 'max') gradient[maxima[q][p]] += d;
      else for (const index of insides[p]) gradient[index] += d / counts[p];
    });
    return gradient;
  });
  answers.dx = reshape(flatten(dx), [N, C, ...size]);
  return answers;
}
