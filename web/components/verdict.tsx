import type { Verdict } from '../state/check.js';
import { wrongCells } from '../state/check.js';
import { setTensor, state } from '../state/state.js';
import { formatCell, formatNumber } from '../tensors/format.js';
import { tensorOf, type Nested } from '../tensors/tensor.js';
import { Grid } from './grid.js';

interface VerdictProps {
  readonly name: string;
  readonly verdict: Verdict;
  readonly claim: Nested | undefined;
  /** The service's answer, as the page has it. */
  readonly right: Nested | undefined;
}

export function VerdictCard({ name, verdict, claim, right }: VerdictProps) {
  const { pass, worst, diagnosis, notes = [], statistics, detail } = verdict;
  return (
    <article class={pass ? 'verdict pass' : 'verdict fail'} aria-label={`verdict on ${name}`}>
      <header>
        <h3>
          {pass ? '✓' : '✗'} {name} {pass ? 'is right' : 'is wrong'}
        </h3>
        <button
          type="button"
          aria-label={`forget my ${name}`}
          title="Forget it"
          onClick={() => {
            setTensor('claims', name, undefined);
          }}
        >
          ×
        </button>
      </header>
      {detail !== undefined && <p>{detail}</p>}
      <dl>
        <Fact name="largest error" value={verdict.max_absolute_error} />
        <Fact name="relative" value={verdict.max_relative_error} />
        {worst && !pass && (
          <div>
            <dt>worst</dt>
            <dd>
              {formatCell(name, worst.index)}: expected {formatNumber(worst.expected, 6)}, yours{' '}
              {formatNumber(worst.claimed, 6)}
            </dd>
          </div>
        )}
      </dl>
      {diagnosis.map(({ id, explanation, fix }) => (
        <div class="diagnosis" key={id}>
          <p>
            <strong>{explanation}</strong>
          </p>
          <p class="fix">{fix}</p>
          <p class="id">{id}</p>
        </div>
      ))}
      {!pass && detail === undefined && diagnosis.length === 0 && <p>No known mistake gives this.</p>}
      {notes.map(({ id, explanation }) => (
        <p class="note" key={id}>
          {explanation}
        </p>
      ))}
      {!pass && statistics?.findings && (
        <ul class="findings">
          {statistics.findings.map((finding) => (
            <li key={finding}>{finding}</li>
          ))}
        </ul>
      )}
      {!pass && claim !== undefined && right !== undefined && <Marked name={name} claim={claim} right={right} />}
    </article>
  );
}

function Fact({ name, value }: { name: string; value: number | string | null }) {
  if (value === null) return null;
  return (
    <div>
      <dt>{name}</dt>
      <dd>{formatNumber(value)}</dd>
    </div>
  );
}

/** The claim, its wrong cells marked by comparison with the answer that the page has. */
function Marked({ name, claim, right }: { name: string; claim: Nested; right: Nested }) {
  const claimed = tensorOf(claim);
  const expected = tensorOf(right);
  if (!claimed || !expected || String(claimed.shape) !== String(expected.shape)) return null;
  return (
    <Grid
      name={name}
      title={`my ${name}`}
      tensor={claim}
      marks={wrongCells(claimed, expected, state.value.options.dtype)}
    />
  );
}
