import type { ComponentChildren } from 'preact';
import { shapeOf, type Nested } from '../tensors/tensor.js';
import { planesOf } from './planes.js';

export interface Carded {
  readonly tensor: Nested | undefined;
  readonly card: ComponentChildren;
}

/** A tensor with at least this many rows is tall. */
const TALL = 6;

function isTall(tensor: Nested | undefined): boolean {
  if (tensor === undefined) return false;
  const planes = planesOf(shapeOf(tensor));
  return planes.length * planes[0].rows >= TALL;
}

/** Cards in order. If one of them is tall, small ones that follow each other share a column. */
export function Stacks({ cards }: { cards: readonly Carded[] }) {
  if (!cards.some(({ tensor }) => isTall(tensor))) return <>{cards.map(({ card }) => card)}</>;
  const columns: ComponentChildren[][] = [];
  let isOpen = false;
  for (const { tensor, card } of cards) {
    const tall = isTall(tensor);
    if (isOpen && !tall) columns.at(-1)?.push(card);
    else columns.push([card]);
    isOpen = !tall;
  }
  return (
    <>
      {columns.map((column, i) => (
        <div class="stack" key={i}>
          {column}
        </div>
      ))}
    </>
  );
}
