/** A linear layer by matrix products: x is reshaped to [N, I] first. */
import type { Answers, Nested } from '../../definition.js';

interface Given {
  x: Nested;
  weight: number[][];
  bias?: number[] | undefined;
  dout?: Nested | undefined;
}

type Matrix = number[][];

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

function toMatrix(x: Nested, columns: number): Matrix {
  const values = flatten(x);
  return reshape(values, [values.length / columns, columns]) as Matrix;
}

function transpose(a: Matrix): Matrix {
  return a[0].map((_, j) => a.map((row) => row[j]));
}

function matmul(a: Matrix, b: Matrix): Matrix {
  const columns = transpose(b);
  return a.map((row) => columns.map((column) => row.reduce((sum, value, k) => sum + value * column[k], 0)));
}

function addRow(a: Matrix, row: number[]): Matrix {
  return a.map((each) => each.map((value, j) => value + row[j]));
}

function sumOfRows(a: Matrix): number[] {
  return transpose(a).map((column) => column.reduce((sum, value) => sum + value, 0));
}

export default function linear(given: Given): Answers {
  const { weight, bias } = given;
  const shape = shapeOf(given.x);
  const leading = shape.slice(0, -1);
  const [O, I] = shapeOf(weight);

  const x = toMatrix(given.x, I);
  let out = matmul(x, transpose(weight));
  if (bias) out = addRow(out, bias);
  const answers: Record<string, Nested> = { out: reshape(flatten(out), [...leading, O]) };
  if (given.dout === undefined) return answers;

  const dout = toMatrix(given.dout, O);
  answers.dx = reshape(flatten(matmul(dout, weight)), shape);
  answers.dweight = matmul(transpose(dout), x);
  if (bias) answers.dbias = sumOfRows(dout);
  return answers;
}
