/** Convolution over any number of axes: flat arrays, and index tuples for positions and taps. */
import type { Answers, Nested } from '../../definition.js';

interface Given {
  x: Nested;
  weight: Nested;
  bias: number[] | undefined;
  stride: number[];
  padding: [number, number][];
  dilation: number[];
  groups: number;
  transposed: boolean;
  dout: Nested | undefined;
}

function shapeOf(nested: Nested): number[] {
  return Array.isArray(nested) ? [nested.length, ...shapeOf(nested[0])] : [];
}

function flatten(nested: Nested): number[] {
  return Array.isArray(nested) ? nested.flatMap(flatten) : [nested];
}

function reshape(flat: number[], shape: number[]): Nested {
  if (shape.length === 0) return flat[0];
  const [first, ...rest] = shape;
  const size = flat.length / first;
  return Array.from({ length: first }, (_, i) => reshape(flat.slice(i * size, (i + 1) * size), rest));
}

/** All index tuples of a shape, the last axis fastest. */
function indicesOf(shape: number[]): number[][] {
  let indices: number[][] = [[]];
  for (const size of shape) indices = indices.flatMap((index) => Array.from({ length: size }, (_, i) => [...index, i]));
  return indices;
}

/** Row-major offset of an index; −1 if it is outside. */
function offsetOf(index: number[], shape: number[]): number {
  let offset = 0;
  for (let axis = 0; axis < shape.length; axis++) {
    if (index[axis] < 0 || index[axis] >= shape[axis]) return -1;
    offset = offset * shape[axis] + index[axis];
  }
  return offset;
}

export default function convolution(given: Given): Answers {
  const { bias, stride, padding, dilation, groups } = given;
  if (given.transposed) throw new Error('unsupported: transposed');

  const [N, C, ...size] = shapeOf(given.x);
  const [O, channels, ...kernel] = shapeOf(given.weight);
  const outSize = size.map((length, axis) => {
    const [before, after] = padding[axis];
    const span = dilation[axis] * (kernel[axis] - 1) + 1;
    return Math.floor((length + before + after - span) / stride[axis]) + 1;
  });
  const x = flatten(given.x);
  const weight = flatten(given.weight);
  const taps = indicesOf(kernel);
  const windows = indicesOf(outSize);
  const pixels = size.reduce((product, length) => product * length, 1);

  // places[p][k]: where tap k of window p reads.
  const places = windows.map((window) =>
    taps.map((tap) => {
      const index = window.map((p, axis) => p * stride[axis] - padding[axis][0] + tap[axis] * dilation[axis]);
      return offsetOf(index, size);
    }),
  );

  /** Calls visit for every product of an element of x and an element of weight. */
  function eachProduct(visit: (target: number, source: number, factor: number) => void): void {
    for (let n = 0; n < N; n++)
      for (let o = 0; o < O; o++) {
        const group = Math.floor(o / (O / groups));
        for (let c = 0; c < channels; c++)
          places.forEach((reads, p) => {
            reads.forEach((place, k) => {
              if (place === -1) return;
              const target = (n * O + o) * windows.length + p;
              const source = (n * C + group * channels + c) * pixels + place;
              visit(target, source, (o * channels + c) * taps.length + k);
            });
          });
      }
  }

  const out = new Array<number>(N * O * windows.length).fill(0);
  eachProduct((target, source, factor) => {
    out[target] += x[source] * weight[factor];
  });
  if (bias) out.forEach((_, i) => (out[i] += bias[Math.floor(i / windows.length) % O]));
  const answer = reshape(out, [N, O, ...outSize]);
  if (given.dout === undefined) return { out: answer };

  const dout = flatten(given.dout);
  const dx = x.map(() => 0);
  const dweight = weight.map(() => 0);
  const dbias = new Array<number>(O).fill(0);
  eachProduct((target, source, factor) => {
    dx[source] += dout[target] * weight[factor];
    dweight[factor] += dout[target] * x[source];
  });
  dout.forEach((value, i) => (dbias[Math.floor(i / windows.length) % O] += value));
  return {
    out: answer,
    dx: reshape(dx, [N, C, ...size]),
    dweight: reshape(dweight, [O, channels, ...kernel]),
    ...(bias ? { dbias } : {}),
  };
}
