import { useState } from 'preact/hooks';
import { formatCell, formatNumber } from '../tensors/format.js';
import { parseNumber } from '../tensors/parse.js';
import { numberOf, type Index } from '../tensors/tensor.js';
import { cellKey, lit, pin, pointed, shown } from '../state/explained.js';
import { state } from '../state/state.js';
import { problemsOf } from './problems.js';

interface CellProps {
  readonly name: string;
  readonly index: Index;
  readonly value: number | string;
  /** −1 to 1. */
  readonly heat: number;
  /** Whether the Tab key moves to this cell. */
  readonly isFirst: boolean;
  readonly place: string;
  readonly onType?: ((index: Index, value: number | string) => void) | undefined;
  readonly explained: boolean;
  readonly mark?: string | undefined;
}

const isCell = (cell: { tensor: string; index: Index } | undefined, name: string, index: Index): boolean =>
  cell?.tensor === name && String(cell.index) === String(index);

export function Cell(props: CellProps) {
  const { name, index, value, heat, onType, explained, mark } = props;
  const light = lit.value.get(cellKey(name, index));
  const isShown = explained && isCell(shown.value, name, index);
  const classes = [
    'cell',
    heat < 0 ? 'cold' : 'hot',
    light === undefined ? '' : 'lit',
    isShown ? 'shown' : '',
    mark === undefined ? '' : 'wrong',
  ];
  const style = {
    '--heat': Math.abs(heat).toFixed(3),
    ...(light === undefined ? {} : { '--light': light.toFixed(2) }),
  };
  const look = { class: classes.filter(Boolean).join(' '), style };
  if (onType)
    return (
      <td role="gridcell" {...look}>
        <Typed {...props} onType={onType} />
      </td>
    );
  if (!explained)
    return (
      <td role="gridcell" {...look} title={mark ?? String(value)}>
        {formatNumber(value)}
        {mark !== undefined && <span class="hidden">, wrong: {mark}</span>}
      </td>
    );
  return <Pointed {...props} look={look} isShown={isShown} />;
}

function Typed({
  name,
  index,
  value,
  place,
  isFirst,
  onType,
}: CellProps & { onType: NonNullable<CellProps['onType']> }) {
  const [draft, setDraft] = useState<string>();
  const isWrong =
    numberOf(value) === undefined || problemsOf(name).some((found) => String(found.index) === String(index));
  const text = draft ?? String(value);
  return (
    <input
      type="text"
      // Tab moves from tensor to tensor; the arrow keys move within one.
      tabIndex={isFirst ? 0 : -1}
      inputMode="decimal"
      autocomplete="off"
      aria-label={formatCell(name, index)}
      aria-invalid={isWrong}
      data-place={place}
      size={Math.max(3, Math.min(9, text.length))}
      value={text}
      onFocus={({ currentTarget }) => {
        currentTarget.select();
      }}
      onInput={({ currentTarget }) => {
        setDraft(currentTarget.value);
        // Text that is not a number is sent as it is, and the service says what is wrong with it.
        onType(index, parseNumber(currentTarget.value) ?? currentTarget.value);
      }}
      onBlur={() => {
        setDraft(undefined);
      }}
    />
  );
}

interface PointedProps extends CellProps {
  readonly look: { class: string; style: Record<string, string> };
  readonly isShown: boolean;
}

function Pointed({ name, index, value, place, isFirst, look, isShown }: PointedProps) {
  const cell = { tensor: name, index };
  const isPinned = isCell(state.value.pinned, name, index);
  const toggle = () => {
    pin(isPinned ? undefined : cell);
  };
  const reveal = ({ currentTarget }: { currentTarget: HTMLElement }) => {
    // In a narrow window, the explanation covers the lower part of the page, and may cover the cell itself.
    requestAnimationFrame(() => {
      currentTarget.scrollIntoView({ block: 'nearest', inline: 'nearest' });
    });
  };
  return (
    <td
      role="gridcell"
      {...look}
      tabIndex={isFirst || isShown ? 0 : -1}
      aria-selected={isPinned}
      data-place={place}
      data-cell={formatCell(name, index)}
      // A tap fires enter and focus before click; anything shown then could intercept the click.
      onPointerEnter={({ pointerType }) => {
        if (pointerType !== 'touch') pointed.value = cell;
      }}
      onPointerLeave={() => {
        if (isCell(pointed.peek(), name, index)) pointed.value = undefined;
      }}
      onFocus={(event) => {
        if (!event.currentTarget.matches(':focus-visible')) return;
        pointed.value = cell;
        reveal(event);
      }}
      onBlur={() => {
        if (isCell(pointed.peek(), name, index)) pointed.value = undefined;
      }}
      onClick={(event) => {
        toggle();
        reveal(event);
      }}
      onKeyDown={(event) => {
        if (event.key !== 'Enter' && event.key !== ' ') return;
        event.preventDefault();
        toggle();
      }}
    >
      {formatNumber(value)}
    </td>
  );
}
