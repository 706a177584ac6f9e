import type { Explanation, Share, Term } from '../explain/explanation.js';
import { explained, pin } from '../state/explained.js';
import { page, state } from '../state/state.js';
import { formatCell, formatNumber } from '../tensors/format.js';
import { Formula } from './formula.js';

/** Where the shown cell comes from. */
export function ExplanationPanel() {
  const now = explained.value;
  return (
    <aside
      class="explanation"
      aria-label="Where a cell comes from"
      data-empty={now === undefined}
      data-pinned={state.value.pinned !== undefined}
    >
      <div aria-live="polite">
        {now ? (
          <>
            <h2>
              {formatCell(now.cell.tensor, now.cell.index)} <span class="value">{formatNumber(now.value, 8)}</span>
            </h2>
            {now.explanation && <Explained explanation={now.explanation} />}
            {!now.explanation && now.differs === undefined && (
              <p class="note">
                {page.value.explain
                  ? 'The formula has too many terms to show here. Use smaller tensors to see it.'
                  : 'A gradient is the sum of the upstream gradients times the derivatives of the outputs. Point at a cell of an output to see its derivatives.'}
              </p>
            )}
            {now.differs !== undefined && (
              <p class="note">
                The page computes {formatNumber(now.differs, 8)} for this cell, which differs from the service’s value,
                so the formula is not shown.
              </p>
            )}
          </>
        ) : (
          <>
            <h2>Where does it come from?</h2>
            <p class="note">
              Point at a cell of an output or a gradient, with the mouse, a finger or the arrow keys. The cells that it
              depends on are highlighted, and its formula is shown here with the numbers filled in. Click to pin it.
            </p>
          </>
        )}
      </div>
      {state.value.pinned && (
        <button
          type="button"
          class="unpin"
          onClick={() => {
            pin(undefined);
          }}
        >
          Unpin
        </button>
      )}
    </aside>
  );
}

function Explained({ explanation }: { explanation: Explanation }) {
  const { formula, filled, sum, shares, note } = explanation;
  return (
    <>
      <Formula tex={formula} display />
      {sum && <Sum {...sum} />}
      {filled.map((tex) => (
        <Formula key={tex} tex={tex} display />
      ))}
      {shares && <Shares shares={shares} />}
      {note !== undefined && <p class="note">{note}</p>}
    </>
  );
}

/** Enough for a kernel of 5 × 5; a person does not read a longer sum term by term. */
const MOST_TERMS = 27;

function Sum({ name, terms, value }: { name: string; terms: readonly Term[]; value: number }) {
  const telling = terms.filter((term) => term.value !== 0);
  const zeros = terms.length - telling.length;
  const rest = telling.length - MOST_TERMS;
  return (
    <p class="sum">
      <span class="name">{name} =</span>{' '}
      {telling.slice(0, MOST_TERMS).map(({ factors, cells }, i) => (
        <>
          {i > 0 && <span class="plus"> + </span>}
          <span class="term" title={cells.map((cell) => formatCell(cell.tensor, cell.index)).join(' · ')}>
            {factors.map((factor) => formatNumber(factor)).join(' · ')}
          </span>
        </>
      ))}
      {rest > 0 && <span class="plus"> + {rest} more</span>}
      {telling.length === 0 && '0'}
      {zeros > 0 && telling.length > 0 && <span class="plus"> + {zeros === 1 ? 'a zero' : `${zeros} zeros`}</span>}
      <span class="result"> = {formatNumber(value, 6)}</span>
    </p>
  );
}

/** Bars on both sides of zero: paths may have opposite signs. */
function Shares({ shares }: { shares: readonly Share[] }) {
  const most = Math.max(...shares.map(({ value }) => Math.abs(value))) || 1;
  return (
    <table class="shares">
      <caption>Contribution of each path</caption>
      <tbody>
        {shares.map(({ path, value }) => (
          <tr key={path}>
            <th scope="row">{path}</th>
            <td class="bar" aria-hidden="true">
              <span
                class={value < 0 ? 'cold' : 'hot'}
                style={{
                  width: `${(50 * Math.abs(value)) / most}%`,
                  [value < 0 ? 'right' : 'left']: '50%',
                }}
              />
            </td>
            <td class="value">{formatNumber(value)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
