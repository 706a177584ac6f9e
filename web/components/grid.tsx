/** A tensor's values as tables of cells, to explore or to edit. */
import { useState } from 'preact/hooks';
import { formatCell, formatNumber } from '../tensors/format.js';
import { flat, nestedAt, numberOf, shapeOf, type Index, type Nested } from '../tensors/tensor.js';
import { page } from '../state/state.js';
import { Cell } from './cell.js';
import { moveFocus } from './keys.js';
import { MOST, planesOf, type Plane } from './planes.js';

export interface GridProps {
  /** Name of the tensor, which identifies its rows and cells. */
  readonly name: string;
  /** Title of the table, if one tensor has two. */
  readonly title?: string;
  readonly tensor: Nested;
  /** If present, the cells can be edited. */
  readonly onType?: (index: Index, value: number | string) => void;
  /** Whether pointing at a cell explains it. */
  readonly explained?: boolean;
  /** Cells to mark, with the text for each. */
  readonly marks?: ReadonlyMap<string, string>;
}

export function Grid(props: GridProps) {
  const { name, tensor } = props;
  const shape = shapeOf(tensor);
  const planes = planesOf(shape);
  const [first, setFirst] = useState({ plane: 0, row: 0, column: 0 });
  const scale = largest(tensor);
  const { rows, columns } = planes[0];
  return (
    <div class="planes">
      <Pager
        what="planes"
        of={planes.length}
        most={MOST.planes}
        first={first.plane}
        go={(plane) => {
          setFirst({ ...first, plane });
        }}
      />
      <Pager
        what="rows"
        of={rows}
        most={MOST.rows}
        first={first.row}
        go={(row) => {
          setFirst({ ...first, row });
        }}
      />
      <Pager
        what="columns"
        of={columns}
        most={MOST.columns}
        first={first.column}
        go={(column) => {
          setFirst({ ...first, column });
        }}
      />
      {planes.slice(first.plane, first.plane + MOST.planes).map((plane) => (
        <PlaneTable
          key={plane.leading.join()}
          {...props}
          name={name}
          plane={plane}
          scale={scale}
          row={first.row}
          column={first.column}
        />
      ))}
    </div>
  );
}

interface PlaneProps extends GridProps {
  readonly plane: Plane;
  readonly scale: number;
  readonly row: number;
  readonly column: number;
}

function PlaneTable({ plane, scale, row, column, ...grid }: PlaneProps) {
  const { name, tensor, onType, explained = false, marks } = grid;
  const rows = span(row, plane.rows, MOST.rows);
  const columns = span(column, plane.columns, MOST.columns);
  const called = grid.title ?? name;
  const title = plane.leading.length > 0 ? formatCell(called, plane.leading) : called;
  const isVector = shapeOf(tensor).length < 2;
  const named = (i: number, size: number) => {
    const label = page.value.label?.(name, i, size);
    return label === undefined ? String(i) : `${label} ${i}`;
  };
  return (
    <div class="plane">
      {plane.leading.length > 0 && (
        <p class="leading" aria-hidden="true">
          {title}
        </p>
      )}
      <table
        class="grid"
        role="grid"
        aria-label={title}
        style={{ '--digits': String(widest(tensor, plane, rows, columns)) }}
        onKeyDown={moveFocus}
      >
        <thead>
          <tr>
            {!isVector && (
              <th scope="col">
                <span class="hidden">row</span>
              </th>
            )}
            {columns.map((j) => (
              <th key={j} scope="col">
                {isVector ? named(j, plane.columns) : j}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((i) => (
            <tr key={i}>
              {!isVector && <th scope="row">{named(i, plane.rows)}</th>}
              {columns.map((j) => {
                const index = plane.cellAt(i, j);
                const value = nestedAt(tensor, index);
                return (
                  <Cell
                    key={j}
                    name={name}
                    index={index}
                    value={value}
                    heat={heatOf(value, scale)}
                    isFirst={i === rows[0] && j === columns[0]}
                    place={`${i},${j}`}
                    onType={onType}
                    explained={explained}
                    mark={marks?.get(index.join())}
                  />
                );
              })}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

const span = (first: number, all: number, most: number): number[] =>
  Array.from({ length: Math.min(most, all - first) }, (_, i) => first + i);

/** Characters of the longest number, so that all columns have the same width. */
function widest(tensor: Nested, plane: Plane, rows: readonly number[], columns: readonly number[]): number {
  const texts = rows.flatMap((i) => columns.map((j) => formatNumber(nestedAt(tensor, plane.cellAt(i, j))).length));
  return Math.max(...texts);
}

/** From −1 to 1. */
function heatOf(value: number | string, scale: number): number {
  const number = numberOf(value) ?? 0;
  if (Number.isNaN(number) || scale === 0) return 0;
  return Math.max(-1, Math.min(1, number / scale));
}

function largest(tensor: Nested): number {
  let most = 0;
  for (const value of flat(tensor)) {
    const magnitude = Math.abs(numberOf(value) ?? 0);
    if (Number.isFinite(magnitude) && magnitude > most) most = magnitude;
  }
  return most;
}

interface PagerProps {
  readonly what: string;
  readonly of: number;
  readonly most: number;
  readonly first: number;
  readonly go: (first: number) => void;
}

/** Shows which part of a large tensor is drawn, with buttons to move to the others. */
function Pager({ what, of, most, first, go }: PagerProps) {
  if (of <= most) return null;
  const last = Math.min(first + most, of);
  return (
    <div class="pager" role="group" aria-label={what}>
      <button
        type="button"
        aria-label={`earlier ${what}`}
        disabled={first === 0}
        onClick={() => {
          go(Math.max(0, first - most));
        }}
      >
        ‹
      </button>
      <span>
        {what} {first} to {last - 1} of {formatNumber(of, 9)}
      </span>
      <button
        type="button"
        aria-label={`later ${what}`}
        disabled={last === of}
        onClick={() => {
          go(first + most);
        }}
      >
        ›
      </button>
    </div>
  );
}
