/** Arrow keys move from cell to cell of a grid. */

const MOVES: Readonly<Record<string, readonly [number, number]>> = {
  ArrowUp: [-1, 0],
  ArrowDown: [1, 0],
  ArrowLeft: [0, -1],
  ArrowRight: [0, 1],
  Enter: [1, 0],
};

export function moveFocus(event: KeyboardEvent): void {
  const from = event.target;
  const move = MOVES[event.key] as readonly [number, number] | undefined;
  if (!(from instanceof HTMLElement) || !move) return;
  const isField = from instanceof HTMLInputElement;
  // In a cell that cannot be edited, Enter pins it.
  if (event.key === 'Enter' && !isField) return;
  if (isField && !leavesText(from, event.key)) return;
  const [row, column] = (from.dataset.place ?? '').split(',').map(Number);
  const next = from.closest('table')?.querySelector<HTMLElement>(`[data-place="${row + move[0]},${column + move[1]}"]`);
  if (!next) return;
  event.preventDefault();
  next.focus();
  if (next instanceof HTMLInputElement) next.select();
}

/** Within a number, the left and right keys move among its digits. */
function leavesText(field: HTMLInputElement, key: string): boolean {
  const { selectionStart, selectionEnd, value } = field;
  const isWhole = selectionStart === 0 && selectionEnd === value.length;
  if (key === 'ArrowLeft') return isWhole || (selectionStart === 0 && selectionEnd === 0);
  if (key === 'ArrowRight') return isWhole || selectionStart === value.length;
  return true;
}
