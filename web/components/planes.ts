/** A tensor as tables: its last two axes are rows and columns, and each index of the others is a table. */
import type { Index, Shape } from '../tensors/tensor.js';
import { indicesOf } from '../tensors/tensor.js';

export interface Plane {
  /** Index along the leading axes. */
  readonly leading: Index;
  readonly rows: number;
  readonly columns: number;
  readonly cellAt: (row: number, column: number) => Index;
}

export function planesOf(shape: Shape): Plane[] {
  if (shape.length < 2) {
    const columns = shape[0] ?? 1;
    return [{ leading: [], rows: 1, columns, cellAt: (_, column) => (shape.length === 0 ? [] : [column]) }];
  }
  const [rows, columns] = shape.slice(-2);
  return indicesOf(shape.slice(0, -2)).map((leading) => ({
    leading,
    rows,
    columns,
    cellAt: (row, column) => [...leading, row, column],
  }));
}

/** What is drawn at once: a few thousand cells at most, because a browser cannot draw a million. */
export const MOST = { planes: 6, rows: 32, columns: 24 } as const;
