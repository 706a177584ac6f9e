/** Pooling one axis after the other, from the last to the first: maxima of maxima, and sums of sums. */
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

/** Values at [outer, i, inner], and the index in the plane that each came from. */
interface Grid {
  shape: number[];
  values: number[];
  origins: number[];
}

function shapeOf(x: Nested): number[] {
  return Array.isArray(x) ? [x.length, ...shapeOf(x[0])] : [];
}

function flatten(x: Nested): number[] {
  return Array.isArray(x) ? x.flatMap(flatten) : [x];
}

function unflatten(values: number[], shape: number[]): Nested {
  let nested: Nested[] = values;
  for (let axis = shape.length - 1; axis > 0; axis--) {
    const groups: Nested[] = [];
    for (let i = 0; i < nested.length; i += shape[axis]) groups.push(nested.slice(i, i + shape[axis]));
    nested = groups;
  }
  return nested;
}

const product = (numbers: number[]) => numbers.reduce((a, b) => a * b, 1);

function axisOf(given: Given, axis: number, size: number) {
  const kernel = given.kernel_size?.[axis] ?? 1;
  const [stride, dilation, [before, after]] = [given.stride[axis], given.dilation[axis], given.padding[axis]];
  const extent = dilation * (kernel - 1) + 1;
  const free = size + before + after - extent;
  let windows = Math.floor(free / stride) + 1;
  if (given.ceil_mode && free % stride !== 0 && windows * stride < size + before) windows += 1;
  return { kernel, stride, dilation, before, after, windows };
}

type Axis = ReturnType<typeof axisOf>;

/** Calls back for each tap inside the input of each window along one axis. */
function eachTap(shape: number[], axis: number, by: Axis, visit: (from: number, to: number) => void): void {
  const outer = product(shape.slice(0, axis));
  const inner = product(shape.slice(axis + 1));
  const size = shape[axis];
  for (let a = 0; a < outer; a++)
    for (let o = 0; o < by.windows; o++)
      for (let k = 0; k < by.kernel; k++) {
        const i = o * by.stride + k * by.dilation - by.before;
        if (i < 0 || i >= size) continue;
        for (let b = 0; b < inner; b++) visit((a * size + i) * inner + b, (a * by.windows + o) * inner + b);
      }
}

function poolAxis({ shape, values, origins }: Grid, axis: number, by: Axis, mode: Given['mode']): Grid {
  const outShape = shape.map((size, a) => (a === axis ? by.windows : size));
  const out = Array<number>(product(outShape)).fill(mode === 'max' ? -Infinity : 0);
  const from = out.map(() => 0);
  eachTap(shape, axis, by, (i, o) => {
    if (mode === 'average') out[o] += values[i];
    else if (values[i] > out[o]) {
      out[o] = values[i];
      from[o] = origins[i];
    }
  });
  return { shape: outShape, values: out, origins: from };
}

/** How many taps of each window an average divides by. */
function countsAlong(by: Axis, size: number, includePad: boolean): number[] {
  return Array.from({ length: by.windows }, (_, o) => {
    let count = 0;
    for (let k = 0; k < by.kernel; k++) {
      const i = o * by.stride + k * by.dilation - by.before;
      if (includePad ? i < size + by.after : i >= 0 && i < size) count++;
    }
    return count;
  });
}

export default function pooling(given: Given): Answers {
  if (given.global) throw new Error('unsupported: global');
  const { mode } = given;
  const shape = shapeOf(given.x);
  const spatial = shape.slice(2);
  const axes = spatial.map((size, axis) => axisOf(given, axis, size));
  const plane = product(spatial);

  const values = flatten(given.x);
  let grid: Grid = { shape, values, origins: values.map((_, i) => i % plane) };
  for (let axis = spatial.length - 1; axis >= 0; axis--) grid = poolAxis(grid, axis + 2, axes[axis], mode);

  let counts = [1];
  axes.forEach((by, axis) => {
    const next = countsAlong(by, spatial[axis], given.count_include_pad);
    counts = counts.flatMap((count) => next.map((each) => count * each));
  });
  const P = counts.length;
  const out = mode === 'max' ? grid.values : grid.values.map((sum, i) => sum / counts[i % P]);
  const answers: Record<string, Nested> = { out: unflatten(out, grid.shape) };
  if (given.return_indices) answers.indices = unflatten(grid.origins, grid.shape);
  if (given.dout === undefined) return answers;

  const dout = flatten(given.dout);
  let dx: number[];
  if (mode === 'max') {
    dx = values.map(() => 0);
    dout.forEach((d, o) => {
      dx[Math.floor(o / P) * plane + grid.origins[o]] += d;
    });
  } else {
    dx = dout.map((d, o) => d / counts[o % P]);
    // Back through the axes in the opposite order: each tap receives what its windows have.
    const sizes = [...grid.shape];
    axes.forEach((by, axis) => {
      sizes[axis + 2] = shape[axis + 2];
      const wider = Array<number>(product(sizes)).fill(0);
      eachTap(sizes, axis + 2, by, (i, o) => {
        wider[i] += dx[o];
      });
      dx = wider;
    });
  }
  answers.dx = unflatten(dx, shape);
  return answers;
}
