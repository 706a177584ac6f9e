/** Convolution as a matrix product: im2col forward, col2im backward. A signal is an image with a single row. */
import type { Answers, Nested } from '../../definition.js';

type Matrix = number[][];
type Images = Matrix[][];

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

function matmul(a: Matrix, b: Matrix): Matrix {
  return a.map((row) => b[0].map((_, j) => row.reduce((sum, value, k) => sum + value * b[k][j], 0)));
}

function transpose(a: Matrix): Matrix {
  return a[0].map((_, j) => a.map((row) => row[j]));
}

function add(a: Matrix, b: Matrix): Matrix {
  return a.map((row, i) => row.map((value, j) => value + b[i][j]));
}

function zeros(rows: number, columns: number): Matrix {
  return Array.from({ length: rows }, () => new Array<number>(columns).fill(0));
}

/** Splits a flat row into rows of the given width. */
function unflatten(flat: number[], width: number): Matrix {
  const rows: Matrix = [];
  for (let i = 0; i < flat.length; i += width) rows.push(flat.slice(i, i + width));
  return rows;
}

export default function convolution(given: Given): Answers {
  const { bias, groups, transposed } = given;
  if (transposed) throw new Error('unsupported: transposed');
  const axes = given.stride.length;
  if (axes > 2) throw new Error('unsupported: three spatial axes');

  // One axis: add a height of 1.
  const lift = (tensor: Nested): Images =>
    axes === 2 ? (tensor as Images) : (tensor as Matrix[]).map((rows) => rows.map((row) => [row]));
  const drop = (images: Images): Nested => (axes === 2 ? images : images.map((planes) => planes.map(([row]) => row)));
  const [sh, sw] = axes === 2 ? given.stride : [1, given.stride[0]];
  const [dh, dw] = axes === 2 ? given.dilation : [1, given.dilation[0]];
  const [[top, bottom], [left, right]] = axes === 2 ? given.padding : [[0, 0], given.padding[0]];
  const x = lift(given.x);
  const weight = lift(given.weight);

  const [H, W] = [x[0][0].length, x[0][0][0].length];
  const [O, Cg] = [weight.length, weight[0].length];
  const [KH, KW] = [weight[0][0].length, weight[0][0][0].length];
  const outH = Math.floor((H + top + bottom - dh * (KH - 1) - 1) / sh) + 1;
  const outW = Math.floor((W + left + right - dw * (KW - 1) - 1) / sw) + 1;
  const Og = O / groups;

  /** Calls visit(row, column, c, i, j) for each entry of the matrix of columns that is not in the padding. */
  function eachTap(visit: (row: number, column: number, c: number, i: number, j: number) => void): void {
    for (let c = 0; c < Cg; c++)
      for (let u = 0; u < KH; u++)
        for (let v = 0; v < KW; v++)
          for (let p = 0; p < outH; p++)
            for (let q = 0; q < outW; q++) {
              const i = p * sh + u * dh - top;
              const j = q * sw + v * dw - left;
              if (i >= 0 && i < H && j >= 0 && j < W) visit((c * KH + u) * KW + v, p * outW + q, c, i, j);
            }
  }

  function im2col(image: Matrix[]): Matrix {
    const columns = zeros(Cg * KH * KW, outH * outW);
    eachTap((row, column, c, i, j) => (columns[row][column] = image[c][i][j]));
    return columns;
  }

  function col2im(columns: Matrix): Matrix[] {
    const image = Array.from({ length: Cg }, () => zeros(H, W));
    eachTap((row, column, c, i, j) => (image[c][i][j] += columns[row][column]));
    return image;
  }

  const groupOf = <T>(list: T[], g: number, size: number): T[] => list.slice(g * size, (g + 1) * size);
  const filters = weight.map((filter) => filter.flat(2));

  const out = x.map((image) => {
    const result: Matrix[] = [];
    for (let g = 0; g < groups; g++) {
      const product = matmul(groupOf(filters, g, Og), im2col(groupOf(image, g, Cg)));
      product.forEach((row, o) => {
        const b = bias ? bias[g * Og + o] : 0;
        result.push(
          unflatten(
            row.map((value) => value + b),
            outW,
          ),
        );
      });
    }
    return result;
  });
  if (!given.dout) return { out: drop(out) };

  const dout = lift(given.dout);
  const dfilters = filters.map((row) => row.map(() => 0));
  const dbias = filters.map(() => 0);
  const dx = x.map((image, n) => {
    const flat = dout[n].map((plane) => plane.flat());
    flat.forEach((row, o) => (dbias[o] += row.reduce((sum, value) => sum + value, 0)));
    const dimage: Matrix[] = [];
    for (let g = 0; g < groups; g++) {
      const d = groupOf(flat, g, Og);
      const gradient = matmul(d, transpose(im2col(groupOf(image, g, Cg))));
      dfilters.splice(g * Og, Og, ...add(groupOf(dfilters, g, Og), gradient));
      dimage.push(...col2im(matmul(transpose(groupOf(filters, g, Og)), d)));
    }
    return dimage;
  });
  const dweight = dfilters.map((row) => unflatten(row, KH * KW).map((kernel) => unflatten(kernel, KW)));
  return { out: drop(out), dx: drop(dx), dweight: drop(dweight), ...(bias ? { dbias } : {}) };
}
